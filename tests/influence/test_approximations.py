"""Influence functions, TracIn, retraining of networks and the attack on them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from leakjax._validate import UsageError
from leakjax.influence.agreement import agreement
from leakjax.influence.exact import LOSSES
from leakjax.influence.influence_functions import (
    cross_entropy,
    influence_functions,
    layer,
    probability_loss,
)
from leakjax.influence.retrain import retrain
from leakjax.influence.tracin import tracin
from leakjax.records.compare import (
    attack_network,
    compare_linear,
    linear_logits,
    network_logits,
    network_start,
)
from leakjax.records.descent import descend, network_oracle
from leakjax.records.encode import Task
from leakjax.records.part import RecordPart
from tests.influence.conftest import task

pytestmark = pytest.mark.usefixtures("x64")


def of(service):
    return jnp.asarray(service.model.x[:, :-1]), jnp.asarray(service.model.y, int)


@pytest.mark.parametrize("solver", ["dense", "cg"])
def test_influence_of_a_logistic_regression_is_its_closed_form(service, solver):
    x, y = task(4, 6, seed=3)
    ours = influence_functions(
        cross_entropy(linear_logits),
        jnp.asarray(service.model.theta),
        of(service),
        (jnp.asarray(x), jnp.asarray(y)),
        l2=1.0,
        query_loss=probability_loss(linear_logits),
        solver=solver,
    )
    design, theta = service.model.x, service.model.theta
    p = 1 / (1 + np.exp(-design @ theta))
    hessian = design.T @ (design * (p * (1 - p))[:, None]) + np.eye(7)
    q = np.concatenate([x, np.ones((4, 1))], axis=1)
    chance = 1 / (1 + np.exp(-q @ theta))
    of_query = (1 - 2 * y)[:, None] * (chance * (1 - chance))[:, None] * q
    expected = of_query @ np.linalg.solve(hessian, (design * (p - service.model.y)[:, None]).T)
    np.testing.assert_allclose(ours.influence, expected, rtol=1e-5, atol=1e-10)
    assert (ours.residual < 1e-6).all()


def test_it_agrees_with_exact_leave_one_out_where_records_matter_little(service):
    x, y = task(20, 6, seed=3)
    for row in compare_linear(service, x, y).values():
        assert row["correlation"] > 0.95
        assert row["rank_correlation"] > 0.98
        assert row["residual"] < 1e-6


def test_agreement_is_that_of_each_query():
    exact = np.array([[1.0, 2.0, 3.0, -9.0], [0.0, 1.0, 0.5, 0.2]])
    assert agreement(exact, exact, k=2) == (pytest.approx(1), pytest.approx(1), 1, 1)
    other = np.array([[1.0, 2.0, 9.0, -3.0], [0.0, 1.0, 0.2, 0.5]])
    result = agreement(other, exact, k=2)
    np.testing.assert_allclose(
        result.correlation, np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(other, exact, strict=True)])
    )
    assert (result.overlap, result.first) == (0.75, 0.5)


def test_a_singular_hessian_is_named_and_a_residual_tells_where_it_is_not_solved():
    x, y = jnp.ones((4, 2)), jnp.array([0, 1, 0, 1])
    theta = jnp.zeros(3)
    with pytest.raises(UsageError, match="Hessian is singular"):
        influence_functions(cross_entropy(linear_logits), theta, (x, y), (x, y), solver="dense")
    off = jnp.array([[1.0, -1.0]]), jnp.array([1])
    loose = influence_functions(cross_entropy(linear_logits), theta, (x, y), off, steps=5)
    assert not loose.residual[0] < 0.1


def test_a_layer_is_the_network_with_the_rest_frozen(key):
    network = network_start(3, 4, key=key)
    logits, last = layer(network_logits, network, "last")
    x = jnp.arange(3.0)
    np.testing.assert_allclose(logits(last, x), network_logits(network, x))
    doubled = jax.tree.map(lambda leaf: 2 * leaf, last)
    np.testing.assert_allclose(logits(doubled, x), 2 * network_logits(network, x))
    with pytest.raises(UsageError, match="'Dense_9' is not among hidden, last"):
        layer(network_logits, network, "Dense_9")


def test_a_layer_of_a_flax_network_moves_its_predictions_alone(key):
    class Network(nn.Module):
        @nn.compact
        def __call__(self, x):
            hidden = nn.tanh(nn.Dense(4)(x))
            return nn.Dense(2)(hidden)

    x, y = jnp.arange(15.0).reshape(5, 3) / 10, jnp.array([0, 1, 1, 0, 1])
    variables = Network().init(key, x[0])
    logits, last = layer(Network().apply, variables, "params", "Dense_1")
    found = influence_functions(cross_entropy(logits), last, (x, y), (x, y), l2=1.0, solver="dense")
    first = variables["params"]["Dense_0"]
    hidden = jnp.asarray(np.tanh(np.asarray(x) @ np.asarray(first["kernel"]) + np.asarray(first["bias"])))

    def by_hand(p, h, label):
        return -jax.nn.log_softmax(h @ p["kernel"] + p["bias"])[label]

    expected = influence_functions(by_hand, last, (hidden, y), (hidden, y), l2=1.0, solver="cg")
    np.testing.assert_allclose(found.influence, expected.influence, rtol=1e-5, atol=1e-9)


def test_tracin_sums_gradient_products_over_checkpoints(service):
    x, y = (np.asarray(part)[:5] for part in of(service))
    checkpoints, rates = np.stack([service.model.theta, 0.5 * service.model.theta]), np.array([0.1, 0.3])
    ours = tracin(cross_entropy(linear_logits), jnp.asarray(checkpoints), rates, (x, y), (x[:2], y[:2]))
    expected = np.zeros((2, 5))
    design = np.concatenate([x, np.ones((5, 1))], axis=1)
    for theta, rate in zip(checkpoints, rates, strict=True):
        gradient = design * (1 / (1 + np.exp(-design @ theta)) - y)[:, None]
        expected += rate * gradient[:2] @ gradient.T
    np.testing.assert_allclose(ours, expected, rtol=1e-10)
    with pytest.raises(UsageError, match="rates"):
        tracin(cross_entropy(linear_logits), jnp.asarray(checkpoints), rates[:1], (x, y), (x, y))


@pytest.fixture(scope="module")
def networks():
    with jax.enable_x64(True):
        x, y = (jnp.asarray(part) for part in task(12, 3))
        start = network_start(3, 4, key=jax.random.key(0))
        loss = cross_entropy(network_logits)
        return x, y, start, retrain(loss, start, x, y, l2=1.0, steps=60, rate=0.3, checkpoints=3)


def test_each_network_is_the_one_trained_alone_without_its_record(networks):
    x, y, start, models = networks
    keep = np.arange(12) != 5
    parameters, velocity = start, jax.tree.map(jnp.zeros_like, start)

    def objective(p):
        losses = jax.vmap(cross_entropy(network_logits), (None, 0, 0))(p, x[keep], y[keep])
        return (losses.sum() + 0.5 * sum((leaf**2).sum() for leaf in jax.tree.leaves(p))) / 12

    gradient = jax.jit(jax.grad(objective))
    for _ in range(60):
        velocity = jax.tree.map(lambda v, g: 0.9 * v + g, velocity, gradient(parameters))
        parameters = jax.tree.map(lambda p, v: p - 0.3 * v, parameters, velocity)
    for alone, together in zip(jax.tree.leaves(parameters), jax.tree.leaves(models.without), strict=True):
        np.testing.assert_allclose(together[5], alone, atol=1e-10)
    first = jax.tree.map(lambda leaf: leaf[0], models.checkpoints)
    jax.tree.map(np.testing.assert_array_equal, first, start)


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
        for p in (models.full, _member(models.without, answer.records[0, 0]))
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
                for p in (models.full, *(_member(models.without, record) for record in range(12)))
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
        budget=200,
        k=2,
        queries=20,
        prototypes=10,
        loss="probability",
        key=key,
    )
    asked = np.asarray(jax.vmap(network_logits, (None, 0))(models.full, others))
    changes = [jax.vmap(network_logits, (None, 0))(_member(models.without, r), others) for r in range(12)]
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


def _member(stacked, index):
    return jax.tree.map(lambda leaf: leaf[index], stacked)
