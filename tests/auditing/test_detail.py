"""Fixed thresholds, parts of the points and bounds on epsilon, of scores whose leakage was planted."""

import types

import jax
import numpy as np
import pytest

from leakjax.auditing import detail, rows
from leakjax.auditing.judge import Judge
from leakjax.auditing.subject import Subject
from tests.auditing.world import MODELS, POINTS, logits_fn

LEAK = 2.0


@pytest.fixture(scope="module")
def results(ensemble, points):
    """Predictions that say nothing; explanations that say who is a member, of the first class alone."""
    of = (ensemble.variables, ensemble.ids, points, ensemble.membership, np.arange(MODELS), jax.random.key(0))
    subject = Subject(logits_fn, *of)
    generator = np.random.default_rng(0)
    predictions = types.SimpleNamespace(
        correct=generator.random((MODELS, POINTS)) < 0.7, signal=generator.normal(size=(MODELS, POINTS))
    )
    sitting = rows.Sitting(subject, predictions, None, Judge(subject, seed=0))
    noise = generator.normal(size=(2, *ensemble.membership.shape))
    both = noise[1] + LEAK * (ensemble.membership & (points.y == 0)[None])
    found = rows.Found(
        prediction=np.stack([noise[0]] * 3),
        explanation=noise[1],
        both=np.stack([both] * 3),
        valid=np.ones(both.shape, bool),
        log_l1=noise[0],
        change=np.ones((POINTS, 3)),
        non_finite=np.asarray(0),
        examples=np.zeros((0, 2)),
    )
    about = rows.explained("one", None, "none", subject)
    return {("one", "none"): rows.Result(sitting, found, about)}


def test_a_threshold_of_the_shadows_gives_about_the_alarms_that_it_is_set_for(results):
    found = detail.operating(results)
    assert [(row.view, row.release) for row in found] == [
        (view, release) for release in ("label", "confidence(1)", "vector") for view in ("prediction", "both")
    ]
    for row in found:
        assert row.aimed == "0.01"
        # Some 45 non-members of each of 18 targets.
        assert row.fpr.value == pytest.approx(0.01, abs=0.01)
        caught, alarms = row.tpr.value, row.fpr.value
        if row.view == "prediction":
            assert caught == pytest.approx(0.01, abs=0.015)
        else:
            assert caught > 5 * alarms
            assert row.precision["0.1"].value > row.precision["0.01"].value


def test_the_part_that_leaks_is_named(results, points):
    found = detail.parts(results)
    both = {(row.by, row.level): row for row in found if row.view == "both"}
    assert both["class", "0"].tpr.low > both["class", "1"].tpr.high
    assert both["class", "0"].share == pytest.approx(np.mean(points.y == 0), abs=0.02)
    assert {level for by, level in both if by == "correctness"} == {"right", "wrong"}
    assert {level for by, level in both if by == "loss"} == {f"{place} of 5" for place in range(1, 6)}
    for by in ("class", "correctness", "loss"):
        assert sum(row.share for (of, _), row in both.items() if of == by) == pytest.approx(1)
    assert {row.release for row in found} == {"label"}


def test_epsilon_is_shown_by_what_leaks_and_not_by_what_does_not(results):
    alone, both = detail.epsilon(results, delta=0.0)
    assert (alone.view, both.view) == ("prediction", "both")
    # Of few points a training run shows little: with 20 guesses, 20 right ones would show about 1.8.
    assert alone.over_points.value < 0.2 < both.over_points.value
    assert (both.guesses, both.models) == (20, MODELS // 2)
    assert alone.over_models < 1.0


def test_a_report_holds_them_for_every_explanation_and_defense(report):
    assert len(report.operating) == 3 * (1 + 9)
    assert len(report.epsilon) == 1 + 9
    assert {row.by for row in report.parts} == {"class", "correctness", "loss"}
