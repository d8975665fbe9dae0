"""The page of a hardening profile."""

from collections.abc import Mapping

from leakjax.papers import page as pages
from leakjax.papers.claim import claims_table
from leakjax.papers.hardened.document import HardeningProfile
from leakjax.papers.hardened.figures import PROFILE
from leakjax.report import tables, words
from leakjax.report.tables import NUMBER, TEXT, Table

_HOW = (
    "Every explainer explains a class that is fixed by the query, so that no map names a prediction. deepleak is the "
    "noise, clamping, rounding and zeroing of DeepLeak at our default strengths, which are meant for maps of values "
    "around 1; scaled, the same on maps of largest value 1; ours, the explainer's preset, or the chain of the run; "
    "denoised, the same before an attacker who takes the known noise off by what shadows teach.",
    "A cut counts where the plain explanation adds more than three standard errors. Utility is measured against the "
    "model that is explained and corrected for chance; a figure that the plain map does not have cannot be lost.",
)


def lead(found: HardeningProfile) -> str:
    """The finding in a sentence for each hardening."""
    said = []
    for one in found.summaries:
        cut = "has nothing to cut" if one.median_cut is None else (
            f"cuts what is added to the label by {words.percent(one.least_cut)} to {words.percent(one.most_cut)} "
            f"(median {words.percent(one.median_cut)}, {one.methods} explainers)"
        )  # fmt: skip
        lost = "unknown" if one.mean_lost is None else words.percent(one.mean_lost)
        said.append(f"“{one.hardening}” {cut} and loses {lost} of the quoted utility on average")
    return f"On {found.task.dataset}: {'; '.join(said)}." if said else "No explainer applied to the model."


def page(found: HardeningProfile, images: Mapping[str, bytes]) -> str:
    """The whole page."""
    parts = [
        pages.Part("What hardening cuts and costs", _HOW, PROFILE, _caption(found), _rows(found)),
        pages.Part("Over all explainers", table=_summaries(found)),
        pages.Part("Beside the paper", table=claims_table(found.claims)),
    ]
    if found.left_out:
        rows = [[one.name, one.why] for one in found.left_out]
        parts.append(pages.Part("Left out", table=tables.table({"explainer": TEXT, "why": TEXT}, rows)))
    return pages.page(f"hardened explanations on {found.task.dataset}", lead(found), parts, images)


def _caption(found: HardeningProfile) -> str:
    task = found.task
    return (
        f"{task.targets} models attacked with the help of all others, {task.shadows} of them shadows alone; "
        f"{task.points} points, at 1 % false alarms, with 95 % intervals."
    )


def _rows(found: HardeningProfile) -> Table:
    columns = {
        "explainer": TEXT,
        "hardening": TEXT,
        "added to the label": NUMBER,
        "cut": NUMBER,
        "alone": NUMBER,
    }
    columns |= {"cut of alone": NUMBER, "added to all probabilities": NUMBER, "figure": TEXT, "lost": NUMBER}
    columns |= {"mask correlation lost": NUMBER, "cosine": NUMBER}
    return tables.table(
        columns,
        [
            [
                row.explainer,
                f"{row.hardening}: {row.defense}" if row.defense != "none" else row.hardening,
                words.with_interval(row.margin, words.signed),
                words.with_interval(row.cut, words.percent) if row.hardening != "plain" else "",
                words.with_interval(row.alone, words.percent),
                words.with_interval(row.cut_alone, words.percent) if row.hardening != "plain" else "",
                words.with_interval(row.margin_vector, words.signed),
                row.figure.replace("_", " "),
                words.with_interval(row.lost, words.percent) if row.hardening != "plain" else "",
                words.percent(row.lost_mask) if row.hardening != "plain" else "",
                words.ratio(row.cosine),
            ]
            for row in found.rows
        ],
    )


def _summaries(found: HardeningProfile) -> Table:
    columns = {"hardening": TEXT, "explainers": NUMBER, "least cut": NUMBER, "median": NUMBER, "most": NUMBER}
    columns |= {"added to all probabilities, at most": NUMBER}
    columns |= {"explainers, alone": NUMBER, "least cut of alone": NUMBER, "median of alone": NUMBER}
    columns |= {"most of alone": NUMBER, "utility lost": NUMBER, "mask correlation lost": NUMBER}
    shown = lambda share: "-" if share is None else words.percent(share)
    return tables.table(
        columns,
        [
            [
                one.hardening,
                str(one.methods),
                *map(shown, (one.least_cut, one.median_cut, one.most_cut)),
                words.signed(one.most_vector),
                str(one.alone_methods),
                *map(shown, (one.least_cut_alone, one.median_cut_alone, one.most_cut_alone)),
                *map(shown, (one.mean_lost, one.mean_lost_mask)),
            ]
            for one in found.summaries
        ],
    )
