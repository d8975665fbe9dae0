"""What a search found: a figure of the fronts, JSON and a table."""

import io
import json
import math
from collections.abc import Sequence
from typing import Any

from leakjax._workdir import Workdir
from leakjax.hardening.search import Tried


def plain(one: Tried, shape: tuple[int, ...]) -> dict[str, Any]:
    """A setting as JSON holds it."""
    return {
        "defense": one.chain(shape).name,
        "family": one.family.name,
        "excess": one.excess,
        "lost": one.lost,
        "mask_correlation": one.mask_correlation,
    }


def table(found: Sequence[dict[str, Any]]) -> str:
    """One row an explainer and defense, in Markdown."""
    lines = [
        "| explainer | defense | margin beyond the label, points | cut | utility lost | mask correlation | cosine |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in found:
        for row in each["rows"]:
            cut = "nothing to cut" if math.isnan(row["cut"]) else _share(row["cut"], row["cut_error"])
            lost = "at chance" if math.isnan(row["lost"]) else _share(row["lost"], row["lost_error"])
            margin = f"{100 * row['margin']:.2f} ± {200 * row['error']:.2f}"
            rest = f"{row['mask_correlation']:.3f} | {row['cosine']:.3f}"
            lines.append(f"| {each['explainer']} | `{row['defense']}` | {margin} | {cut} | {lost} | {rest} |")
    lines.append("")
    for each in found:
        count, rank = each["rank_correlation"]["settings"], each["rank_correlation"]["spearman"]
        lines.append(
            f"{each['explainer']}: utility by {each['figure']}; the cheap attack and the audit's attack rank {count} "
            f"settings of the front alike to {rank:.2f} (Spearman)."
        )
    return "\n".join(lines)


def write(found: Sequence[dict[str, Any]], dataset: str, workdir: Workdir) -> None:
    """Writes harden.json, harden.md and front.png into the folder of a run."""
    text = json.dumps({"dataset": dataset, "explainers": list(found)}, indent=1, default=float)
    workdir.write("harden.json", text.replace("NaN", "null").encode())
    workdir.write("harden.md", (table(found) + "\n").encode())
    workdir.write("front.png", figure(found))


def figure(found: Sequence[dict[str, Any]]) -> bytes:
    """The fronts, one panel an explainer: utility lost against what the explanation adds."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(4 * len(found), 3.4), layout="constrained")
    panels = drawn.subplots(1, len(found), squeeze=False)[0]
    for panel, each in zip(panels, found, strict=True):
        for name, style in (("tried", {"s": 6, "alpha": 0.3}), ("front", {"s": 18})):
            panel.scatter(
                [100 * one["lost"] for one in each[name]],
                [100 * one["excess"] for one in each[name]],
                label=name,
                **style,
            )
        panel.set(
            title=each["explainer"], xlabel=f"{each['figure']} lost, %", ylabel="added to the label, points"
        )
        panel.legend()
    out = io.BytesIO()
    drawn.savefig(out, format="png", dpi=110)
    return out.getvalue()


def _share(value: float, error: float) -> str:
    return f"{100 * value:.1f} % ± {200 * error:.1f}"
