import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.influence.exact import LOSSES
from leakjax.records.oracle import offer
from leakjax.records.part import RecordPart
from tests.influence.conftest import task


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    "released",
    [
        RecordPart(k=1),
        RecordPart(k=1, values="magnitude"),
        RecordPart(k=1, digits=3),
        RecordPart(k=1, clip=1e-3),
    ],
)
def test_a_held_frame_gives_the_answers_of_the_plain_one(service, key, released, loss):
    plain = offer(service, released, key=key, loss=loss).frame()
    held = offer(service, released, key=key, loss=loss, hold=True).frame()
    rng = np.random.default_rng(0)
    while plain.axes > 2:
        u = rng.standard_normal((4, plain.axes))
        axes, steps = np.array([0, plain.axes - 1]), np.array([0.5, -0.25])
        for ours, theirs in (
            (held.ask(u), plain.ask(u)),
            (held.probe(u[0], axes, steps), plain.probe(u[0], axes, steps)),
        ):
            np.testing.assert_allclose(ours.prediction, theirs.prediction, atol=1e-12)
            assert (ours.records == theirs.records).all()
            np.testing.assert_allclose(ours.values, theirs.values, atol=1e-12)
        reflector = rng.standard_normal(plain.axes)
        reflector /= np.linalg.norm(reflector)
        plain.restrict(reflector, 0.3)
        held.restrict(reflector, 0.3)


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_an_answer_holds_the_largest_changes_of_the_loss(service, key, loss, labelled):
    x, y = task(9, 6, seed=5)
    answer = offer(service, RecordPart(k=3), key=key, loss=loss).ask(x, y if labelled else None)
    design = np.concatenate([x, np.ones((9, 1))], axis=1)
    for row, query in enumerate(design):
        chances = 1 / (1 + np.exp(-np.append(service.without.theta, [service.model.theta], axis=0) @ query))
        wrong = 1 - chances if labelled and y[row] else chances
        losses = wrong if loss == "probability" else -np.log(1 - wrong)
        change = losses[:-1] - losses[-1]
        expected = np.argsort(-np.abs(change))[:3]
        assert answer.records[row].tolist() == expected.tolist()
        np.testing.assert_allclose(answer.values[row], change[expected], atol=1e-12)
        assert answer.prediction[row] == pytest.approx(chances[-1])


def test_many_queries_are_answered_in_parts(service, key, monkeypatch):
    x, y = task(9, 6, seed=5)
    for released in (RecordPart(k=2), RecordPart(k=2, values="none"), RecordPart(k=2, noise=0.1)):
        asked = offer(service, released, key=key)
        whole = asked.ask(x, y)
        with monkeypatch.context() as patch:
            patch.setattr("leakjax.records.oracle.CHUNK", 4)
            parts = asked.ask(x, y)
        for ours, theirs in zip(parts, whole, strict=True):
            assert (ours is None) == (theirs is None)
            if theirs is not None:
                np.testing.assert_allclose(ours, theirs, atol=1e-14)
        assert asked.queries == 18


def test_probing_moves_along_the_axes_of_an_orthonormal_frame(service, key):
    asked = offer(service, RecordPart(k=2), key=key)
    frame = asked.frame()
    v = np.array([3.0, 0, 4.0, 0, 0, 0]) / 5
    frame.restrict(v, 0.7)
    basis = (np.eye(6) - 2 * np.outer(v, v))[1:]
    origin = 0.7 * (np.eye(6) - 2 * np.outer(v, v))[0]
    u = np.arange(5.0) / 10
    expected = asked.ask(origin + u @ basis + 0.1 * basis[[1, 3]])
    answer = frame.probe(u, np.array([1, 3]), np.array([0.1, 0.1]))
    np.testing.assert_allclose(answer.values, expected.values, atol=1e-13)


def test_queries_and_refusals_are_counted(service, key):
    asked = offer(service, RecordPart(k=2), key=key, refuse=lambda x: x[:, 0] > 0)
    x, _ = task(9, 6, seed=5)
    answer = asked.ask(x)
    refused = x[:, 0] > 0
    assert (asked.queries, asked.refused) == (9, refused.sum())
    assert (np.isnan(answer.prediction) == refused).all()
    assert ((answer.records == -1).all(axis=1) == refused).all()


def test_holding_is_refused_where_it_would_not_be_exact(service, key):
    for released in (RecordPart(k=2), RecordPart(k=1, noise=1.0), RecordPart(k=1, exclude_self=True)):
        with pytest.raises(UsageError, match="hold=True"):
            offer(service, released, key=key, hold=True)
    with pytest.raises(UsageError, match="k=61"):
        offer(service, RecordPart(k=61), key=key)
    with pytest.raises(UsageError, match="loss='hinge'"):
        offer(service, RecordPart(k=1), key=key, loss="hinge")
