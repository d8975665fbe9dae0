"""From rows of single models to rows of the report, with intervals over targets and target models."""

from collections.abc import Mapping, Sequence

import numpy as np

from leakjax.evaluate.document import Estimate
from leakjax.inversion.document import AttackRow
from leakjax.inversion.row import Raw

RESAMPLES = 400
_NAMES = ("attack", "setting", "guard", "measure")


def summarise(measured: Sequence[Raw], *, seed: int) -> list[AttackRow]:
    """The rows of a report, in the order in which they first came.

    Args:
      measured: rows of all models.
      seed: of the resamples.
    """
    by_name: dict[tuple[str, ...], list[Raw]] = {}
    for each in measured:
        by_name.setdefault(tuple(each[name] for name in _NAMES), []).append(each)
    return [_row(dict(zip(_NAMES, names, strict=True)), rows, seed) for names, rows in by_name.items()]


def _row(names: Mapping[str, str], rows: Sequence[Raw], seed: int) -> AttackRow:
    found = [np.array(each["found"]) for each in rows]

    def of(column: str) -> list[np.ndarray] | None:
        values = [each[column] for each in rows]
        return None if any(value is None for value in values) else [np.array(value) for value in values]

    def estimated(values: list[np.ndarray] | None) -> Estimate | None:
        return None if values is None else interval(values, seed=seed)

    baseline = of("baseline")
    margin = (
        None if baseline is None else [ours - theirs for ours, theirs in zip(found, baseline, strict=True)]
    )
    return AttackRow(
        **names,
        found=interval(found, seed=seed),
        baseline=estimated(baseline),
        margin=estimated(margin),
        control=estimated(of("control")),
        ceiling=estimated(of("ceiling")),
        explained=float(np.mean([each["explained"] for each in rows])),
        plain=float(np.mean([each["plain"] for each in rows])),
        models=len(rows),
        targets=sum(map(len, found)),
    )


def interval(values: Sequence[np.ndarray], *, seed: int) -> Estimate:
    """The mean over models of the mean over their targets, with its 95 % interval.

    Models are drawn with replacement, then targets within each: what other models and other targets would show.

    Args:
      values: of each model, [targets].
      seed: of the resamples.
    """
    generator = np.random.default_rng(seed)
    models = len(values)

    def resampled() -> float:
        chosen = generator.integers(models, size=models)
        return float(
            np.mean(
                [values[i][generator.integers(len(values[i]), size=len(values[i]))].mean() for i in chosen]
            )
        )

    value = float(np.mean([np.mean(each) for each in values]))
    draws = np.array([resampled() for _ in range(RESAMPLES)])
    low, high = np.quantile(draws, [0.025, 0.975])
    return Estimate(value, float(min(low, value)), float(max(high, value)), error=float(draws.std()))
