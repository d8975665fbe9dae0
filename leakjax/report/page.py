"""report.html: one page that needs nothing else, for a model owner who has not read the papers."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from markupsafe import Markup

from leakjax.evaluate import headline
from leakjax.evaluate.document import GroupRow, Report
from leakjax.report import advice, alike, annex, backgrounds, recommend, shell, tables, verdict, words, worth
from leakjax.report.figures import examples_of

BARE = "label"  # the release that shows least: what an explanation alone stands beside

LEAKAGE = (
    "Each bar is what an explanation adds to the prediction under the first release, plain or hardened; "
    "the whisker is its 95 % interval. Where a whisker reaches 0, no leak was measured. Leaks planted "
    "evenly over all records did not show inside the grey band."
)
ROC = (
    "Each line is an attack on the explainer that adds most under the first release, from cautious (left) "
    "to bold (right): the higher it runs above the dotted line, the more training records it catches for "
    "the same false alarms. Both axes are logarithmic. Where the blue line runs on the broad one, the "
    "explanation adds nothing that was seen."
)
CURVE = (
    "Each mark is a hardening of the explainer that leaks most: the further right, the more of the "
    "explanation is left; the lower, the less it gives away. Bars are 95 % intervals. The ring is the "
    "recommended one."
)


class Card(NamedTuple):
    """A number that leads, what it is, and what it stands beside."""

    value: str
    name: str
    beside: str


def render(
    report: Report, images: Mapping[str, bytes], sections: Sequence[str] = (), *, on_paper: bool = False
) -> str:
    """The page of a report; everything that comes from the report is escaped.

    Args:
      report: what the audit found.
      images: its figures as PNGs, by name, as `leakjax.report.figures.images` draws them; in other looks, as
        `leakjax.report.figures.pictures` does, where they are there.
      sections: of other measurements: finished HTML, which is taken as it is.
      on_paper: whether report.pdf lies beside the page.
    """
    leading, worst = headline.lead(report.leakage), headline.worst(report.leakage)
    explainers = headline.explainers(report.leakage)
    others = [explainer for explainer in explainers if worst is None or explainer != worst.explainer]
    groups = _groups(report)
    show = partial(_example, report, images)
    content = shell.render(
        "page.html",
        dataset=report.task.dataset,
        alarm=words.alarm(report),
        records_shown=any(example.id is not None for example in report.examples),
        title=verdict.title(report),
        lead=verdict.lead(report),
        basis=verdict.basis(report),
        cards=_cards(report),
        steps=advice.next_steps(report),
        task=words.task(report),
        exclusions=words.exclusions(report),
        hardening=words.hardening(report),
        recommended=recommend.said(report),
        curve=shell.picture(images, "hardening", CURVE),
        leakage=tables.leakage(report),
        notes=[*words.marks(report), *words.fewer(report), *alike.said(report)],
        attacker=words.attacker(leading) if leading else "",
        worth_said=worth.said(report),
        worth=worth.listed(report),
        backgrounds_said=backgrounds.said(report),
        backgrounds=backgrounds.listed(report),
        pictures=[shell.picture(images, "leakage", LEAKAGE), shell.picture(images, "roc", _roc(report))],
        utility=tables.utility(report) if words.cost(report) else None,
        chance_of_top=_chance_of_top(report),
        example=show(worst.explainer) if worst else None,
        other_examples=[found for found in map(show, others) if found],
        exposed=words.exposed(report),
        groups=tables.groups(groups) if groups else None,
        controls=tables.controls(report),
        limits=words.limits(report),
        left_out=words.left_out(report),
        attacks=tables.attacks(report),
        settings=tables.settings(report),
        sections=[Markup(section) for section in sections],
        annex=annex.annex(report),
        on_paper=on_paper,
    )
    return shell.wrap(f"leakjax: {report.task.dataset}", content)


def _cards(report: Report) -> list[Card]:
    """The margin under the leading release, the explanation beside the bare class, and what hardening keeps."""
    worst = headline.worst(report.leakage)
    if worst is None:
        return []
    rate, margin = words.false_alarms(headline.rate(report.leakage)), headline.margin(report.leakage, worst)
    cards = [
        Card(
            words.signed(margin.value),
            "percentage points: what explanations add where the service shows "
            f"{words.released(worst.release)}",
            f"{words.verdict(report, margin)}; {worst.explainer}, at {rate}",
        )
    ]
    sole = headline.row(report.leakage, "explanation", worst.explainer, worst.defense)
    if sole is not None:
        release = BARE if BARE in headline.releases(report.leakage) else worst.release
        beside = headline.row(report.leakage, "both", worst.explainer, worst.defense, release=release)
        alone = words.percent(headline.alone(report.leakage, beside or worst))
        cards.append(
            Card(
                words.percent(headline.tpr(report.leakage, sole).value),
                "of training records found from the explanation alone",
                f"{words.released(release)}, alone: {alone}",
            )
        )
    return cards + _kept(report)


def _kept(report: Report) -> list[Card]:
    """What the recommended hardening leaves of an explanation."""
    tried = [name for name in headline.defenses(report.leakage) if name != headline.PLAIN]
    found = recommend.recommended(report)
    if found is None:
        why = f"of the {len(tried)} tried closes every leak" if tried else "was tried"
        return [Card("none", f"recommended: no hardening {why}", "see “How do I harden it?”")]
    if found.defense == headline.PLAIN:
        return [Card("none", "needed: plain explanations add nothing measurable", found.explainer)]
    return [
        Card(
            words.ratio(found.utility.cosine.value),
            "cosine to the plain explanation, kept by the recommended hardening (1 unchanged, 0 unrelated)",
            found.defense,
        )
    ]


def _chance_of_top(report: Report) -> str:
    chance = recommend.chance_of_top(report)
    return "about 10 %" if chance is None else words.percent(chance)


def _roc(report: Report) -> str:
    worst = headline.worst(report.leakage)
    both = headline.row(report.leakage, "both", worst.explainer) if worst else None
    if both and headline.fewer(report.leakage, both):
        return f"{ROC} The broad line is of all records, the others are of fewer."
    return ROC


def _example(report: Report, images: Mapping[str, bytes], explainer: str) -> shell.Picture | None:
    shown = any(example.id is not None for example in report.examples)
    of_whom = (
        "The inputs are records of the data set; the model that they explain was not trained on them."
        if shown
        else "The inputs are typical ones, each the mean of many records of a class: no record is shown."
    )
    description = (
        f"Inputs and their explanations by {explainer}, before and after hardening. Red speaks for the "
        f"class, blue against it; the explanations in a row share one scale. {of_whom}"
    )
    return shell.picture(images, examples_of(explainer), description)


def _groups(report: Report) -> Sequence[GroupRow]:
    """The rows of the predictions and of the worst explainer, or all where there are none of these."""
    worst = headline.worst(report.leakage)
    shown = (worst.explainer if worst else None, headline.PLAIN)
    return [row for row in report.groups if row.explainer in shown] or report.groups
