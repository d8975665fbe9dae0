"""report.html: one page that needs nothing else, for a model owner who has not read the papers."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from leakjax.evaluate import headline
from leakjax.evaluate.document import GroupRow, Report
from leakjax.report import shell, tables, verdict, words
from leakjax.report.figures import examples_of

LEAKAGE = (
    "Each bar is what an explanation adds to the prediction under the first release, plain or hardened; the whisker "
    "is its 95 % interval. Where a whisker reaches 0, no leak was measured. Leaks planted evenly over all "
    "records did not show inside the grey band."
)
ROC = (
    "Each line is an attack on the explainer that adds most under the first release, from cautious (left) to "
    "bold (right): the higher it runs above the dotted line, the more training records it catches for the same "
    "false alarms. Both axes are logarithmic. Where the blue line runs on the black one, the explanation adds "
    "nothing that was seen."
)


class Card(NamedTuple):
    """A number that leads, what it is, and what it stands beside."""

    value: str
    name: str
    beside: str


def render(report: Report, images: Mapping[str, bytes], sections: Sequence[str] = ()) -> str:
    """The page of a report; everything that comes from the report is escaped.

    Args:
      report: what the audit found.
      images: its figures as PNGs, by name, as `leakjax.report.figures.images` draws them.
      sections: of other measurements: finished HTML, which is taken as it is.
    """
    leading, worst = headline.lead(report.leakage), headline.worst(report.leakage)
    explainers = headline.explainers(report.leakage)
    others = [explainer for explainer in explainers if worst is None or explainer != worst.explainer]
    groups = _groups(report)
    cost = words.cost(report)
    pictures = [_picture(images, "leakage", LEAKAGE), _picture(images, "roc", _roc(report))]
    content = shell.render(
        "page.html",
        dataset=report.task.dataset,
        alarm=words.alarm(report),
        lead=verdict.lead(report),
        basis=verdict.basis(report),
        cards=_cards(report),
        task=words.task(report),
        exclusions=words.exclusions(report),
        hardening=words.hardening(report),
        leakage=tables.leakage(report),
        notes=[*words.marks(report), *words.fewer(report)],
        attacker=words.attacker(leading) if leading else "",
        pictures=pictures,
        cost=cost,
        utility=tables.utility(report) if cost else None,
        example=_example(images, worst.explainer) if worst else None,
        other_examples=[found for found in (_example(images, name) for name in others) if found],
        exposed=words.exposed(report),
        groups=tables.groups(groups) if groups else None,
        controls=tables.controls(report),
        limits=words.limits(report),
        left_out=words.left_out(report),
        attacks=tables.attacks(report),
        settings=tables.settings(report),
        sections=[Markup(section) for section in sections],
    )
    return shell.wrap(f"leakjax: {report.task.dataset}", content)


def _cards(report: Report) -> list[Card]:
    """The margin under the leading release, the explanation beside that release, and what hardening keeps."""
    worst = headline.worst(report.leakage)
    if worst is None:
        return []
    rate, margin = words.false_alarms(headline.rate(report.leakage)), headline.margin(report.leakage, worst)
    cards = [
        Card(
            words.signed(margin.value),
            f"percentage points: what explanations add under {worst.release}",
            f"{words.verdict(report, margin)}; {worst.explainer}, at {rate}",
        )
    ]
    sole = headline.row(report.leakage, "explanation", worst.explainer)
    if sole is not None:
        found = words.percent(headline.tpr(report.leakage, sole).value)
        alone = words.percent(headline.alone(report.leakage, worst))
        cards.append(
            Card(
                found,
                "of training records found from the explanation alone",
                f"{worst.release} alone: {alone}",
            )
        )
    hardened = [
        row for _, defense, row in headline.listed(report.leakage) if row and defense != headline.PLAIN
    ]
    least = min(
        (row for row in hardened if row.explainer == worst.explainer),
        key=lambda row: headline.margin(report.leakage, row).value,
        default=None,
    )
    cards += [
        Card(words.ratio(row.cosine.value), "cosine to the plain explanation, hardened", row.defense)
        for row in report.utility
        if least and (row.explainer, row.defense) == (least.explainer, least.defense)
    ]
    return cards


def _roc(report: Report) -> str:
    worst = headline.worst(report.leakage)
    both = headline.row(report.leakage, "both", worst.explainer) if worst else None
    if both and headline.fewer(report.leakage, both):
        return f"{ROC} The black line is of all records, the others are of fewer."
    return ROC


def _example(images: Mapping[str, bytes], explainer: str) -> shell.Picture | None:
    description = (
        f"Inputs and their explanations by {explainer}, before and after hardening. Red speaks for the "
        "class, blue against it; the explanations in a row share one scale. The model that they explain was not "
        "trained on these inputs."
    )
    return _picture(images, examples_of(explainer), description)


def _groups(report: Report) -> Sequence[GroupRow]:
    """The rows of the predictions and of the worst explainer, or all where there are none of these."""
    worst = headline.worst(report.leakage)
    shown = (worst.explainer if worst else None, headline.PLAIN)
    return [row for row in report.groups if row.explainer in shown] or report.groups


def _picture(images: Mapping[str, bytes], name: str, description: str) -> shell.Picture | None:
    return shell.picture(images[name], description) if name in images else None
