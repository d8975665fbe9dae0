"""The page of a leakage profile."""

from collections.abc import Mapping, Sequence

from leakjax.evaluate.document import NeighbourRow, WorthRow
from leakjax.evaluate.headline import measurable
from leakjax.papers import page as pages
from leakjax.papers.claim import claims_table
from leakjax.papers.leakage.document import BeyondRow, LeakageProfile
from leakjax.papers.leakage.figures import BEFORE, RANKING
from leakjax.report import tables, words
from leakjax.report.tables import NUMBER, TEXT, Table

_ROLES = (
    "Each explainer stands at its default settings. The label alone is the attack on the predicted class and whether "
    "it is right; a map of the predicted class names that class, so that the map alone is to be read beside it."
)
_BEFORE = (
    "Every attack sees the same maps of the same models. Attack networks attack few of the models, so that their marks "
    "are less sure; the intervals of the differences, on the same targets, are in the table below."
)


def lead(found: LeakageProfile) -> str:
    """The finding in two sentences."""
    if not found.methods:
        return "No explainer applied to the model."
    worst, count = found.methods[0], len(found.methods)
    release = next(iter(worst.margins))
    adds = [row for row in found.methods if measurable(row.margins[release].tpr_at_fpr[row.headline_fpr])]
    margin = worst.margins[release].tpr_at_fpr[worst.headline_fpr]
    return (
        f"On {found.task.dataset}, {len(adds)} of {count} explainers add measurably to {words.released(release)}; "
        f"{worst.explainer} adds most, {words.signed(margin.value)} points ({words.interval(margin, words.signed)}) to "
        f"{words.percent(worst.label)} at {words.false_alarms(worst.headline_fpr)}."
    )


def page(found: LeakageProfile, images: Mapping[str, bytes]) -> str:
    """The whole page."""
    parts = [
        pages.Part("Every explainer, ranked", [_ROLES], RANKING, _caption(found), _ranked(found)),
        pages.Part("Further queries in place of an explanation", [], table=_nearby(found.neighbours)),
        pages.Part(
            "What earlier attacks find", [_BEFORE], BEFORE, "Caught by the map alone.", _beyond(found.beyond)
        ),
        pages.Part("Beside the paper", [], table=claims_table(found.claims)),
    ]
    if found.groups:
        parts.append(pages.Part("By group", [], table=tables.groups(found.groups)))
    if found.left_out:
        rows = [[one.name, one.why] for one in found.left_out]
        parts.append(pages.Part("Left out", [], table=tables.table({"explainer": TEXT, "why": TEXT}, rows)))
    return pages.page(f"leakage of explainers on {found.task.dataset}", lead(found), parts, images)


def _caption(found: LeakageProfile) -> str:
    task = found.task
    return (
        f"{task.dataset}: {task.models} models, {task.points} points; accuracy "
        f"{words.percent(task.train_accuracy.value)} on their own points and "
        f"{words.percent(task.test_accuracy.value)} on others; 95 % intervals over points and models."
    )


def _ranked(found: LeakageProfile) -> Table:
    releases = list(found.methods[0].margins) if found.methods else []
    columns = {"": NUMBER, "explainer": TEXT, "family": TEXT, "runs": NUMBER, "points": NUMBER}
    at = f" at {words.false_alarms(found.methods[0].headline_fpr)}" if found.methods else ""
    columns |= {f"label alone{at}": NUMBER, f"map alone{at}": NUMBER}
    columns |= {f"adds to {words.released(release)}": NUMBER for release in releases}
    columns["beside the first, worth queries"] = NUMBER
    worth = {row.explainer: row for row in found.worth if row.release == releases[0]}
    rows = [
        [
            str(row.rank),
            row.explainer,
            row.family,
            f"{row.runs:,}",
            f"{row.points:,}",
            words.percent(row.label),
            words.with_interval(row.alone, words.percent),
            *(
                words.with_interval(row.margins[release].tpr_at_fpr[row.headline_fpr], words.signed)
                for release in releases
            ),
            _worth(worth.get(row.explainer)),
        ]
        for row in found.methods
    ]
    return tables.table(columns, rows)


def _worth(row: WorthRow | None) -> str:
    if row is None:
        return words.UNKNOWN
    return f"more than {row.tried}" if row.queries is None else str(row.queries)


def _relative(share: float | None) -> str:
    return words.UNKNOWN if share is None else f"{100 * share:+.0f} %"


def _nearby(rows: Sequence[NeighbourRow]) -> Table:
    columns = {"shown of every answer": TEXT, "queries": NUMBER}
    columns |= {"they add at 0.1 %": NUMBER, "they add at 1 %": NUMBER, "AUC": NUMBER}
    return tables.table(
        columns,
        [
            [
                row.release,
                str(row.queries),
                *(words.with_interval(one, words.signed) for one in row.margin.tpr_at_fpr.values()),
                words.with_interval(row.margin.auc, words.number),
            ]
            for row in rows
        ],
    )


def _beyond(rows: Sequence[BeyondRow]) -> Table:
    columns = {
        "explainer": TEXT,
        "release": TEXT,
        "attack before": TEXT,
        "beside it": TEXT,
        "targets": NUMBER,
    }
    columns |= {
        "it catches at 1 %": NUMBER,
        "more at 1 %": NUMBER,
        "more at 0.1 %": NUMBER,
        "more AUC": NUMBER,
    }
    columns["more, in percent of it"] = NUMBER
    return tables.table(
        columns,
        [
            [
                row.explainer,
                row.release,
                f"{row.attack} ({row.reported_by})",
                row.stronger,
                str(row.targets),
                words.percent(row.theirs["0.01"].value),
                words.with_interval(row.more["0.01"], words.signed),
                words.with_interval(row.more["0.001"], words.signed),
                words.with_interval(row.more_auc, words.number),
                words.with_interval(row.relative["0.01"], _relative),
            ]
            for row in rows
        ],
    )
