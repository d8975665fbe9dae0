"""The records section of the HTML report, and a page around it that needs nothing else."""

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

NAMES = {
    "components": "influence graph: components",
    "singletons": "components of one record",
    "largest": "largest component",
    "max_in_degree": "largest in-degree",
    "in_degree_zero": "in-degree 0",
}
CAPTIONS = {
    "figure6_self_revealing": "Share of training records that appear in their own explanation, with its 95 % "
    "interval over draws. Such a record is given away by one query, without doubt.",
    "figure7_influence": "Influence of the leading record, for members and for non-members. Red: members "
    "that lead their own explanation.",
    "figure9_static": "Training records revealed by a fixed batch of queries: random values, features drawn "
    "from their marginals, and real points that were not trained on. Bands span the draws.",
    "figure10_coverage": "Training records revealed by asking for the explanation of every revealed record "
    "in turn, from every possible start.",
    "figure15_sizes": "Self-revealing records against the size of the training set: the share falls, the "
    "number grows.",
}
STYLE = """body{font:16px/1.5 system-ui,sans-serif;color:#22303c}
body{max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums;display:block;overflow-x:auto}
th,td{padding:.3rem .7rem;text-align:right;border-bottom:1px solid
#d8dfe5}th{font-weight:600;vertical-align:bottom}
td:first-child,th:first-child{text-align:left}img{max-width:100%}figure{margin:1.5rem
0}figcaption{color:#566573} .lead{font-size:1.2rem}"""


def page(report: Mapping[str, Any], images: Mapping[str, bytes]) -> str:
    """A page of its own around the section."""
    title = f"leakjax: records of {html.escape(report['task']['dataset'])}"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>'
        f"<h1>{title}</h1>{section(report, images)}</body></html>\n"
    )


def section(report: Mapping[str, Any], images: Mapping[str, bytes]) -> str:
    """The section on record-based explanations, as an HTML fragment.

    Args:
        report: The document that experiments.records writes as report.json.
        images: PNGs by name, of figures.images.
    """
    results, task = report["results"], report["task"]
    draws = results["draws"]
    parts = [f'<section id="records"><p class="lead">{html.escape(lead(report))}</p>']
    if results.get("beside_paper"):
        parts += [
            "<h2>Beside the paper</h2>",
            table(
                ["", "here", "± over draws", "paper"],
                (
                    [NAMES.get(r["what"], r["what"]), *map(number, (r["ours"], r["spread"], r["paper"]))]
                    for r in results["beside_paper"]
                ),
            ),
            "<p>± is the standard deviation of a draw, for shares half of the 95 % interval of the mean.</p>",
        ]
    parts += [
        _figure(name, images) for name in ("figure6_self_revealing", "figure7_influence") if name in images
    ]
    for column, by_k in draws["groups"].items():
        parts += [
            f"<h2>Self-revealing by {html.escape(column)}</h2>",
            table(
                ["group", "records", *(f"k = {k}" for k in by_k)],
                (
                    [name, value["points"], *(_interval(by_k[k][name]) for k in by_k)]
                    for name, value in next(iter(by_k.values())).items()
                ),
            ),
        ]
    parts += [
        "<h2>Reconstruction with a fixed batch of queries</h2>",
        *([_figure("figure9_static", images)] if "figure9_static" in images else []),
        "<h2>Reconstruction by subspace reduction (Algorithm 1)</h2>",
        f"<p>Rank of the training points with the bias: {number(draws['rank']['mean'])}, the method's bound. "
        "“Also seen” counts every record that any answer held.</p>",
        table(
            ["oracle", "recovered", "also seen", "queries", "error of theta"],
            (
                [name, *(number(row[field]["mean"]) for field in ("found", "seen", "queries", "theta_error"))]
                for name, row in draws["subspace"].items()
            ),
        ),
        "<h2>Walking the influence graph</h2>",
        *([_figure("figure10_coverage", images)] if "figure10_coverage" in images else []),
        table(
            ["strategy", "queries until all reachable records were known"],
            ([name, number(value["mean"])] for name, value in draws["queries"].items()),
        ),
    ]
    if results.get("defenses"):
        rows = results["defenses"]
        parts += [
            "<h2>Which defense stops what, and what it costs</h2>",
            f"<p>{html.escape(verdict(rows, task['points']))}</p>",
            "<p>Advantage: how much more often a member's own answer contains it than a non-member's, asked at "
            "the point and right beside it. Static, walked, subspace and seen: records revealed by a batch of "
            "real points, by walking the influence graph, by Algorithm 1, and by any answer to it; most is the "
            "largest of them. Captured: the influence of the shown records over that of the true top records. "
            "Likeness: 1 when the true records are shown, 0 when random ones are.</p>",
            _matrix("defense", rows),
        ]
    if results.get("approximations"):
        parts += ["<h2>Approximate influence beside exact</h2>", _matrix("method", results["approximations"])]
    for name, network in results.get("networks", {}).items():
        parts += [
            f"<h2>A model that is not linear: {html.escape(name)}</h2>",
            f"<p>Distinct records revealed; training accuracy {100 * network['accuracy']:.1f} %.</p>",
            table(
                ["attack", *(f"{count} queries" for count in network["queries"])],
                ([attack, *counts] for attack, counts in network["discovered"].items()),
            ),
        ]
    if results.get("sweep"):
        parts += [
            "<h2>How the figures move with lambda and scaling</h2>",
            _matrix("setting", results["sweep"]),
        ]
    if "figure15_sizes" in images:
        parts += ["<h2>Size of the training set</h2>", _figure("figure15_sizes", images)]
    return "\n".join([*parts, "</section>"])


