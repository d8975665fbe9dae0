"""What Shokri, Strobel & Zick claim of overfitting and of the kinds of information, beside a study."""

import math
from collections.abc import Iterable, Sequence

from leakjax.evaluate.document import Estimate, LeftOut
from leakjax.papers.claim import Claim, Says
from leakjax.papers.overfitting import attacks
from leakjax.papers.overfitting.attacks import BOTH, GRADIENT, LABEL, LOSS, NORM, NORMALISED, PREDICTION
from leakjax.papers.overfitting.document import AttackRow, GapRow, GroupLeak, LineRow
from leakjax.papers.overfitting.groups import CLASSES, OUTLIERS

_PAPER = "Shokri, Strobel & Zick (arXiv 1907.00164)"
# In whose place a data set stands.
INSTEAD = {"attributes100": "Purchase", "claims9": "Hospital", "fashion_mnist": "CIFAR-100", "adult": "Adult"}
_STRAIGHT, _CLOSE = 0.9, 0.03
_HALF = "known_half"
_BLIND = "the attack found nothing to compare with: its AUC is not above 0.5"


def of_study(
    gaps: Sequence[GapRow],
    rows: Sequence[AttackRow],
    lines: Sequence[LineRow],
    groups: Sequence[GroupLeak],
    left_out: Sequence[LeftOut],
) -> list[Claim]:
    """Every claim for which the study has the rows, and what has no stand-in."""
    found = []
    for dataset in dict.fromkeys(one.dataset for one in gaps):
        last = [one for one in gaps if one.dataset == dataset][-1]
        own = [one for one in rows if one.dataset == dataset and one.asked == last.asked]
        found += [
            *_overfits(dataset, last),
            *_linear(dataset, lines),
            *_information(dataset, own),
            *_correlated(dataset, last),
            *_explainers(dataset, own),
            *_groups(dataset, groups),
        ]
    found.append(
        _nothing("figures 1, 2 and 3, Texas", "attacks on Texas-100", "no stand-in for its 6,170 features")
    )
    return found + [
        _nothing("figure 1", one.name, one.why)
        for one in left_out
        if one.name not in INSTEAD or "gap" in one.name
    ]


def _claim(
    where: str, what: str, paper: str, ours: Estimate, holds: bool, why: str, *, blind: bool = False
) -> Claim:
    """A claim that a rule decides, unless the attack is `blind`: then nothing was measured, whatever the rule says."""
    says: Says = "not measured" if blind else "agrees" if holds else "disagrees"
    why = f"{_BLIND}; {why}" if blind else why
    return Claim(source=f"{_PAPER}, {where}", what=what, paper=paper, ours=ours, unit="", says=says, why=why)


def _blind(found: AttackRow, *others: AttackRow) -> bool:
    """Whether an attack is not above chance, or another says the same of every point: they cannot be compared."""
    return found.auc.low <= 0.5 or any(one.auc.low == one.auc.high == 0.5 for one in others)


def _nothing(where: str, what: str, why: str) -> Claim:
    return Claim(
        source=f"{_PAPER}, {where}", what=what, paper="-", ours=None, unit="", says="not comparable", why=why
    )


def _overfits(dataset: str, last: GapRow) -> Iterable[Claim]:
    paper = {"adult": ("negligible", 0.05), "claims9": ("never above 0.1", 0.1)}.get(
        dataset.partition("(")[0]
    )
    if paper:
        yield _claim(
            "section 4.3.2",
            f"{_named(dataset)}: the largest gap",
            paper[0],
            last.gap,
            last.gap.value < paper[1],
            f"{last.model}, {last.epochs:.0f} epochs; agrees below {paper[1]:g}",
        )


def _linear(dataset: str, lines: Sequence[LineRow]) -> Iterable[Claim]:
    for line in lines:
        if line.dataset == dataset and line.sees in (GRADIENT, PREDICTION):
            holds = line.slope.low > 0 and line.explained_variance >= _STRAIGHT
            yield _claim(
                "observation 4.1",
                f"{_named(dataset)}: accuracy grows linearly with the gap, {line.attack} ({line.learns}), {line.sees}",
                "linear",
                line.slope,
                holds,
                f"slope over {line.gaps} gaps; agrees where it is above 0 and R² is {_STRAIGHT} or more: "
                f"{line.explained_variance:.2f}",
                blind=math.isnan(line.explained_variance),  # one accuracy at all gaps
            )


