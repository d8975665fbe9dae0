"""Regressions of leakage on measured properties, and what each says of a sweep that it did not see."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from leakjax.evaluate.document import Estimate
from leakjax.evaluate.headline import unique
from leakjax.papers.root_cause.document import OUTCOMES, CaseRow, CheckRow, EffectRow, Outcome, TrendRow

DRAWS = 2000
TWO = ("sparsity", "sensitivity")
# What the regressions hold beside the two properties that DeepLeak names, by the words that say it.
ACCOUNTED: dict[str, tuple[str, ...]] = {
    "nothing": (),
    "predicted class and confidence": ("label", "vector"),
    "predicted class, confidence and gap": ("label", "vector", "gap"),
    "all of these, and what maps tell": ("label", "vector", "gap", "distinctness", "carried_confidence"),
}


class Fit(NamedTuple):
    """An ordinary least squares fit.

    Attributes:
      effects: [properties], points of AUC per standard deviation of each.
      explained: R^2.
    """

    effects: np.ndarray
    explained: float


def effects(cases: Sequence[CaseRow], *, seed: int) -> list[EffectRow]:
    """Coefficients of every regression, with intervals by resampling whole sweeps.

    Args:
      cases: every setting; those with a property that is not finite are left out.
      seed: of the bootstrap.
    """
    rows: list[EffectRow] = []
    cases = distinct(cases)
    for outcome in OUTCOMES:
        for words, also in ACCOUNTED.items():
            names = (*TWO, *also)
            x, y, clusters = _arrays(cases, names, outcome)
            if len(y) < len(names) + 3:
                continue
            fit = fitted(x, y)
            drawn = _bootstrap(x, y, clusters, seed)
            for place, name in enumerate(names):
                low, high = np.nanquantile(drawn[:, place], [0.025, 0.975])
                value = float(fit.effects[place])
                rows.append(
                    EffectRow(
                        outcome=outcome,
                        accounted=words,
                        property=name,
                        effect=Estimate(value, min(float(low), value), max(float(high), value)),
                        settings=len(y),
                        explained_variance=fit.explained,
                    )
                )
    return rows


def distinct(cases: Sequence[CaseRow]) -> list[CaseRow]:
    """The settings, each once: the one from which all sweeps depart stands in many of them."""
    found: dict[tuple[float, ...], CaseRow] = {}
    for case in cases:
        found.setdefault(_measured(case), case)
    return list(found.values())


def _measured(case: CaseRow) -> tuple[float, ...]:
    """What was measured of a setting: the same where two settings are the same under two names."""
    return (case.alone.value, case.label.value, case.sparsity, case.sensitivity, case.gap)


def fitted(x: np.ndarray, y: np.ndarray) -> Fit:
    """Least squares with an intercept, on standardised properties.

    Args:
      x: [settings, properties].
      y: [settings].
    """
    spread = x.std(axis=0)
    scaled = (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    design = np.column_stack([np.ones(len(y)), scaled])
    found, *_ = np.linalg.lstsq(design, y, rcond=None)
    rest = y - design @ found
    total = ((y - y.mean()) ** 2).sum()
    return Fit(found[1:], float(1 - (rest @ rest) / total) if total > 0 else 0.0)


def _bootstrap(x: np.ndarray, y: np.ndarray, clusters: np.ndarray, seed: int) -> np.ndarray:
    """Effects of resamples of whole clusters: [draws, properties], per standard deviation of the whole."""
    generator = np.random.default_rng(seed)
    names = np.unique(clusters)
    members = [np.flatnonzero(clusters == name) for name in names]
    spread = x.std(axis=0)
    scaled = (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    drawn = np.full((DRAWS, x.shape[1]), np.nan)
    for draw in range(DRAWS):
        rows = np.concatenate([members[i] for i in generator.integers(0, len(names), len(names))])
        if len(np.unique(rows)) > x.shape[1] + 1:
            design = np.column_stack([np.ones(len(rows)), scaled[rows]])
            found, *_ = np.linalg.lstsq(design, y[rows], rcond=None)
            drawn[draw] = found[1:]
    return drawn


def checks(cases: Sequence[CaseRow]) -> list[CheckRow]:
    """The regression of the AUC alone on sparsity and sensitivity, fitted without a sweep and held against it."""
    rows = []
    for trend in trends(cases):
        own = {_measured(case) for case in cases if case.sweep == trend.sweep}
        others = distinct([case for case in cases if _measured(case) not in own])
        x, y, _ = _arrays(others, TWO, "alone")
        if len(y) < 5 or not np.isfinite([trend.sparsity, trend.sensitivity]).all():
            continue
        slopes = fitted(x, y).effects / np.maximum(x.std(axis=0), 1e-12)
        predicted = float(slopes @ np.array([trend.sparsity, trend.sensitivity]))
        seen = Estimate(100 * trend.alone.value, 100 * trend.alone.low, 100 * trend.alone.high)
        inside = seen.low <= predicted <= seen.high
        rows.append(CheckRow(sweep=trend.sweep, predicted=predicted, seen=seen, agrees=bool(inside)))
    return rows


def trends(cases: Sequence[CaseRow]) -> list[TrendRow]:
    """What changes from the first setting of a sweep to its last; methods have no order and no trend."""
    rows = []
    for sweep in unique(case.sweep for case in cases):
        own = sorted((case for case in cases if case.sweep == sweep), key=lambda case: case.place)
        if len(own) < 2 or sweep == "method":
            continue
        first, last = own[0], own[-1]
        rows.append(
            TrendRow(
                sweep=sweep,
                first=first.setting,
                last=last.setting,
                sparsity=last.sparsity - first.sparsity,
                sensitivity=last.sensitivity - first.sensitivity,
                alone=difference(last.alone, first.alone),
                label=difference(last.label, first.label),
                beside_label=difference(last.beside_label, first.beside_label),
            )
        )
    return rows


def difference(one: Estimate, other: Estimate) -> Estimate:
    """A difference whose interval takes the two for independent, as those of different models are.

    Two settings of the same models vary together, so that of them the interval is too wide and never too narrow.
    """
    value = one.value - other.value
    below = float(np.hypot(one.value - one.low, other.high - other.value))
    above = float(np.hypot(one.high - one.value, other.value - other.low))
    return Estimate(value, value - below, value + above)


def _arrays(
    cases: Sequence[CaseRow], names: Sequence[str], outcome: Outcome
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Properties [settings, names], the outcome in points of AUC and the sweep of each setting."""
    value = lambda one: one.value if isinstance(one, Estimate) else one
    x = np.array([[value(getattr(case, name)) for name in names] for case in cases], float)
    x = x.reshape(len(cases), len(names))  # also of no case at all
    y = np.array([100 * getattr(case, outcome).value for case in cases])
    there = np.isfinite(x).all(axis=1) & np.isfinite(y)
    return x[there], y[there], np.array([case.sweep for case in cases])[there]
