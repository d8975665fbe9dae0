"""The paper's figures 6, 7, 9, 10 and 15, as PNG bytes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from leakjax.records.document import LENGTHS, Draws
from leakjax.records.study import K
from leakjax.report.looks import LOOKS, PHONE, Look, drawn, ink, mixed, plain_ticks
from leakjax.report.plot import BLUE, VERMILION

if TYPE_CHECKING:  # matplotlib is imported where something is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MUTED = "#8fa3b3"
# How far each length of an explanation stands out from the paper: the longer, the more.
SHARES = {1: 0.4, 5: 0.7, 10: 1.0}


def images(
    summary: Draws, draws: Sequence[Mapping[str, Any]], sizes: Sequence[Mapping[str, float]]
) -> dict[str, bytes]:
    """Every figure that the results allow, by file name without suffix.

    Args:
      summary: Of all draws together.
      draws: The measurements of each draw.
      sizes: Rows `{"points", "k=1", "k=5", "k=10"}` for training sets of several sizes.
    """
    return drawn(
        {
            "figure6_self_revealing": lambda look: self_revealing(summary, look),
            "figure7_influence": lambda look: influence_histograms(draws[0]["membership"], look),
            "figure9_static": lambda look: static_curves(draws, look),
            "figure10_coverage": lambda look: coverage(draws, look),
            "figure15_sizes": lambda look: by_size(sizes, look) if sizes else None,
        }
    )


def self_revealing(summary: Draws, look: Look = LOOKS[""]) -> "Figure":
    """Figure 6: the share of records that explain themselves, with its interval over draws."""
    figure, axes = _axes(1, look, width=4.5)
    for place, k in enumerate(LENGTHS):
        share = summary.self_revealing[k]
        height = 100 * share.value
        below, above = height - 100 * share.low, 100 * share.high - height
        axes[0].bar(
            place, height, color=_shade(int(k)), width=0.6, yerr=[[below], [above]], capsize=4, ecolor=ink()
        )
        axes[0].text(place, 100 * share.high + 0.5, f"{height:.1f} %", ha="center", va="bottom")
    axes[0].set_xticks(range(len(LENGTHS)), [f"k = {k}" for k in LENGTHS])
    axes[0].set_ylabel("records that reveal themselves (%)")
    return figure


def influence_histograms(membership: Mapping[str, Any], look: Look = LOOKS[""]) -> "Figure":
    """Figure 7: the leading influence of members (the revealed ones marked) and of non-members."""
    figure, axes = _axes(2, look, width=8.5)
    member, other = (np.array(membership[name]) for name in ("member_influence", "other_influence"))
    revealed = np.zeros(len(member), bool)
    revealed[membership["revealed"]["1"]] = True
    both = np.concatenate([member, other])
    # The few queries that nothing influences would stretch the axis by ten orders of magnitude.
    low, high = np.quantile(both[both > 0], 0.005), both.max() * 1.001
    bins = np.geomspace(low, high, 40).tolist()
    member, other = member.clip(low), other.clip(low)
    axes[0].hist([member[revealed], member[~revealed]], bins, stacked=True, color=[VERMILION, MUTED])
    axes[0].legend(["explained by itself", "explained by others"])
    axes[0].set_title("members")
    axes[1].hist(other, bins, color=MUTED)
    axes[1].set_title("non-members")
    for axis in axes:
        axis.set_xscale("log")
        plain_ticks(axis.xaxis)
        axis.set_xlabel("influence of the most influential record")
        axis.set_ylabel("queries")
    return figure


def static_curves(draws: Sequence[Mapping[str, Any]], look: Look = LOOKS[""]) -> "Figure":
    """Figure 9: the share of records that static batches of queries reveal, mean and range over draws."""
    names = list(draws[0]["static"])
    figure, axes = _axes(len(names), look, width=4 * len(names), sharey=True)
    for axis, name in zip(axes, names, strict=True):
        for k in K:
            curves = 100 * np.stack(
                [np.array(d["static"][name][str(k)]) / d["membership"]["records"] for d in draws]
            )
            asked = np.arange(1, curves.shape[1] + 1)
            axis.plot(asked, curves.mean(axis=0), color=_shade(k), label=f"k = {k}")
            axis.fill_between(
                asked, curves.min(axis=0), curves.max(axis=0), color=_shade(k), alpha=0.15, lw=0
            )
        axis.set_title({"true": "true distribution", "marginal": "marginals"}.get(name, name))
        axis.set_xlabel("queries")
    axes[0].set_ylabel("records revealed (%)")
    axes[0].legend()
    return figure


def coverage(draws: Sequence[Mapping[str, Any]], look: Look = LOOKS[""]) -> "Figure":
    """Figure 10: how much of the training set a walk from a random record reveals."""
    figure, axes = _axes(1, look, width=6)
    shares = np.concatenate(
        [100 * np.array(d["graph"]["coverage"]) / d["membership"]["records"] for d in draws]
    )
    axes[0].hist(shares, bins=40, weights=np.full(len(shares), 100 / len(shares)), color=MUTED)
    axes[0].set_xlabel("records revealed by walking (%)")
    axes[0].set_ylabel("starting records (%)")
    return figure


def by_size(sizes: Sequence[Mapping[str, float]], look: Look = LOOKS[""]) -> "Figure":
    """Figure 15: the share of self-revealing records against the size of the training set."""
    figure, axes = _axes(1, look, width=6)
    points = sorted({row["points"] for row in sizes})
    for k in K:
        values = [[100 * row[f"k={k}"] for row in sizes if row["points"] == count] for count in points]
        axes[0].plot(points, [np.mean(v) for v in values], "o-", color=_shade(k), label=f"k = {k}")
        axes[0].fill_between(
            points, [min(v) for v in values], [max(v) for v in values], color=_shade(k), alpha=0.15, lw=0
        )
    axes[0].set_xscale("log")
    axes[0].set_xticks(points, [str(count) for count in points])
    axes[0].minorticks_off()
    axes[0].set_xlabel("training points")
    axes[0].set_ylabel("records that reveal themselves (%)")
    axes[0].legend()
    return figure


def _shade(k: int) -> tuple[float, float, float]:
    return mixed(BLUE, SHARES[k])


def _axes(count: int, look: Look, *, width: float, sharey: bool = False) -> "tuple[Figure, list[Axes]]":
    """Panels in a row, or on a phone in a column."""
    from matplotlib.figure import Figure

    size = (PHONE, 3.0 * count) if look.narrow else (width, 3.4)
    figure = Figure(figsize=size, layout="constrained")
    places = (count, 1) if look.narrow else (1, count)
    return figure, list(figure.subplots(*places, squeeze=False, sharey=sharey).ravel())
