"""The page of a study of overfitting."""

from collections.abc import Mapping

from leakjax.papers import page as pages
from leakjax.papers.claim import claims_table
from leakjax.papers.overfitting import attacks
from leakjax.papers.overfitting.document import Overfitting
from leakjax.papers.overfitting.figures import ATTACKS, CORRELATIONS, EXPLAINERS, TREE
from leakjax.report import tables, words
from leakjax.report.tables import NUMBER, TEXT, Table

_KNOWN_HALF = (
    "The paper's attacker is told which of one half of the target's own points are members, and learns from them; it "
    "is shown beside attacks that learn on shadow models and are told nothing of the target. A map of the predicted "
    "class names it, so that the class alone is the floor of every attack on gradients.",
)
_NORMS = (
    "If gradients leak through their 1-norm alone, a tree on that number is as good as a network on the gradient, and "
    "gradients that are divided by it are no better than the class that they name.",
)
_CORRELATIONS = (
    "The paper draws magnitudes; here the sign is shown: members have small gradients and small losses.",
)
_GROUPS = (
    "Members of the group that the stacked attack catches at 1 % false positives, the threshold set over all points.",
)


def lead(found: Overfitting) -> str:
    """The finding in two sentences."""
    parts = []
    for dataset in dict.fromkeys(one.dataset for one in found.gaps):
        last = [one for one in found.gaps if one.dataset == dataset][-1]
        own = {
            one.sees: one
            for one in found.attacks
            if (one.dataset, one.asked, one.attack) == (dataset, last.asked, "stacked")
            and "logit" not in one.explainer
        }
        alone, both = own.get(attacks.PREDICTION), own.get(attacks.BOTH)
        if alone and both:
            parts.append(
                f"{dataset} at a gap of {last.gap.value:.2f}: all probabilities catch {words.percent(alone.tpr.value)} "
                f"of members at 1 % false positives, with the gradient {words.percent(both.tpr.value)}"
            )
    return "; ".join(parts) + "." if parts else "No data set was measured."


def page(found: Overfitting, images: Mapping[str, bytes]) -> str:
    """The whole page."""
    parts = [
        pages.Part("What the attacker sees", _KNOWN_HALF, ATTACKS, "With 95 % intervals.", _attacks(found)),
        pages.Part("Is it the 1-norm?", _NORMS, TREE, "Learnt on a known half; 95 % intervals."),
        pages.Part("What correlates with membership", _CORRELATIONS, CORRELATIONS, "", _gaps(found)),
        pages.Part("Is leakage linear in the gap?", table=_lines(found)),
    ]
    if EXPLAINERS in images:
        parts.append(pages.Part("Other explainers", (), EXPLAINERS, "At the largest gap; 95 % intervals."))
    if found.groups:
        parts.append(pages.Part("By group", _GROUPS, table=_groups(found)))
    parts.append(pages.Part("Beside the paper", table=claims_table(found.claims, digits=3)))
    if found.left_out:
        rows = [[one.name, one.why] for one in found.left_out]
        parts.append(pages.Part("Left out", table=tables.table({"what": TEXT, "why": TEXT}, rows)))
    return pages.page("overfitting and the leakage of gradients", lead(found), parts, images)


def _gaps(found: Overfitting) -> Table:
    columns = {
        "data": TEXT,
        "network": TEXT,
        "gap": NUMBER,
        "epochs": NUMBER,
        "train": NUMBER,
        "test": NUMBER,
    }
    columns |= {"1-norm": NUMBER, "variance": NUMBER, "loss": NUMBER, "1-norm with variance": NUMBER}
    return tables.table(
        columns,
        [
            [
                one.dataset,
                one.model,
                words.ratio(one.gap.value),
                f"{one.epochs:.1f}",
                words.percent(one.train_accuracy.value),
                words.percent(one.test_accuracy.value),
                *(
                    words.with_interval(each, words.ratio)
                    for each in (one.norm, one.variance, one.loss, one.norm_and_variance)
                ),
            ]
            for one in found.gaps
        ],
    )


def _attacks(found: Overfitting) -> Table:
    columns = {
        "data": TEXT,
        "gap": NUMBER,
        "attack": TEXT,
        "learns on": TEXT,
        "sees": TEXT,
        "explainer": TEXT,
    }
    columns |= {"accuracy": NUMBER, "AUC": NUMBER, "caught at 1 %": NUMBER}
    return tables.table(
        columns,
        [
            [
                one.dataset,
                words.ratio(one.gap),
                one.attack,
                one.learns.replace("_", " "),
                one.sees,
                one.explainer,
                words.with_interval(one.accuracy, words.area),
                words.with_interval(one.auc, words.area),
                words.with_interval(one.tpr, words.percent),
            ]
            for one in found.attacks
        ],
    )


def _lines(found: Overfitting) -> Table:
    columns = {"data": TEXT, "attack": TEXT, "learns on": TEXT, "sees": TEXT, "gaps": NUMBER, "slope": NUMBER}
    columns |= {"R²": NUMBER, "bend": NUMBER}
    return tables.table(
        columns,
        [
            [
                one.dataset,
                one.attack,
                one.learns.replace("_", " "),
                one.sees,
                str(one.gaps),
                words.with_interval(one.slope, words.ratio),
                words.ratio(one.explained_variance),
                words.with_interval(one.bend, words.ratio),
            ]
            for one in found.lines
        ],
    )


def _groups(found: Overfitting) -> Table:
    columns = {"data": TEXT, "group": TEXT, "": TEXT, "points": NUMBER, "share": NUMBER}
    columns |= {"class alone": NUMBER, "gradient": NUMBER, "gradient and all probabilities": NUMBER}
    return tables.table(
        columns,
        [
            [
                one.dataset,
                one.group,
                one.level,
                f"{one.points:,}",
                words.percent(one.share),
                *(words.with_interval(each, words.percent) for each in (one.label, one.gradient, one.both)),
            ]
            for one in found.groups
        ],
    )
