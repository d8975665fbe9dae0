"""The inversion section of an HTML report, alone on its page or at the end of an audit's."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from leakjax._validate import UsageError, fail
from leakjax.evaluate.document import Estimate, from_json
from leakjax.inversion.document import AttackRow, InversionReport
from leakjax.report import shell, tables, words
from leakjax.report.inversion import figures

CAPTIONS: dict[str, str] = {
    "reconstructions": "Points that no target model was trained on, and what attackers made of answers about them: "
    "these attacks find what an answer is about, whoever was trained on. Every row but the first is one attack.",
    "guards": "What each attack reached under each guard, relative to the plain explanation: 1 is no protection, 0 "
    "is what the prediction alone gives.",
}


def of_workdir(workdir: Path) -> Markup:
    """The section of a finished run of experiments.inversion, for the page of an audit.

    Raises:
      UsageError: `workdir` does not hold such a run.
    """
    rule = "must be a finished workdir of experiments.inversion"
    try:
        report = from_json(InversionReport, json.loads((workdir / "report.json").read_text()))
    except OSError as error:
        raise fail("inversion", str(workdir), f"{rule}; no report.json ({error.strerror})") from None
    except UsageError as error:
        raise fail("inversion", str(workdir), f"{rule}; {error}") from None
    except ValueError:
        raise fail("inversion", str(workdir), "its report.json is damaged") from None
    images = {path.stem: path.read_bytes() for path in (workdir / "figures").glob("*.png")}
    return section(report, images, level=2)


def page(report: InversionReport, images: Mapping[str, bytes]) -> str:
    """The section on a page of its own."""
    return shell.wrap(f"leakjax: inversion of {report.task.dataset}", section(report, images, level=1))


def section(report: InversionReport, images: Mapping[str, bytes], *, level: int) -> Markup:
    """The section on attacks behind an oracle, as an HTML fragment.

    Args:
      report: what a study found.
      images: PNGs by name.
      level: of its heading; those inside are one below.
    """
    names = list(dict.fromkeys(row.attack for row in report.attacks))
    return shell.render(
        "inversion.html",
        level=level,
        dataset=report.task.dataset,
        lead=lead(report),
        attacks=[
            {
                "name": name,
                "knows": report.knows[name],
                "table": _attack([row for row in report.attacks if row.attack == name]),
            }
            for name in names
        ],
        claims=_table(
            ["the source says", "here", "what was measured"],
            ([claim.claim, claim.verdict, claim.why] for claim in report.claims),
            numbers=False,
        ),
        guards=guards(report),
        pictures={name: shell.picture(images, name, text) for name, text in CAPTIONS.items()},
    )


def lead(report: InversionReport) -> str:
    """The finding in a few sentences."""
    task = report.task
    models = max((row.models for row in report.attacks), default=0)
    text = (
        f"{models} target models on {task.dataset} ({task.model}, accuracy {words.percent(task.accuracy)} on points "
        f"that they were not trained on), attacked through an oracle that shows answers and nothing else."
    )
    gains = [
        row
        for row in report.attacks
        if row.guard == "none" and row.margin is not None and "share" in row.measure
    ]
    if gains:
        best = max(gains, key=lambda row: (row.margin.value if row.margin else 0.0, -row.explained))
        without = best.baseline.value if best.baseline else 0.0
        text += (
            f" The explanation adds most to {best.attack} ({best.setting}): {words.percent(best.found.value)} against "
            f"{words.percent(without)} without it."
        )
    return text


def _attack(rows: Sequence[AttackRow]) -> tables.Table:
    """The rows of one attack, without columns that none of them fills."""
    extra = [
        name
        for name in ("baseline", "margin", "control", "ceiling")
        if any(getattr(row, name) for row in rows)
    ]
    head = ["what is counted", "setting", "guard", "found", *extra, "explained", "plain queries"]
    return _table(
        head,
        (
            [
                row.measure,
                row.setting,
                row.guard,
                number(row.found),
                *(number(getattr(row, name)) for name in extra),
                f"{row.explained:,.0f}",
                f"{row.plain:,.0f}",
            ]
            for row in rows
        ),
        texts=3,
    )


def guards(report: InversionReport) -> tables.Table:
    """What is left of each attack's gain under each guard, or why the two do not meet."""
    left = {at: f"{share:.2f}" for at, share in figures.kept(report.attacks).items()}
    absent = {(each.attack, each.guard): each.why for each in report.left_out}
    attacks = list(dict.fromkeys(attack for attack, _ in left))
    names = list(dict.fromkeys(guard for _, guard in (*left, *absent)))
    cells = left | {at: why for at, why in absent.items() if at not in left}
    own = "set for another attack"
    return _table(
        ["guard", *attacks],
        ([name, *(cells.get((attack, name), own) for attack in attacks)] for name in names),
        numbers=False,
    )


def number(value: Estimate | None) -> str:
    """An estimate with its interval, in three digits; a dash for None."""
    if value is None:
        return "-"
    return f"{value.value:.3g} ({value.low:.3g} to {value.high:.3g})"


def _table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, texts: int = 1, numbers: bool = True
) -> tables.Table:
    """A table whose first columns are texts and whose others are numbers."""
    kinds = {
        name: tables.TEXT if place < texts or not numbers else tables.NUMBER
        for place, name in enumerate(head)
    }
    return tables.table(kinds, rows)
