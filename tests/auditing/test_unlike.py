"""A target that its shadows do not stand for is named, with the figure; models of one recipe are not."""

from types import SimpleNamespace

import numpy as np
import pytest

from leakjax.auditing.unlike import LEAST_MODELS, unlike

MODELS, POINTS = 32, 400


@pytest.fixture
def recipe():
    """What models of one recipe say: sitting and results, whose arrays a test may change."""
    rng = np.random.default_rng(0)
    membership = rng.random((MODELS, POINTS)) < 0.5
    subject = SimpleNamespace(
        models=MODELS, targets=np.arange(MODELS), model_ids=100 + np.arange(MODELS), membership=membership
    )
    predictions = SimpleNamespace(
        correct=rng.random((MODELS, POINTS)) < 0.8 + 0.2 * membership,
        signal=rng.normal(size=membership.shape),
    )
    found = SimpleNamespace(log_l1=rng.normal(size=membership.shape))
    results = {("gradient", "none"): (None, found, None), ("gradient", "sign"): (None, None, None)}
    return SimpleNamespace(subject=subject, predictions=predictions), results, found


def test_models_of_one_recipe_are_alike(recipe):
    sitting, results, _ = recipe
    assert unlike(sitting, results) == []


def of_size(sitting, found):
    sitting.subject.membership[7, :260] = False


def less_accurate(sitting, found):
    sitting.predictions.correct[7] = sitting.predictions.correct[7] & (np.arange(POINTS) % 2 == 0)


def surer(sitting, found):
    sitting.predictions.signal[7] += 2


def with_larger_maps(sitting, found):
    found.log_l1[7] += 2


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (of_size, "audited records that it was trained on"),
        (less_accurate, "accuracy on audited records"),
        (surer, "typical log-odds of the class"),
        (with_larger_maps, "typical log 1-norm of gradient"),
    ],
)
def test_a_model_of_another_recipe_is_named_with_the_figure(recipe, change, what):
    sitting, results, found = recipe
    change(sitting, found)
    (row,) = unlike(sitting, results)
    assert (row.model, row.what) == (107, what)
    assert not row.least <= row.value <= row.most


def test_a_shadow_of_another_recipe_hides_nobody_but_is_not_named(recipe):
    sitting, results, found = recipe
    sitting.subject.targets = np.arange(7)
    surer(sitting, found)
    assert unlike(sitting, results) == []


def test_two_odd_targets_do_not_hide_each_other(recipe):
    sitting, results, _ = recipe
    sitting.subject.targets = np.array([7, 8])
    sitting.predictions.signal[[7, 8]] += 2
    assert [row.model for row in unlike(sitting, results)] == [107, 108]


def test_what_a_model_does_not_say_is_not_compared(recipe):
    sitting, results, found = recipe
    found.log_l1[7] = np.nan
    found.log_l1[8, 0] = -np.inf
    assert unlike(sitting, results) == []


def test_of_few_models_nothing_is_said(recipe):
    sitting, results, found = recipe
    surer(sitting, found)
    sitting.subject.models = LEAST_MODELS - 1
    assert unlike(sitting, results) == []