def _information(dataset: str, own: Sequence[AttackRow]) -> Iterable[Claim]:
    by: dict[tuple[str, str, str], AttackRow] = {
        (one.attack, one.learns, one.sees): one for one in own if one.explainer in ("none", _plain(own))
    }
    gradient = by.get(("neural", _HALF, GRADIENT))
    loss, tree = by.get(("threshold", _HALF, LOSS)), by.get(("tree", _HALF, NORM))
    name = _named(dataset)
    if gradient and loss and dataset == "attributes100":
        yield _claim(
            "observation 4.2",
            f"{name}: the gradient falls only slightly behind the loss, accuracy lost",
            "slightly",
            _less(loss.accuracy, gradient.accuracy),
            loss.accuracy.value - gradient.accuracy.value < _CLOSE,
            f"neural, known_half; agrees below {_CLOSE}",
            blind=_blind(gradient),
        )
    if gradient and tree:
        yield _claim(
            "figure 2",
            f"{name}: a tree on the 1-norm is as good as the network on the gradient, accuracy lost",
            "competitive",
            _less(gradient.accuracy, tree.accuracy),
            gradient.accuracy.value - tree.accuracy.value < _CLOSE,
            f"known_half; agrees below {_CLOSE}",
            blind=_blind(gradient),
        )
    for attack, learns in (("neural", _HALF), ("stacked", "shadows")):
        both, alone = by.get((attack, learns, BOTH)), by.get((attack, learns, PREDICTION))
        if both and alone:
            ours = both.added or _less(both.auc, alone.auc)
            yield _claim(
                "observation 4.3",
                f"{name}: gradient beside the prediction adds nothing, {attack} ({learns}), AUC added",
                "no significant gain",
                ours,
                ours.low <= 0,
                "agrees where the interval reaches 0",
                blind=_blind(both, alone),
            )
        plain, normal = by.get((attack, learns, GRADIENT)), by.get((attack, learns, NORMALISED))
        label = by.get((attack, learns, LABEL))
        if plain and normal and label:
            yield _claim(
                "hypothesis 4.4 (2)",
                f"{name}: normalised gradients, {attack} ({learns}), accuracy",
                "not above chance",
                normal.accuracy,
                normal.accuracy.low <= 0.5,
                f"agrees where the interval holds 0.5; the class alone has {label.accuracy.value:.3f}, plain gradients "
                f"{plain.accuracy.value:.3f}",
                blind=_blind(plain, normal),
            )


def _correlated(dataset: str, last: GapRow) -> Iterable[Claim]:
    name = _named(dataset)
    for what, ours in (("1-norm", last.norm), ("variance of the prediction", last.variance)):
        yield _claim(
            "figure 3",
            f"{name}: the {what} correlates with membership",
            "correlated",
            ours,
            ours.low > 0 or ours.high < 0,
            f"at a gap of {last.gap.value:.2f}; agrees where the interval leaves out 0",
        )
    yield _claim(
        "figure 3, caption",
        f"{name}: 1-norm and variance are not strongly correlated",
        "not strongly",
        last.norm_and_variance,
        abs(last.norm_and_variance.value) < 0.5,
        "agrees below 0.5 in magnitude",
    )


def _explainers(dataset: str, own: Sequence[AttackRow]) -> Iterable[Claim]:
    seen = [one for one in own if (one.attack, one.learns, one.sees) == ("neural", _HALF, GRADIENT)]
    plain = next((one for one in seen if one.explainer == _plain(own)), None)
    if plain is None:
        return
    expected = {
        "integrated_gradients": ("as the gradient", lambda d: abs(d.value) < _CLOSE),
        "lrp": ("worse than the gradient", lambda d: d.high < 0),
        "deeplift": ("worse than the gradient", lambda d: d.high < 0),
    }
    for one in seen:
        kind = one.explainer.partition("(")[0]
        if kind in expected:
            paper, holds = expected[kind]
            ours = _less(one.accuracy, plain.accuracy)
            yield _claim(
                "figure 12",
                f"{_named(dataset)}: {kind} beside the gradient, accuracy",
                paper,
                ours,
                holds(ours),
                f"neural, known_half; worse where the interval is below 0, alike within {_CLOSE}",
                blind=_blind(plain, one),
            )
        if kind == "smoothgrad":
            yield _claim(
                "figure 12",
                f"{_named(dataset)}: SmoothGrad, accuracy",
                "the attack fails",
                one.accuracy,
                one.accuracy.low <= 0.5,
                "neural, known_half; agrees where the interval holds 0.5",
                blind=_blind(plain, one),
            )


def _groups(dataset: str, groups: Sequence[GroupLeak]) -> Iterable[Claim]:
    for group, level in ((OUTLIERS, "farthest tenth"), (CLASSES, "rare classes")):
        pair = {one.level: one for one in groups if (one.dataset, one.group) == (dataset, group)}
        if level in pair and "others" in pair:
            ours = _less(pair[level].gradient, pair["others"].gradient)
            yield _claim(
                "abstract",
                f"{_named(dataset)}: {level} are more exposed by gradients, members caught at 1 % more than of others",
                "more exposed",
                ours,
                ours.low > 0,
                "stacked; agrees where the interval is above 0; groups are taken as independent",
            )


def _plain(own: Sequence[AttackRow]) -> str:
    return next((one.explainer for one in own if one.sees == attacks.NORMALISED), "none")


def _named(dataset: str) -> str:
    kind = dataset.partition("(")[0]
    return f"{kind} for {INSTEAD[kind]}" if INSTEAD.get(kind, "").lower() not in ("", kind) else kind


def _less(one: Estimate, other: Estimate) -> Estimate:
    """A difference, its error that of two independent estimates: too wide where they share points."""
    half = lambda found: (found.high - found.low) / 2
    reach = (half(one) ** 2 + half(other) ** 2) ** 0.5
    value = one.value - other.value
    return Estimate(value, value - reach, value + reach)
