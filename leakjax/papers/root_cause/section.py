"""The page of a root-cause analysis."""

from collections.abc import Mapping

from leakjax.papers import page as pages
from leakjax.papers.claim import claims_table
from leakjax.papers.root_cause.document import RootCause
from leakjax.papers.root_cause.figures import EFFECTS, SWEEPS
from leakjax.papers.root_cause.regression import ACCOUNTED, TWO
from leakjax.report import tables, words
from leakjax.report.tables import NUMBER, TEXT, Table

_SWEPT = (
    "Each panel varies one property and leaves all else as it is. The label alone is what the predicted class and its "
    "correctness give away; where the class is explained that a model predicts, every map names it.",
)
_REGRESSED = (
    "Over all settings, leakage is regressed on how sparse and how sensitive the released maps are: first "
    "on these two alone, then beside the leakage of the label and of all probabilities of the same models, then with "
    "the generalisation gap, and at last with how far maps differ from model to model and how well they tell the "
    "confidence. Intervals resample whole sweeps: they say what another choice of sweeps might have shown.",
)
_CHECKED = (
    "If sparsity and sensitivity drove leakage, a regression on the other sweeps would foretell each: what it says of "
    "the change from the first setting to the last beside what was measured.",
)


def lead(found: RootCause) -> str:
    """The finding in two sentences."""
    if not found.effects:
        return f"{len(found.cases)} settings were measured, too few for a regression."
    parts = []
    for name in TWO:
        by = {
            one.accounted: one.effect
            for one in found.effects
            if (one.outcome, one.property) == ("alone", name)
        }
        plain, beside = (by.get(words) for words in list(ACCOUNTED)[:2])
        if plain and beside:
            parts.append(
                f"{name} {words.with_interval(plain, _points)} by itself and {words.with_interval(beside, _points)} "
                f"once the predicted class and the confidence are accounted for"
            )
    right = sum(check.agrees for check in found.checks)
    return (
        f"Points of AUC of the explanation alone per standard deviation, over {found.effects[0].settings} settings: "
        f"{'; '.join(parts)}. A regression on the two foretells {right} of {len(found.checks)} sweeps."
    )


def page(found: RootCause, images: Mapping[str, bytes]) -> str:
    """The whole page."""
    parts = [
        pages.Part(
            "One property at a time", _SWEPT, SWEEPS, "AUC above chance, with 95 % intervals.", _trends(found)
        ),
        pages.Part("Regressions", _REGRESSED, EFFECTS, "With 95 % intervals over sweeps.", _effects(found)),
        pages.Part("What the regression says of sweeps that it did not see", _CHECKED, table=_checks(found)),
        pages.Part("Beside the paper", table=claims_table(found.claims, digits=2)),
        pages.Part("Every setting", table=_cases(found)),
    ]
    if found.left_out:
        rows = [[one.name, one.why] for one in found.left_out]
        parts.append(pages.Part("Left out", table=tables.table({"setting": TEXT, "why": TEXT}, rows)))
    return pages.page("what drives the leakage of explanations", lead(found), parts, images)


def _points(value: float | None) -> str:
    return "unknown" if value is None else f"{value:+.2f}"


def _trends(found: RootCause) -> Table:
    columns = {"sweep": TEXT, "from": TEXT, "to": TEXT, "sparsity": NUMBER, "log10 sensitivity": NUMBER}
    columns |= {"alone": NUMBER, "label": NUMBER, "added to the label": NUMBER}
    return tables.table(
        columns,
        [
            [
                row.sweep,
                row.first,
                row.last,
                words.ratio(row.sparsity),
                words.ratio(row.sensitivity),
                *(words.with_interval(one, words.signed) for one in (row.alone, row.label, row.beside_label)),
            ]
            for row in found.trends
        ],
    )


def _effects(found: RootCause) -> Table:
    columns = {"leakage": TEXT, "accounted for": TEXT, "property": TEXT, "effect": NUMBER}
    columns |= {"settings": NUMBER, "R²": NUMBER}
    return tables.table(
        columns,
        [
            [
                row.outcome.replace("_", " "),
                row.accounted,
                row.property.replace("_", " "),
                words.with_interval(row.effect, _points),
                str(row.settings),
                words.ratio(row.explained_variance),
            ]
            for row in found.effects
        ],
    )


def _checks(found: RootCause) -> Table:
    columns = {"sweep": TEXT, "foretold": NUMBER, "seen": NUMBER, "": TEXT}
    return tables.table(
        columns,
        [
            [
                row.sweep,
                f"{row.predicted:+.2f}",
                words.with_interval(row.seen, _points),
                "inside" if row.agrees else "outside",
            ]
            for row in found.checks
        ],
    )


def _cases(found: RootCause) -> Table:
    columns = {"sweep": TEXT, "setting": TEXT, "explainer": TEXT, "gap": NUMBER, "sparsity": NUMBER}
    columns |= {"log10 sensitivity": NUMBER, "distinctness": NUMBER, "tells confidence": NUMBER}
    columns |= {"alone": NUMBER, "label": NUMBER, "vector": NUMBER, "+ label": NUMBER, "+ vector": NUMBER}
    return tables.table(
        columns,
        [
            [
                row.sweep,
                row.setting,
                row.explainer if row.defense == "none" else f"{row.explainer}, {row.defense}",
                words.percent(row.gap),
                *map(words.ratio, (row.sparsity, row.sensitivity, row.distinctness, row.carried_confidence)),
                *(
                    words.with_interval(one, words.signed)
                    for one in (row.alone, row.label, row.vector, row.beside_label, row.beside_vector)
                ),
            ]
            for row in found.cases
        ],
    )
