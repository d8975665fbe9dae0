"""A small network with its leave-one-out models, asked, attacked and defended."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.influence.exact import LOSSES
from leakjax.influence.influence_functions import cross_entropy
from leakjax.influence.retrain import retrain
from leakjax.records.descent import descend
from leakjax.records.encode import Task
from leakjax.records.network import Effort, attack_network, network_logits, network_oracle, network_start
from leakjax.records.part import RecordPart
from tests.influence.conftest import task

pytestmark = pytest.mark.usefixtures("x64")


@pytest.fixture(scope="module")
def networks():
    with jax.enable_x64(True):
        x, y = (jnp.asarray(part) for part in task(12, 3))
        start = network_start(3, 4, key=jax.random.key(0))
        loss = cross_entropy(network_logits)
        return x, y, start, retrain(loss, start, x, y, l2=1.0, steps=60, rate=0.3, checkpoints=3)


def test_the_attack_on_a_network_finds_records_within_its_budget(networks, key):
    x, _, _, models = networks
    asked = network_oracle(
        network_logits, models.full, models.without, np.asarray(x), RecordPart(k=2), key=key
    )
    found = descend(asked, budget=400, key=key, scale=3.0)
    assert len(found.discovered) == 400
    assert len(found.records) >= 6
    assert (np.diff(found.discovered) >= 0).all()
    answer = asked.ask(np.asarray(x[:1]))
    chance = [
        1 / (1 + np.exp(-network_logits(p, x[0])[0]))
        for p in (models.full, without_record(models.without, answer.records[0, 0]))
    ]
    np.testing.assert_allclose(answer.values[0, 0], chance[1] - chance[0], atol=1e-12)
    silent = network_oracle(
        network_logits, models.full, models.without, np.asarray(x), RecordPart(values="none"), key=key
    )
    with pytest.raises(UsageError, match="no influence values"):
        descend(silent, budget=10, key=key)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_network_answers_with_the_change_of_either_loss(networks, key, loss):
    x, _, _, models = networks
    asked = network_oracle(
        network_logits, models.full, models.without, np.asarray(x), RecordPart(k=12), key=key, loss=loss
    )
    labels = np.arange(4) % 2
    answer = asked.ask(np.asarray(x[:4]), labels)
    for row, label in enumerate(labels):
        chances = np.array(
            [
                1 / (1 + np.exp(-network_logits(p, x[row])[0]))
                for p in (models.full, *(without_record(models.without, record) for record in range(12)))
            ]
        )
        right = chances if label else 1 - chances
        losses = 1 - right if loss == "probability" else -np.log(right)
        found = dict(zip(answer.records[row].tolist(), answer.values[row], strict=True))
        np.testing.assert_allclose([found[r] for r in range(12)], losses[1:] - losses[0], atol=1e-12)


def test_a_network_is_attacked_and_defended_like_a_linear_model(networks, key):
    x, y, _, models = networks
    others, labels = task(40, 3, seed=5)
    points = np.concatenate([x, others]), np.concatenate([y, labels])
    small = Task("small", *points, np.arange(3), {})
    result = attack_network(
        models,
        small,
        np.arange(12),
        np.arange(12, 52),
        effort=Effort(k=2, queries=20, budget=200, prototypes=10),
        loss="probability",
        key=key,
    )
    asked = np.asarray(jax.vmap(network_logits, (None, 0))(models.full, others))
    changes = [
        jax.vmap(network_logits, (None, 0))(without_record(models.without, r), others) for r in range(12)
    ]
    leading = np.argmax(
        [np.abs(1 / (1 + np.exp(-c)) - 1 / (1 + np.exp(-asked)))[:, 0] for c in changes], axis=0
    )
    # 200 draws of 40 points ask every one of them.
    assert result["discovered"]["true"][-1] == len(set(leading.tolist()))
    assert {len(curve) for curve in result["discovered"].values()} == {200}
    rows = result["defenses"]
    assert all(row["subspace"] is row["seen"] is None for row in rows.values())
    unlike = {"descent": None, "values": None, "most": rows["no values"]["most"]}
    assert rows["no values"] == {**rows["none"], **unlike}
    assert rows["one record"]["most"] < rows["noisy selection, high"]["most"] == 12
    assert rows["public prototypes"]["most"] == 0


def without_record(stacked, index):
    return jax.tree.map(lambda leaf: leaf[index], stacked)
