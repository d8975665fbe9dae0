import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.influence.exact import LOSSES
from leakjax.oracle import stateless
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
    asked = offer(service, released, key=key, loss=loss)
    holding = offer(service, released, key=key, loss=loss, written=False, hold=True)
    x, y = task(9, 6, seed=5)
    np.testing.assert_allclose(holding.ask(x, y).values, asked.ask(x, y).values, atol=1e-12)
    plain, held = asked.frame(), holding.frame()
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
        for ours, theirs in zip(parts[:3], whole[:3], strict=True):
            assert (ours is None) == (theirs is None)
            if theirs is not None:
                np.testing.assert_allclose(ours, theirs, atol=1e-14)
        assert parts.action.tolist() == ["answered"] * 9
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


def test_a_monitor_without_state_refuses_and_refusals_are_counted(service, key):
    asked = offer(service, RecordPart(k=2), key=key, monitor=stateless(lambda x: x[0] > 0))
    x, _ = task(9, 6, seed=5)
    answer = asked.ask(x)
    refused = x[:, 0] > 0
    assert 0 < refused.sum() < 9
    assert (asked.queries, asked.refused) == (9, refused.sum())
    assert (answer.answered == ~refused).all()
    assert (np.isnan(answer.prediction) == refused).all()
    assert (np.isnan(answer.values).all(axis=1) == refused).all()
    assert ((answer.records == -1).all(axis=1) == refused).all()


def test_a_budget_counts_one_query_for_each_label_and_then_refuses(service, key):
    asked = offer(service, RecordPart(k=2), key=key, budget=5)
    x, _ = task(4, 6, seed=5)
    both = asked.ask(np.repeat(x, 2, axis=0), np.tile([0, 1], 4))
    assert both.action.tolist() == ["answered"] * 5 + ["refused"] * 3
    assert (asked.queries, asked.explained, asked.refused, asked.remaining) == (8, 8, 3, 0)
    np.testing.assert_allclose(both.values[0], -both.values[1], atol=1e-12)  # of either label, by probability
    with pytest.raises(UsageError, match="budget=0: must be at least 1 query"):
        offer(service, RecordPart(k=2), key=key, budget=0)


def test_a_query_for_the_prediction_alone_is_told_no_record(service, key):
    asked = offer(service, RecordPart(k=2), key=key)
    x, _ = task(4, 6, seed=5)
    plain, explained = asked.ask(x, plain=True), asked.ask(x)
    assert (plain.prediction == explained.prediction).all()
    assert plain.records.shape == (4, 0)
    assert plain.values is None
    assert (asked.plain, asked.explained) == (4, 4)


def test_a_coarse_answer_is_a_label_and_one_record(service, key):
    x, _ = task(9, 6, seed=5)
    usual = offer(service, RecordPart(k=3), key=key).ask(x)
    alarm = stateless(lambda x: x[0] > 0)
    coarse = offer(service, RecordPart(k=3), key=key, monitor=alarm, on_alarm="coarsen").ask(x)
    rows = x[:, 0] > 0
    assert (coarse.action == np.where(rows, "coarsened", "answered")).all()
    assert (coarse.prediction[rows] == (usual.prediction[rows] > 0.5)).all()
    assert (coarse.records[rows] == usual.records[rows] * [1, 0, 0] - [0, 1, 1]).all()
    assert np.isnan(coarse.values[rows]).all()
    for ours, theirs in zip(coarse[:3], usual[:3], strict=True):
        assert (ours[~rows] == theirs[~rows]).all()


def test_holding_is_refused_where_it_would_not_be_exact(service, key):
    for released, watched in (
        (RecordPart(k=2), {"written": False}),
        (RecordPart(k=1, noise=1.0), {"written": False}),
        (RecordPart(k=1, exclude_self=True), {"written": False}),
        (RecordPart(k=1), {"written": True}),
        (RecordPart(k=1), {"written": False, "monitor": stateless(lambda x: x[0] > 0)}),
    ):
        with pytest.raises(UsageError, match="hold=True"):
            offer(service, released, key=key, hold=True, **watched)
    with pytest.raises(UsageError, match="k=61"):
        offer(service, RecordPart(k=61), key=key)
    with pytest.raises(UsageError, match="loss='hinge'"):
        offer(service, RecordPart(k=1), key=key, loss="hinge")
