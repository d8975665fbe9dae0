import jax
import numpy as np
import pytest

from leakjax import shadow
from leakjax.shadow import TrainConfig, init_ensemble, train_ensemble
from leakjax.shadow.gap import generalisation_gap
from tests.shadow.small import KEY, MODEL, X, Y, assert_same_bits, members, train

GAPS = (0.1, 0.3)
CONFIG = TrainConfig(epochs=60, batch_size=8, learning_rate=0.03, stop_at_gap=GAPS)
IDS = np.arange(5)


def slow_gap(variables, row):
    """Of one model, in NumPy."""
    first, last = (jax.tree.map(np.float64, variables["params"][f"Dense_{i}"]) for i in range(2))
    logits = np.tanh(X @ first["kernel"] + first["bias"]) @ last["kernel"] + last["bias"]
    hits = logits.argmax(1) == Y
    return hits[row].mean() - hits[~row].mean()


def model(tree, index):
    return jax.tree.map(lambda leaf: leaf[index], tree)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    path = tmp_path_factory.mktemp("gaps")
    train(path, IDS, config=CONFIG, block=2)
    return path


def test_the_gap_is_accuracy_on_members_less_that_on_the_others():
    rows = np.asarray(members(IDS))
    untrained = init_ensemble(MODEL, X, key=KEY, membership=rows, ids=IDS)
    for index in IDS:
        got = generalisation_gap(MODEL, X, Y, rows[index], model(untrained.variables, index))
        np.testing.assert_allclose(got, slow_gap(model(untrained.variables, index), rows[index]), atol=1e-6)


def test_each_model_is_kept_where_its_gap_first_reaches_each_one(directory):
    """Against training for so many epochs exactly, and looking after each."""
    rows = np.asarray(members(IDS))
    reached = shadow.gaps(directory)
    at = {gap: shadow.load(directory, gap=gap) for gap in GAPS}
    plain = TrainConfig(60, 8, 0.03)
    longest = max(epoch for found in reached.values() for _, epoch in found.values())
    assert all(epoch for found in reached.values() for _, epoch in found.values())  # all came so far
    training = shadow.together.Training(MODEL, X, Y, plain, key=KEY, membership=rows, ids=IDS)
    history = []
    while training.epochs < longest:
        training.advance()
        history.append(training.result().variables)
    for index in IDS:
        values = [slow_gap(model(variables, index), rows[index]) for variables in history]
        for gap in GAPS:
            first = next(epoch for epoch, value in enumerate(values) if value >= gap - 1e-6)
            value, epoch = reached[index][gap]
            assert epoch == first + 1
            np.testing.assert_allclose(value, values[first], rtol=1e-5)
            want = model(history[first], index)
            jax.tree.map(
                lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
                model(at[gap].variables, index),
                want,
            )


def test_company_does_not_decide_when_a_model_stops(directory):
    rows = np.asarray(members(IDS))
    together = train_ensemble(MODEL, X, Y, CONFIG, key=KEY, membership=rows, ids=IDS)
    assert_same_bits(shadow.load(directory), together)
    alone = train_ensemble(MODEL, X, Y, CONFIG, key=KEY, membership=rows[3:4], ids=IDS[3:4])
    assert_same_bits(model(alone, slice(0, 1)), model(together, slice(3, 4)))
    assert alone.history.loss.shape == (1, 60)
    assert (alone.history.loss[0, -10:] == alone.history.loss[0, -1]).all()  # it had stopped


def test_training_ends_when_all_have_stopped(tmp_path):
    epochs = []
    train(tmp_path, IDS, config=CONFIG, on_epoch=lambda now: epochs.append(now.epoch))
    assert len(epochs) == max(found[0.3][1] for found in shadow.gaps(tmp_path).values()) < 60


def test_a_gap_never_reached_keeps_the_last_model(tmp_path):
    config = TrainConfig(epochs=2, batch_size=8, learning_rate=1e-6, stop_at_gap=(0.9,))
    train(tmp_path, IDS[:2], config=config)
    assert all(found[0.9][1] == 0 for found in shadow.gaps(tmp_path).values())
    plain = TrainConfig(epochs=2, batch_size=8, learning_rate=1e-6)
    want = train_ensemble(MODEL, X, Y, plain, key=KEY, membership=np.asarray(members(IDS[:2])), ids=IDS[:2])
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6),
        shadow.load(tmp_path).variables,
        want.variables,
    )
