"""Ways of training beside each other, each audited: what predictions and explanations leak, and what it costs."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from leakjax.evaluate import headline
from leakjax.evaluate.document import Estimate, Report
from leakjax.evaluate.headline import unique
from leakjax.report import markdown, words
from leakjax.report.looks import ink, png
from leakjax.report.plot import MARKS, percents

if TYPE_CHECKING:  # matplotlib is imported where something is drawn
    from matplotlib.figure import Figure

_HEAD = (
    "training",
    "epsilon",
    "accuracy",
    "gap",
    "beside",
    "prediction",
    "explanation alone",
    "explanation adds",
)


@dataclasses.dataclass(frozen=True)
class Row:
    """One training beside one release, under the headline attack at the headline rate.

    Attributes:
      training: its name.
      release: what is shown of the prediction.
      fpr: the headline rate.
      epsilon: of private training; None where nothing was private.
      accuracy: on points that were not trained on.
      gap: accuracy on own points less that.
      prediction: share of members that the prediction alone catches.
      explanation: .. that the plain explanation alone catches, of the explainer that is listed first.
      margin: .. that both catch beyond the prediction.
    """

    training: str
    release: str
    fpr: str
    epsilon: float | None
    accuracy: float
    gap: float
    prediction: Estimate
    explanation: Estimate
    margin: Estimate


def rows(training: str, report: Report) -> list[Row]:
    """What a report says of privacy, accuracy and leakage, a row for each release.

    Args:
      training: the name of how its models were trained.
      report: an audit with at least one plain explanation.
    """
    task, leakage = report.task, report.leakage
    explainer = headline.explainers(leakage)[0]
    found = []
    for release in headline.releases(leakage):
        prediction, explanation, both = (
            headline.row(leakage, view, *names, release=release)
            for view, names in (("prediction", ()), ("explanation", (explainer,)), ("both", (explainer,)))
        )
        assert prediction is not None  # one attack attacks all three
        assert explanation is not None
        assert both is not None
        found.append(
            Row(
                training,
                release,
                headline.rate(leakage),
                task.private.epsilon if task.private else None,
                task.test_accuracy.value,
                task.generalisation_gap.value,
                headline.tpr(leakage, prediction),
                headline.tpr(leakage, explanation),
                headline.margin(leakage, both),
            )
        )
    return found


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown; shares in percent, what is added in points."""
    lines = [
        (
            row.training,
            "not private" if row.epsilon is None else f"{row.epsilon:.3g}",
            words.percent(row.accuracy),
            words.percent(row.gap),
            row.release,
            words.with_interval(row.prediction, words.percent),
            words.with_interval(row.explanation, words.percent),
            words.with_interval(row.margin, words.signed),
        )
        for row in rows
    ]
    return markdown.table(_HEAD, lines)


def image(rows: Sequence[Row]) -> bytes:
    """A PNG of three panels that share their trainings: accuracy, what predictions leak, what explanations add."""
    return png(figure(rows))


def figure(rows: Sequence[Row]) -> "Figure":
    """The figure of `image`."""
    from matplotlib.figure import Figure

    names, releases = unique(row.training for row in rows), unique(row.release for row in rows)
    drawn = Figure(figsize=(11.0, 1.6 + 0.4 * len(names)), layout="constrained")
    accuracy, *panels = drawn.subplots(1, 3, sharey=True)
    by_name = {row.training: row for row in rows}
    accuracy.plot([100 * by_name[name].accuracy for name in names], range(len(names)), "o", color=ink())
    accuracy.set_xlabel("accuracy on unseen points, %")
    shown = {"prediction": "caught by the prediction, %", "margin": "added by the explanation, points"}
    for panel, (field, label) in zip(panels, shown.items(), strict=True):
        for place, release in enumerate(releases):
            own = [row for row in rows if row.release == release]
            at = np.array([names.index(row.training) for row in own]) + 0.15 * (
                place - (len(releases) - 1) / 2
            )
            value, low, high = percents([getattr(row, field) for row in own])
            colour, mark = MARKS[place % len(MARKS)]
            panel.errorbar((low + high) / 2, at, xerr=(high - low) / 2, fmt="none", color=colour, capsize=2)
            panel.plot(value, at, mark, color=colour, markersize=4, label=release)
        panel.set_xlabel(label)
        panel.grid(axis="x", color=ink(0.12))
    accuracy.set_yticks(range(len(names)), names)
    accuracy.set_ylim(len(names) - 0.5, -0.5)
    panels[-1].axvline(0.0, color=ink(0.75), linewidth=1.0)
    drawn.legend(*panels[-1].get_legend_handles_labels(), loc="outside lower center", ncols=len(releases))
    return drawn
