"""Leakage by the number of models: the same targets, ever more shadows."""

import dataclasses

import jax
import numpy as np
import pytest

import leakjax
from leakjax._validate import UsageError
from leakjax.auditing import Budget, Run
from leakjax.auditing.shadows import check_counts, of_models
from leakjax.auditing.subject import Subject
from tests.auditing.world import EXPLAINERS, MODELS, logits_fn


def test_fewer_models_are_the_first_ones_with_the_same_targets(ensemble, points):
    of = (ensemble.variables, ensemble.ids, points, ensemble.membership, np.arange(MODELS), jax.random.key(0))
    subject = Subject(logits_fn, *of)
    few, more = of_models(subject, 9), of_models(subject, 16)
    np.testing.assert_array_equal(few.targets, more.targets)
    np.testing.assert_array_equal(few.membership, ensemble.membership[:9])
    np.testing.assert_array_equal(few.variables["w"], ensemble.variables["w"][:9])
    assert few.explained_by is None
    answering = dataclasses.replace(subject, explained_by=ensemble.variables)
    assert len(of_models(answering, 9).explained_by["w"]) == 9


def test_numbers_of_models_that_there_are_not_are_refused():
    assert check_counts([16, 8, 16], 32) == [8, 16]
    for count in (7, 33):
        with pytest.raises(UsageError, match=rf"model_counts={count}.*between 8 and the 32 models"):
            check_counts([count], 32)


@pytest.mark.slow
def test_the_report_has_a_row_for_each_number_and_all_models_say_what_the_audit_says(ensemble, points):
    stages = []
    report = leakjax.audit(
        logits_fn,
        ensemble,
        points,
        explainers={"leaky": EXPLAINERS["leaky"]},
        attacks=["stacked"],
        targets=range(8),
        key=jax.random.key(7),
        budget=Budget(model_counts=(8, MODELS)),
        run=Run(say=stages.append),
    )
    assert "models" in stages
    few, every = report.shadows
    assert (few.models, every.models, every.targets) == (8, MODELS, 8)
    rows = {row.view: row for row in report.leakage if row.release in ("label", "none")}
    for view in ("prediction", "explanation", "both"):
        whole = rows[view].tpr_at_fpr[rows[view].headline_fpr]
        assert getattr(every, view).value == pytest.approx(whole.value, abs=1e-9)
    assert every.both.value >= few.both.value - 0.05
    assert few.margin.value > 0.5