def lead(report: Mapping[str, Any]) -> str:
    """The finding in two sentences."""
    draws, task = report["results"]["draws"], report["task"]
    share = draws["self_revealing"]["5"]["value"]
    best = max(
        ((value["found"]["mean"], name) for name, value in draws["subspace"].items()),
        default=(0.0, "no oracle"),
    )
    return (
        f"Asked about itself, a training record appears in its own explanation, five records long, in "
        f"{100 * share:.0f} % of the {task['points']} cases of {task['dataset']}: proof of its membership. "
        f"An attacker who knows nothing recovers {best[0]:.0f} records by subspace reduction."
    )


def verdict(rows: Mapping[str, Mapping[str, Any]], points: int) -> str:
    """Which defense left the attackers least, among releases of private records and among prototypes."""
    private = {name: row for name, row in rows.items() if row["captured"] is not None}
    least = min(private, key=lambda name: private[name]["most"])
    worst = max(private, key=lambda name: private[name]["most"])
    text = (
        f"Among the answers that show training records, “{least}” leaves the best attack "
        f"{number(private[least]['most'])} of {points} and “{worst}” {number(private[worst]['most'])}."
    )
    guarded = {name: row for name, row in rows.items() if row["epsilon"] is not None}
    if guarded:
        best = max(guarded, key=lambda name: guarded[name]["likeness"])
        text += (
            f" Answers by prototypes show none; with a guarantee the best of them, “{best}”, keeps a likeness "
            f"of {number(guarded[best]['likeness'])}."
        )
    return text


def number(value: Any) -> str:
    """A number in about three digits; a dash for None."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if value != 0 and abs(value) < 1e-3:
        return f"{value:.1e}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}" if value == int(value) else f"{value:.1f}"


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """An HTML table; every cell is escaped."""
    cells = ["<tr>" + "".join(f"<th>{html.escape(str(each))}</th>" for each in head) + "</tr>"]
    cells += [
        "<tr>" + "".join(f"<td>{html.escape(str(each))}</td>" for each in row) + "</tr>" for row in rows
    ]
    return "<table>" + "".join(cells) + "</table>"


def _matrix(what: str, rows: Mapping[str, Mapping[str, Any]]) -> str:
    """A table of rows of equal fields."""
    fields = list(next(iter(rows.values())))
    return table(
        [what, *(field.replace("_", " ") for field in fields)],
        ([name, *(number(row[field]) for field in fields)] for name, row in rows.items()),
    )


def _interval(share: Mapping[str, float]) -> str:
    return f"{100 * share['value']:.0f} % ({100 * share['low']:.0f} to {100 * share['high']:.0f})"


def _figure(name: str, images: Mapping[str, bytes]) -> str:
    source = base64.b64encode(images[name]).decode()
    caption = html.escape(CAPTIONS[name])
    image = f'<img alt="{caption}" src="data:image/png;base64,{source}">'
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"
