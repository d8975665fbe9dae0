"""The records section of an HTML report, alone on its page or at the end of an audit's."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from leakjax._validate import fail
from leakjax.report import shell, tables, words
from leakjax.report.tables import escaped

SCHEMA = "leakjax.records/2"
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
ATTACKS = {
    "static_uniform": "a batch of random queries",
    "static_marginal": "a batch of queries from the marginals",
    "static_true": "a batch of real points",
    "walked": "walking the influence graph",
    "descent": "gradient descent",
    "seen": "subspace reduction",
}
REVEALED = (*ATTACKS, "subspace", "subspace_queries", "most")
USE = ("most", "advantage", "advantage_nearby", "captured", "likeness", "values", "epsilon")
LEGEND = (
    "The first table counts the training records that each attack revealed: batches of equally many queries "
    "(uniform: random values; marginal: values from the marginals; true: real points that were not trained on), the "
    "median walk along the influence graph, gradient descent with as many queries as a batch, and Algorithm 1, "
    "which asks more (“subspace queries”), by any answer that it was given (“seen”) and by measuring them "
    "(“subspace”). Most is the largest of them, whatever it asked.",
    "Advantage: how much more often a member's own answer contains it than a non-member's, asked at the point and "
    "right beside it. Captured: the influence of the shown records over that of the records that an undefended "
    "answer shows. Likeness: 1 when those are shown, 0 when random ones are. Values: correlation of the released "
    "values with the true influence. Epsilon: the differential privacy of one answer, "
    "where it has any. A dash: the attack or the measure does not apply.",
)


def of_workdir(workdir: Path) -> str:
    """The section of a finished run of experiments.records, for the page of an audit.

    Raises:
        UsageError: `workdir` does not hold such a run.
    """
    try:
        report = json.loads((workdir / "report.json").read_text())
    except OSError as error:
        rule = f"must be a finished workdir of experiments.records; no report.json ({error.strerror})"
        raise fail("records", str(workdir), rule) from None
    except ValueError:
        raise fail("records", str(workdir), "its report.json is damaged") from None
    schema = report.get("schema") if isinstance(report, dict) else None
    if schema != SCHEMA:
        rule = (
            f"must be a workdir of experiments.records: its report has the schema {schema!r}, not {SCHEMA!r}"
        )
        raise fail("records", str(workdir), rule)
    images = {path.stem: path.read_bytes() for path in (workdir / "figures").glob("*.png")}
    try:
        return section(report, images, level=2)
    except (KeyError, TypeError, AttributeError, StopIteration, ValueError):
        raise fail("records", str(workdir), "its report.json is damaged") from None


def page(report: Mapping[str, Any], images: Mapping[str, bytes]) -> str:
    """The section on a page of its own."""
    return shell.wrap(f"leakjax: records of {report['task']['dataset']}", section(report, images, level=1))


def section(report: Mapping[str, Any], images: Mapping[str, bytes], *, level: int) -> str:
    """The section on record-based explanations, as an HTML fragment.

    Args:
        report: The document that experiments.records writes as report.json.
        images: PNGs by name, of figures.images.
        level: Of its heading; those inside are one below.
    """
    results, task = report["results"], report["task"]
    draws = results["draws"]

    def heading(text: str) -> str:
        return f"<h{level + 1}>{escaped(text)}</h{level + 1}>"

    parts = [
        f'<section id="records"><h{level}>What explanations by training records give away: '
        f"{escaped(task['dataset'])}</h{level}>",
        f'<p class="lead">{escaped(lead(report))}</p>',
        _note(
            "Such an explanation names the training records of the largest influence on an answer: those without "
            "which the model's loss there would have changed most."
        ),
    ]
    if results.get("beside_paper"):
        parts += [
            heading("Beside the paper"),
            _table(
                ["", "here", "± over draws", "paper"],
                (
                    [NAMES.get(r["what"], r["what"]), *map(number, (r["ours"], r["spread"], r["paper"]))]
                    for r in results["beside_paper"]
                ),
            ),
            _note("± is the standard deviation of a draw, for shares half of the 95 % interval of the mean."),
        ]
    parts += [_figure(name, images) for name in ("figure6_self_revealing", "figure7_influence")]
    for column, by_k in draws["groups"].items():
        parts += [
            heading(f"Self-revealing by {column}"),
            _table(
                ["group", "records", *(f"k = {k}" for k in by_k)],
                (
                    [
                        name,
                        number(value["points"]),
                        *(words.with_interval(by_k[k][name], words.percent) for k in by_k),
                    ]
                    for name, value in next(iter(by_k.values())).items()
                ),
            ),
        ]
    parts += [
        heading("Reconstruction with a fixed batch of queries"),
        _figure("figure9_static", images),
        heading("Reconstruction by subspace reduction (Algorithm 1)"),
        _note(
            f"Rank of the training points with the bias: {number(draws['rank']['mean'])}, the method's bound. "
            "“Also seen” counts every record that any answer held."
        ),
        _table(
            ["oracle", "recovered", "also seen", "queries", "error of theta"],
            (
                [name, *(number(row[field]["mean"]) for field in ("found", "seen", "queries", "theta_error"))]
                for name, row in draws["subspace"].items()
            ),
        ),
        heading("Walking the influence graph"),
        _figure("figure10_coverage", images),
        _table(
            ["strategy", "queries until all reachable records were known"],
            ([name, number(value["mean"])] for name, value in draws["queries"].items()),
        ),
    ]
    if results.get("defenses"):
        parts += [
            heading("Which defense stops what, and what it costs"),
            *_defenses(results["defenses"], task["points"]),
        ]
    if results.get("approximations"):
        parts += [heading("Approximate influence beside exact"), _matrix("method", results["approximations"])]
    for name, network in results.get("networks", {}).items():
        parts += [
            heading(f"A model that is not linear: {name}"),
            f"<p>Training accuracy {words.percent(network['accuracy'])}. Distinct records revealed where an "
            "answer shows one:</p>",
            _table(
                ["attack", *(f"{count} queries" for count in network["queries"])],
                ([attack, *map(number, counts)] for attack, counts in network["discovered"].items()),
            ),
            *_defenses(network["defenses"], network["records"]),
        ]
    if results.get("sweep"):
        parts += [
            heading("How the figures move with lambda and scaling"),
            _matrix("setting", results["sweep"]),
        ]
    if "figure15_sizes" in images:
        parts += [heading("Size of the training set"), _figure("figure15_sizes", images)]
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
    """What the best attack reveals undefended, and which defense left it least and most."""
    private = {name: row for name, row in rows.items() if row["captured"] is not None}
    least = min(private, key=lambda name: private[name]["most"])
    worst = max(private, key=lambda name: private[name]["most"])
    attack = max(ATTACKS, key=lambda name: rows["none"][name] or 0)
    text = (
        f"Undefended, the best attack is {ATTACKS[attack]}, which reveals {number(rows['none'][attack])} of "
        f"{points} training records. Among the answers that show training records, “{least}” leaves the best "
        f"attack {number(private[least]['most'])} and “{worst}” {number(private[worst]['most'])}."
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


def _defenses(rows: Mapping[str, Mapping[str, Any]], points: int) -> list[str]:
    """What the attacks reveal under each defense, and what is left of its use."""
    legend = "".join(_note(text) for text in LEGEND)
    return [
        f"<p>{escaped(verdict(rows, points))}</p>",
        _matrix("records revealed under", rows, REVEALED),
        _matrix("defense", rows, USE),
        f"<details><summary>What the columns say</summary>{legend}</details>",
    ]


def _matrix(what: str, rows: Mapping[str, Mapping[str, Any]], fields: Iterable[str] | None = None) -> str:
    """A table of fields of rows (all if None), without those that no row has."""
    fields = next(iter(rows.values())) if fields is None else fields
    held = [field for field in fields if any(row[field] is not None for row in rows.values())]
    return _table(
        [what, *(field.replace("_", " ") for field in held)],
        ([name, *(number(row[field]) for field in held)] for name, row in rows.items()),
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of names in the first column and numbers in the others."""
    columns = {name: tables.NUMBER if place else tables.TEXT for place, name in enumerate(head)}
    return f'<div class="wide">{tables.table(columns, rows)}</div>'


def _note(text: str) -> str:
    return f'<p class="note">{escaped(text)}</p>'


def _figure(name: str, images: Mapping[str, bytes]) -> str:
    return shell.figure(images[name], CAPTIONS[name]) if name in images else ""
