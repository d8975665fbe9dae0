"""What Shokri, Strobel & Zick claim of dimensions and of sampling, beside a study."""

from collections.abc import Sequence

from leakjax.evaluate.document import Estimate
from leakjax.papers.claim import Claim, Says
from leakjax.papers.dimensions.document import DimensionRow, SampledRow

_PAPER = "Shokri, Strobel & Zick (arXiv 1907.00164)"
# The paper's own setting; elsewhere the places of its curves are others.
_POINTS, _EPOCHS, _BASE = 20_000, 100, "base"
# What "almost no correlation" may be at most, and "a correlation" at least.
_NONE = 0.1


def of_study(rows: Sequence[DimensionRow], sampled: Sequence[SampledRow], *, epochs: int) -> list[Claim]:
    """Every claim for which the study has the rows.

    Args:
      rows: of all settings.
      sampled: of the explanations made of samples.
      epochs: of training.
    """
    found = [claim for classes in (2, 100) for claim in _of_curve(rows, classes, epochs)]
    return [*found, *_of_capacity(rows), *_of_sampling(sampled)]


def _of_curve(rows: Sequence[DimensionRow], classes: int, epochs: int) -> list[Claim]:
    own = sorted(
        (one for one in rows if (one.classes, one.size) == (classes, _BASE)), key=lambda one: one.features
    )
    comparable = all(one.points == _POINTS for one in own) and epochs == _EPOCHS

    def claim(what: str, paper: str, row: DimensionRow, ours: Estimate, holds: bool, why: str) -> Claim:
        says: Says = "agrees" if holds else "disagrees"
        at = f"{row.features} features, {row.points:,} points"
        return Claim(
            source=f"{_PAPER}, figure 5",
            what=f"{what}, {classes} classes",
            paper=paper,
            ours=ours,
            unit="",
            says=says if comparable else "not comparable",
            why=f"{why}; {at}" + ("" if comparable else "; the paper has 20,000 points and 100 epochs"),
        )

    few = [one for one in own if one.features <= 100]
    middle = [one for one in own if 1000 <= one.features <= 10_000]
    found = []
    if few:
        row = max(few, key=_strength)
        ours = _magnitude(row.norm)
        what = "no correlation of the 1-norm with membership up to 100 features"
        why = f"the largest magnitude; agrees below {_NONE}"
        found.append(claim(what, "almost none", row, ours, ours.value < _NONE, why))
    if middle:
        row = max(middle, key=_strength)
        ours = _magnitude(row.norm)
        what = "a correlation between 1,000 and 10,000 features"
        why = f"the largest magnitude; agrees from {_NONE} on where its interval leaves out 0"
        found.append(claim(what, "there is one", row, ours, ours.low > 0 and ours.value >= _NONE, why))
    if few and classes == 2:
        row = few[0]
        high = row.test_accuracy.value > 0.95
        found.append(
            claim("test accuracy", "almost 100 %", row, row.test_accuracy, high, "agrees above 0.95")
        )
    if middle and classes == 2:
        row = own[-1]
        falls = row.train_accuracy.high < 0.99
        what, why = (
            "training accuracy drops from 1,000 features on",
            "agrees where its interval is below 0.99",
        )
        found.append(claim(what, "drops", row, row.train_accuracy, falls, why))
    if own and classes > 2:
        row = max(own, key=lambda one: one.test_accuracy.value)
        low = row.test_accuracy.value < 0.5
        why = "where it is highest; agrees below 0.5"
        found.append(claim("test accuracy", "always low", row, row.test_accuracy, low, why))
    return found


def _of_capacity(rows: Sequence[DimensionRow]) -> list[Claim]:
    found = []
    for size in ("small", "big"):
        own = [one for one in rows if one.size == size]
        if not own:
            continue
        row = max(own, key=_strength)
        ours = _magnitude(row.norm)
        found.append(
            Claim(
                source=f"{_PAPER}, figure 14",
                what=f"{size} network: correlation of the 1-norm with membership where it is largest",
                paper="qualitatively as base",
                ours=ours,
                unit="",
                says="agrees" if ours.low > 0 and ours.value >= _NONE else "disagrees",
                why=f"agrees from {_NONE} on; {row.features} features, {row.classes} classes, {row.points:,} points",
            )
        )
    return found


def _of_sampling(sampled: Sequence[SampledRow]) -> list[Claim]:
    smooth = [one for one in sampled if one.method == "smoothgrad"]
    if not smooth:
        return []
    found = []

    def claim(what: str, row: SampledRow, ours: Estimate, none: float, why: str) -> Claim:
        return Claim(
            source=f"{_PAPER}, figure 4 and section 4.5",
            what=f"SmoothGrad, noise of {row.sigma:g}, {row.samples} samples: {what}",
            paper="attacks fail",
            ours=ours,
            unit="AUC",
            says="agrees" if ours.low <= none else "disagrees",
            why=why,
        )

    for sigma in sorted({one.sigma for one in smooth}):
        own = sorted((one for one in smooth if one.sigma == sigma), key=lambda one: one.samples)
        for row in own if len(own) < 2 else (own[0], own[-1]):
            why = "threshold on the norm; agrees where the interval reaches 0.5"
            found.append(claim("its 1-norm", row, row.attack, 0.5, why))
            why = f"stacked, refitted; agrees where the interval reaches 0; alone {row.alone.value:.3f}"
            found.append(claim("what its map adds to the class", row, row.added, 0.0, why))
    for method in ("shapley_sampling", "lime"):
        own = sorted((one for one in sampled if one.method == method), key=lambda one: one.samples)
        if own:
            first, last = own[0].alone, own[-1].alone
            found.append(
                Claim(
                    source=f"{_PAPER}, section 6",
                    what=f"sampling is a natural defense: {method}, AUC with {own[-1].samples} samples",
                    paper="may be",
                    ours=last,
                    unit="AUC",
                    says="agrees" if first.high < last.low else "disagrees",
                    why=f"agrees where {own[0].samples} samples leak measurably less: {first.value:.3f}; stacked",
                )
            )
    return found


def _strength(row: DimensionRow) -> float:
    return abs(row.norm.value) if row.norm.value == row.norm.value else 0.0


def _magnitude(found: Estimate) -> Estimate:
    """The magnitude of a correlation: its ends turned round where it is negative."""
    return found if found.value >= 0 else Estimate(-found.value, -found.high, -found.low)
