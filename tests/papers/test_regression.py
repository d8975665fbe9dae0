"""Regressions find what was planted in constructed settings, and nothing once its cause is accounted for."""

import dataclasses

import numpy as np
import pytest

from leakjax.evaluate.document import Estimate
from leakjax.papers.root_cause import regression
from leakjax.papers.root_cause.claims import of_analysis
from leakjax.papers.root_cause.document import CaseRow

CASE = CaseRow(
    sweep="a",
    setting="1",
    place=0,
    explainer="gradient",
    defense="none",
    explained_class="predicted",
    dataset="d",
    model="m",
    points=10,
    targets=3,
    sparsity=0.5,
    sensitivity=0.0,
    distinctness=1.0,
    carried_confidence=0.1,
    gap=0.1,
    accuracy=0.9,
    confidence=0.9,
    alone=Estimate(0.0, 0.0, 0.0),
    label=Estimate(0.0, 0.0, 0.0),
    vector=Estimate(0.0, 0.0, 0.0),
    beside_label=Estimate(0.0, 0.0, 0.0),
    beside_vector=Estimate(0.0, 0.0, 0.0),
    alone_tpr=Estimate(0.0, 0.0, 0.0),
    label_tpr=0.0,
    beside_label_tpr=Estimate(0.0, 0.0, 0.0),
)


def exact(value):
    return Estimate(value, value - 0.001, value + 0.001)


def settings(leak, *, seed=0, sweeps=20, each=4):
    """Settings whose sparsity follows the label's leakage, and whose own leakage is what `leak` says of both."""
    rng = np.random.default_rng(seed)
    found = []
    for sweep in range(sweeps):
        for place in range(each):
            label, noise = rng.normal(), rng.normal()
            sparsity, sensitivity = label + 0.5 * noise, rng.normal()
            alone = leak(label, sparsity, sensitivity) + 0.02 * rng.normal()
            found.append(
                dataclasses.replace(
                    CASE,
                    sweep=f"sweep {sweep}",
                    setting=f"{place}",
                    place=place,
                    sparsity=sparsity,
                    sensitivity=sensitivity,
                    gap=rng.normal(),
                    distinctness=rng.normal(),
                    carried_confidence=rng.normal(),
                    label=exact(label),
                    vector=exact(rng.normal()),
                    alone=exact(alone),
                )
            )
    return found


def effect(rows, accounted, name, outcome="alone"):
    return next(
        row for row in rows if (row.accounted, row.property, row.outcome) == (accounted, name, outcome)
    )


def test_effects_are_those_of_least_squares_per_standard_deviation():
    cases = settings(lambda label, sparsity, sensitivity: 0.3 * sparsity - 0.2 * sensitivity)
    rows = regression.effects(cases, seed=0)
    x = np.array([[case.sparsity, case.sensitivity] for case in cases])
    y = 100 * np.array([case.alone.value for case in cases])
    design = np.column_stack([np.ones(len(y)), (x - x.mean(0)) / x.std(0)])
    expected = np.linalg.inv(design.T @ design) @ design.T @ y
    for name, value in zip(("sparsity", "sensitivity"), expected[1:], strict=True):
        row = effect(rows, "nothing", name)
        assert row.effect.value == pytest.approx(value, rel=1e-9)
        assert row.effect.low < value < row.effect.high
        assert row.settings == len(cases)
        assert row.explained_variance > 0.95


def test_a_confounded_property_loses_its_effect_once_the_cause_is_accounted_for():
    rows = regression.effects(settings(lambda label, sparsity, sensitivity: 0.3 * label), seed=0)
    assert effect(rows, "nothing", "sparsity").effect.low > 0
    beside = effect(rows, "predicted class and confidence", "sparsity").effect
    assert beside.low < 0 < beside.high
    assert effect(rows, "predicted class and confidence", "label").effect.low > 0


def test_a_property_that_drives_keeps_its_effect():
    rows = regression.effects(settings(lambda label, sparsity, sensitivity: 0.3 * sparsity), seed=0)
    for accounted in regression.ACCOUNTED:
        assert effect(rows, accounted, "sparsity").effect.low > 0
        quiet = effect(rows, accounted, "sensitivity").effect
        assert quiet.low < 0.5
        assert abs(quiet.value) < 1


def test_a_setting_that_stands_in_many_sweeps_counts_once():
    cases = settings(lambda label, sparsity, sensitivity: 0.3 * sparsity)
    again = [dataclasses.replace(cases[0], sweep=f"other {i}") for i in range(30)]
    assert regression.distinct([*cases, *again]) == cases
    assert regression.effects([*cases, *again], seed=0) == regression.effects(cases, seed=0)


def test_one_sweep_alone_gives_its_trend_and_nothing_is_foretold():
    few = settings(lambda label, sparsity, sensitivity: sparsity, sweeps=1, each=2)
    assert regression.checks(few) == regression.effects(few, seed=0) == []
    assert len(regression.trends(few)) == 1


def test_a_sweep_is_foretold_by_a_law_that_holds_everywhere_and_not_by_one_that_it_breaks():
    cases = settings(lambda label, sparsity, sensitivity: 0.3 * sparsity)
    checks = {check.sweep: check for check in regression.checks(cases)}
    for name, check in checks.items():
        own = [case for case in cases if case.sweep == name]
        moved = 30 * (own[-1].sparsity - own[0].sparsity)
        assert check.predicted == pytest.approx(moved, abs=2)
        assert check.seen.value == pytest.approx(100 * (own[-1].alone.value - own[0].alone.value))
    broken = [
        dataclasses.replace(case, alone=exact(-0.3 * case.sparsity)) if case.sweep == "sweep 3" else case
        for case in cases
    ]
    check = next(check for check in regression.checks(broken) if check.sweep == "sweep 3")
    assert not check.agrees


def test_a_trend_goes_from_the_first_setting_to_the_last_with_the_errors_of_both():
    first = dataclasses.replace(CASE, place=0, setting="few", alone=Estimate(0.1, 0.07, 0.14))
    last = dataclasses.replace(CASE, place=2, setting="many", alone=Estimate(0.3, 0.26, 0.33), sparsity=0.7)
    between = dataclasses.replace(CASE, place=1, alone=Estimate(0.9, 0.9, 0.9))
    (trend,) = regression.trends([last, first, between])
    assert (trend.first, trend.last) == ("few", "many")
    assert trend.sparsity == pytest.approx(0.2)
    assert trend.alone.value == pytest.approx(0.2)
    assert trend.alone.low == pytest.approx(0.2 - np.hypot(0.04, 0.04))
    assert trend.alone.high == pytest.approx(0.2 + np.hypot(0.03, 0.03))
    method = [dataclasses.replace(CASE, sweep="method", place=place) for place in range(3)]
    assert regression.trends(method) == []  # methods have no order


def test_a_claim_agrees_where_the_interval_leaves_out_nothing():
    for leak, says in (
        (lambda label, sparsity, sensitivity: 0.3 * sparsity, "agrees"),
        (lambda label, sparsity, sensitivity: 0.3 * label, "disagrees"),
    ):
        claims = of_analysis(regression.effects(settings(leak), seed=0), [])
        told = {claim.what: claim.says for claim in claims}
        name = "sparsity drives leakage, over all settings, accounted for: predicted class and confidence"
        assert told[name] == says
