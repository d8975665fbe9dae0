"""report.html: one page that needs nothing else, for a model owner who has not read the papers."""

from collections.abc import Mapping, Sequence

from leakjax.report import headline, shell, tables, words
from leakjax.report.figures import examples_of
from leakjax.report.schema import Report
from leakjax.report.tables import escaped

SHOWN = 20  # records in a table of the page; report.json has all
LEAKAGE = (
    "Each bar is what an explanation adds to the prediction, plain or hardened; the whisker is its 95 % "
    "interval. A whisker that reaches 0 is no measurable extra leakage. Leaks planted evenly over all "
    "records did not show inside the grey band."
)
ROC = (
    "Each line is an attack on the explainer that adds most, from cautious (left) to bold (right): the "
    "higher it runs above the dotted line, the more training records it catches for the same false alarms. "
    "Both axes are logarithmic. Where the blue line runs on the black one, the explanation adds nothing that "
    "was seen."
)


def render(report: Report, images: Mapping[str, bytes], sections: Sequence[str] = ()) -> str:
    """The page of a report; everything that comes from the report is escaped.

    Args:
        report: what the audit found.
        images: its figures as PNGs, by name, as `leakjax.report.figures.images` draws them.
        sections: of other measurements: finished HTML, which is taken as it is.
    """
    leading = headline.lead(report)
    content = shell.template("page.html").substitute(
        dataset=escaped(report.task["dataset"]),
        alarm=_alarm(report),
        lead=escaped(words.lead(report)),
        cards=_cards(report),
        task=escaped(words.task(report)),
        exclusions=_paragraphs(words.exclusions(report)),
        hardening=_paragraphs(words.hardening(report)),
        leakage=tables.leakage(report),
        fewer=_paragraphs(words.fewer(report)),
        headline_attack=escaped(words.attacker(leading)) if leading else "",
        figures=_figure(images, "leakage", LEAKAGE) + _figure(images, "roc", _roc(report)),
        cost=_paragraphs(words.cost(report)) or "<p>No defense was tried.</p>",
        utility=_utility(report),
        examples=_examples(report, images),
        exposed=_exposed(report),
        groups=_groups(report),
        controls=tables.controls(report),
        limits="\n".join(f"<li>{escaped(limit)}</li>" for limit in words.limits(report)),
        rows=tables.attacks(report),
        settings=tables.settings(report),
        sections="\n".join(sections),
    )
    return shell.wrap(f"leakjax: {report.task['dataset']}", content)


def _alarm(report: Report) -> str:
    alarm = words.alarm(report)
    return f'<div class="alarm" role="alert"><strong>{escaped(alarm)}</strong></div>' if alarm else ""


def _cards(report: Report) -> str:
    rate = words.false_alarms(headline.rate(report))
    explainer = headline.worst(report) or ""
    shares = {"prediction alone": headline.alone(report, headline.row(report, "both", explainer))}
    for defense in headline.defenses(report):
        named = f"with {explainer}" if defense == headline.PLAIN else f"hardened with {defense}"
        row = headline.row(report, "both", explainer, defense)
        if row:
            shares[named] = headline.tpr(report, row)["value"]
    return "\n".join(
        f'<div class="card"><b>{words.percent(share)}</b>'
        f"{escaped(name)}<br><span>of training records caught at {rate}</span></div>"
        for name, share in shares.items()
        if share is not None
    )


def _roc(report: Report) -> str:
    both = headline.row(report, "both", headline.worst(report) or "")
    if both and headline.fewer(report, both):
        return f"{ROC} The black line is of all records, the others are of fewer."
    return ROC


def _utility(report: Report) -> str:
    if not words.cost(report):
        return ""
    return (
        f'<div class="wide">{tables.utility(report)}</div>\n'
        '<p class="note">A cosine of 1 is an unchanged direction. Top features kept: how many of the most '
        "important features are still among the most important. Relative change: the size of the change, "
        "relative to that of the plain explanation.</p>\n"
    )


def _examples(report: Report, images: Mapping[str, bytes]) -> str:
    worst = headline.worst(report) or ""
    others = [explainer for explainer in headline.explainers(report) if explainer != worst]
    hidden = "".join(_example(images, explainer) for explainer in others)
    return _example(images, worst) + (
        f"<details><summary>Examples of the other explainers</summary>{hidden}</details>\n" if hidden else ""
    )


def _example(images: Mapping[str, bytes], explainer: str) -> str:
    description = (
        f"Inputs and their explanations by {explainer}, before and after hardening. Red speaks for the "
        "class, blue against it; the explanations in a row share one scale."
    )
    return _figure(images, examples_of(explainer), description)


def _exposed(report: Report) -> str:
    if not report.exposed:
        return "<p>None were listed.</p>"
    rate = words.false_alarms(headline.rate(report))
    more = f" report.json has all {len(report.exposed)}." if len(report.exposed) > SHOWN else ""
    return (
        "<p>These records are recognised most surely. “Caught” is the share of the models trained on a "
        f"record in which the attack found it, at {rate}.{more}</p>\n"
        f'<div class="wide">{tables.exposed(report.exposed[:SHOWN])}</div>'
    )


def _groups(report: Report) -> str:
    rows = [
        row for row in report.groups if row["explainer"] in (headline.worst(report), "none")
    ] or report.groups
    if not rows:
        return ""
    return (
        "<h2>Who is exposed</h2>\n<p>The same attack, with one threshold for all, counted within groups of "
        "records. report.json has every explainer.</p>\n"
        f'<div class="wide">{tables.groups(rows)}</div>'
    )


def _figure(images: Mapping[str, bytes], name: str, description: str) -> str:
    return shell.figure(images[name], description) if name in images else ""


def _paragraphs(sentences: list[str]) -> str:
    return "\n".join(f"<p>{escaped(sentence)}</p>" for sentence in sentences)
