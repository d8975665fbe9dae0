"""The figures of a study of overfitting, as PNG bytes: the paper's figures 1, 2, 3 and 12."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from leakjax.evaluate.document import Estimate
from leakjax.papers.overfitting import attacks
from leakjax.papers.overfitting.document import AttackRow, Overfitting
from leakjax.report.looks import WIDE, drawn, ink
from leakjax.report.plot import BLUE, GREEN, INK, MARKS, ORANGE, PURPLE, SKY, VERMILION

if TYPE_CHECKING:  # matplotlib is imported where something is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ATTACKS, TREE, CORRELATIONS, EXPLAINERS = "attacks", "tree", "correlations", "explainers"
_SEES = {
    attacks.GRADIENT: (BLUE, "o"),
    attacks.AND_LABEL: (SKY, "P"),
    attacks.PREDICTION: (INK, "s"),
    attacks.BOTH: (GREEN, "D"),
    attacks.LOSS: (VERMILION, "^"),
    attacks.LABEL: ("0.6", "x"),
}
_PANELS = (("neural", "known_half"), ("neural", "shadows"), ("stacked", "shadows"))


def images(found: Overfitting) -> dict[str, bytes]:
    """Every figure that the results allow, by name."""
    if not found.gaps:
        return {}
    every = any(one.explainer.startswith("lrp") for one in found.attacks)
    return drawn(
        {
            ATTACKS: lambda look: information(found),
            TREE: lambda look: tree(found),
            CORRELATIONS: lambda look: correlated(found),
            EXPLAINERS: lambda look: explainers(found) if every else None,
        },
        WIDE,
    )


def _grid(found: Overfitting, columns: int, height: float) -> "tuple[Figure, np.ndarray, list[str]]":
    from matplotlib.figure import Figure

    datasets = list(dict.fromkeys(one.dataset for one in found.gaps))
    figure = Figure(figsize=(3.9 * columns, 1.0 + height * len(datasets)), layout="constrained")
    return figure, figure.subplots(len(datasets), columns, squeeze=False), datasets


def _plain(rows: Sequence[AttackRow]) -> list[AttackRow]:
    """Rows of the gradient that all gaps have, and those that see no explanation."""
    names = {one.explainer for one in rows if one.sees == attacks.NORMALISED} | {"none"}
    return [one for one in rows if one.explainer in names]


def information(found: Overfitting) -> "Figure":
    """Accuracy against the gap, by what the attacker sees; a row of panels a data set, a column a way to learn."""
    figure, panels, datasets = _grid(found, 2, 3.0)
    for line, dataset in zip(panels, datasets, strict=True):
        own = [one for one in _plain(found.attacks) if one.dataset == dataset]
        for panel, (attack, learns) in zip(
            line, (("neural", "known_half"), ("stacked", "shadows")), strict=True
        ):
            for sees, (colour, mark) in _SEES.items():
                kinds = {(attack, learns), ("threshold", learns)}
                rows = [one for one in own if one.sees == sees and (one.attack, one.learns) in kinds]
                _line(panel, [one.gap for one in rows], [one.accuracy for one in rows], colour, mark, sees)
            panel.axhline(0.5, color=ink(0.4), linewidth=0.8, linestyle=":")
            panel.set_title(f"{dataset}: {attack}, {learns.replace('_', ' ')}", loc="left", fontsize=10)
            panel.set_xlabel("gap of accuracy")
        line[0].set_ylabel("accuracy of the attack")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def tree(found: Overfitting) -> "Figure":
    """The network on the gradient, the tree on its 1-norm, and the network on normalised gradients, by the gap."""
    figure, panels, datasets = _grid(found, 1, 2.8)
    shown = (
        ("neural", attacks.GRADIENT, "network, gradient", BLUE, "o"),
        ("tree", attacks.NORM, "tree, 1-norm", ORANGE, "s"),
        ("neural", attacks.NORMALISED, "network, normalised gradient", PURPLE, "D"),
        ("neural", attacks.LABEL, "network, class alone", "0.6", "x"),
    )
    figure.set_size_inches(5.6, figure.get_size_inches()[1])
    for panel, dataset in zip(panels[:, 0], datasets, strict=True):
        own = [one for one in _plain(found.attacks) if (one.dataset, one.learns) == (dataset, "known_half")]
        for attack, sees, what, colour, mark in shown:
            rows = [one for one in own if (one.attack, one.sees) == (attack, sees)]
            _line(panel, [one.gap for one in rows], [one.accuracy for one in rows], colour, mark, what)
        panel.axhline(0.5, color=ink(0.4), linewidth=0.8, linestyle=":")
        panel.set(title=dataset, ylabel="accuracy of the attack", xlabel="gap of accuracy")
    panels[0, 0].legend(fontsize=8)
    return figure


def correlated(found: Overfitting) -> "Figure":
    """What correlates with membership, by the gap."""
    figure, panels, datasets = _grid(found, 1, 2.8)
    figure.set_size_inches(5.6, figure.get_size_inches()[1])
    for panel, dataset in zip(panels[:, 0], datasets, strict=True):
        own = [one for one in found.gaps if one.dataset == dataset]
        at = [one.gap.value for one in own]
        for place, (field, what) in enumerate(
            (("norm", "1-norm of the gradient"), ("variance", "variance of the prediction"), ("loss", "loss"))
        ):
            colour, mark = MARKS[place]
            _line(panel, at, [getattr(one, field) for one in own], colour, mark, what)
        panel.axhline(0.0, color=ink(0.4), linewidth=0.8)
        panel.set(title=dataset, ylabel="correlation with membership", xlabel="gap of accuracy")
    panels[0, 0].legend(fontsize=8)
    return figure


def explainers(found: Overfitting) -> "Figure":
    """Accuracy by explainer at the largest gap, in each way to learn."""
    from matplotlib.figure import Figure

    datasets = [
        name
        for name in dict.fromkeys(one.dataset for one in found.gaps)
        if any(one.dataset == name and one.explainer.startswith("lrp") for one in found.attacks)
    ]
    figure = Figure(figsize=(7.4, 0.9 + 2.6 * len(datasets)), layout="constrained")
    panels = figure.subplots(len(datasets), 1, squeeze=False)[:, 0]
    for panel, dataset in zip(panels, datasets, strict=True):
        own = [one for one in found.attacks if one.dataset == dataset and one.sees == attacks.GRADIENT]
        last = max(one.gap for one in own)
        own = [one for one in own if one.gap == last]
        names = list(dict.fromkeys(one.explainer for one in own))
        for place, (attack, learns) in enumerate(_PANELS):
            rows = [one for one in own if (one.attack, one.learns) == (attack, learns)]
            height = [names.index(one.explainer) + 0.2 * (place - 1) for one in rows]
            colour, mark = MARKS[place]
            low, middle, high = _ends([one.accuracy for one in rows])
            panel.plot(middle, height, mark, color=colour, label=f"{attack}, {learns.replace('_', ' ')}")
            panel.errorbar(
                (low + high) / 2, height, xerr=(high - low) / 2, fmt="none", color=colour, capsize=2
            )
        panel.axvline(0.5, color=ink(0.4), linewidth=0.8, linestyle=":")
        panel.set_yticks(range(len(names)), names)
        panel.invert_yaxis()
        panel.set(title=dataset, xlabel="accuracy of the attack")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _line(
    axes: "Axes", at: Sequence[float], values: Sequence[Estimate], colour: str, mark: str, what: str
) -> None:
    if not values:
        return
    low, middle, high = _ends(values)
    shade = colour or ink()
    axes.plot(at, middle, mark, linestyle="-", color=shade, ms=4, lw=1.2, label=what)
    axes.errorbar(at, (low + high) / 2, yerr=(high - low) / 2, fmt="none", color=shade, capsize=2, lw=1)


def _ends(values: Sequence[Estimate]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    low, middle, high = (np.array([getattr(one, end) for one in values]) for end in ("low", "value", "high"))
    return low, middle, high
