"""The figure of a study of what can be revealed, as PNG bytes: the paper's figure 8, drawn from trained models."""

from typing import TYPE_CHECKING

import numpy as np

from leakjax.papers.theorem.constructions import circle, raised_tangents, two_ends
from leakjax.papers.theorem.family import Family, answered
from leakjax.report.looks import WIDE, drawn, ink
from leakjax.report.plot import MARKS

if TYPE_CHECKING:  # matplotlib is imported where something is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REVEALED = "revealed"
_RECORDS = 6


def images(seed: int) -> dict[str, bytes]:
    """The figure, by its name. Args: seed: of the families that are drawn."""
    return drawn({REVEALED: lambda look: shown(seed)}, WIDE)


def shown(seed: int) -> "Figure":
    """Where each record is on top: a trained family of which two can be revealed, and two of which all can."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.0, 3.8), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    rng = np.random.default_rng(seed)
    _on_line(left, two_ends(rng, _RECORDS), np.linspace(-4, 4, 2001), "two of six: a class on either side")
    tangents = raised_tangents(rng, _RECORDS)
    _on_line(middle, tangents, np.linspace(-1, 8, 2001), "all of six: raised tangents")
    _in_plane(right, circle(rng, 2 * _RECORDS), "all of twelve: alternating labels on a circle")
    return figure


def _on_line(axes: "Axes", family: Family, at: np.ndarray, title: str) -> None:
    logistic = lambda w, b: 1 / (1 + np.exp(-(at * w - b)))
    full = logistic(family.w[0], family.b)
    top = answered(family, at[:, None])
    for record, (w, b) in enumerate(zip(family.ws[:, 0], family.bs, strict=True)):
        colour, _ = MARKS[record % len(MARKS)]
        values = np.abs(logistic(w, b) - full)
        axes.plot(at, values, color=colour, linewidth=0.9, alpha=0.6)
        axes.plot(at, np.where(top == record, values, np.nan), color=colour, linewidth=3.0)
    axes.set(title=title, xlabel="query", ylabel="magnitude of the influence")


def _in_plane(axes: "Axes", family: Family, title: str) -> None:
    side = np.linspace(-6, 6, 361)
    across, up = np.meshgrid(side, side)
    top = answered(family, np.stack([across.ravel(), up.ravel()], axis=1)).reshape(across.shape)
    axes.imshow(
        np.where(top < 0, np.nan, top),
        extent=(-6, 6, -6, 6),
        origin="lower",
        cmap="tab20",
        interpolation="nearest",
        aspect="equal",
    )
    axes.plot(np.cos(np.linspace(0, 7, 400)), np.sin(np.linspace(0, 7, 400)), color=ink(), linewidth=0.8)
    axes.set(title=title, xlabel="query", ylabel="")
