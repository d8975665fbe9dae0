"""A report in a few lines: for a prompt, a notebook, a paper."""

import html
import math
from collections.abc import Callable
from typing import NamedTuple

from leakjax.evaluate import headline
from leakjax.evaluate.document import Estimate, Rate, Report

_MOST_LINES = 12  # in a notebook
_HEAD = ("release", "explainer", "defense", "prediction", "explanation", "both", "margin")
_LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


class Line(NamedTuple):
    """What one explanation gives away beside one release of the prediction, at one rate.

    Attributes:
      release: what the service shows of its prediction.
      explainer: its name.
      defense: its name, "none" for plain explanations.
      prediction: the share of members that the prediction alone catches, of the same points.
      explanation: that the explanation alone catches; None where it was not measured.
      both: that both together catch.
      margin: what the explanation adds, `both` minus `prediction`, paired.
    """

    release: str
    explainer: str
    defense: str
    prediction: float
    explanation: Estimate | None
    both: Estimate
    margin: Estimate


def lines(report: Report, fpr: Rate | None = None) -> list[Line]:
    """A line for each release, explainer and defense, by the headline attack, in the order of the report.

    Args:
      report: what an audit found.
      fpr: the false-positive rate; None: the headline one.
    """
    leading, found = headline.lead(report.leakage), []
    rate = fpr or headline.rate(report.leakage)
    for row in report.leakage:
        if leading is None or row.margin is None or row.attack != leading.attack:
            continue
        both, margin = row.tpr_at_fpr[rate], row.margin.tpr_at_fpr[rate]
        sole = headline.row(report.leakage, "explanation", row.explainer, row.defense)
        found.append(
            Line(
                row.release,
                row.explainer,
                row.defense,
                both.value - margin.value,
                None if sole is None else sole.tpr_at_fpr[rate],
                both,
                margin,
            )
        )
    return found


def text(report: Report) -> str:
    """The report in one line."""
    task, worst = report.task, headline.worst(report.leakage)
    said = f"{task.dataset}, {task.models:,} models, {task.audited_points:,} points"
    if worst is not None:
        margin = headline.margin(report.leakage, worst)
        said += f"; {worst.explainer} adds {_signed(margin)} points at {_rate(report)} false positives"
    failed = sum(not control.passed for control in report.controls)
    said += f"; {len(report.controls) - failed} of {len(report.controls)} controls passed"
    return f"<Report: {said}>"


def notebook(report: Report) -> str:
    """The report as HTML for a notebook: one sentence, and a table of its first lines."""
    found = lines(report)
    head = "".join(f"<th>{name}</th>" for name in _HEAD)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(line, str)) + "</tr>"
        for line in found[:_MOST_LINES]
    )
    more = len(found) - _MOST_LINES
    rest = f"<p>{more} more in to_frame()</p>" if more > 0 else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if found else ""
    return f"<p>{html.escape(text(report)[1:-1])}</p>{table}{rest}"


def latex(report: Report) -> str:
    r"""The lines as a table in LaTeX, of the package booktabs: \input it inside a table environment."""
    rows = [" & ".join(_cells(line, _escaped)) + r" \\" for line in lines(report)]
    return "\n".join(
        [
            f"% Members caught in per cent at {_escaped(_rate(report))} false positives, what the explanation adds in "
            "percentage points with its 95 % interval.",
            r"\begin{tabular}{lllrrrl}",
            r"\toprule",
            " & ".join(_HEAD) + r" \\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _cells(line: Line, shown: Callable[[str], str]) -> list[str]:
    sole = "" if line.explanation is None else _percent(line.explanation.value)
    names = [shown(name) for name in (line.release, line.explainer, line.defense)]
    return [*names, _percent(line.prediction), sole, _percent(line.both.value), _signed(line.margin)]


def _percent(share: float) -> str:
    return f"{100 * share:.1f}" if math.isfinite(share) else "?"


def _signed(margin: Estimate) -> str:
    if not headline.known(margin):
        return "?"
    value, low, high = (round(100 * end, 2) + 0.0 for end in (margin.value, margin.low, margin.high))
    return f"{value:+.2f} ({low:+.2f} to {high:+.2f})"


def _rate(report: Report) -> str:
    return f"{100 * float(headline.rate(report.leakage)):g} %"


def _escaped(name: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in name)
