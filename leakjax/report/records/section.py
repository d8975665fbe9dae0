"""The records section of an HTML report, alone on its page or on that of an audit (`leakjax.report.sections`)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from leakjax.records.document import DefenseRow, Network, PaperRow, RecordsReport, Share
from leakjax.report import shell, tables, words

NAMES = {
    "components": "influence graph: components",
    "singletons": "components of one record",
    "largest": "largest component",
    "max_in_degree": "largest in-degree",
    "in_degree_zero": "in-degree 0",
}
# What Algorithm 1 is asked to work with, by `leakjax.records.study.ORACLES`.
ORACLES = {
    "exact": "exact values",
    "no_sign": "values without their sign",
    "float32": "values in single precision",
    "digits4": "values rounded to 4 digits",
    "digits3": "values rounded to 3 digits",
    "digits2": "values rounded to 2 digits",
}
# An interval as wide as this says nothing: the group holds too few records.
_UNKNOWN = 0.9
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
UTILITY = ("most", "advantage", "advantage_nearby", "captured", "likeness", "values", "epsilon")
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


def page(report: RecordsReport, images: Mapping[str, bytes]) -> str:
    """The section on a page of its own."""
    return shell.wrap(f"leakjax: records of {report.task.dataset}", section(report, images, level=1))


def section(report: RecordsReport, images: Mapping[str, bytes], *, level: int) -> Markup:
    """The section on record-based explanations, as an HTML fragment.

    Args:
      report: What a study found.
      images: PNGs by name, of figures.images.
      level: Of its heading; those inside are one below.
    """
    results, draws = report.results, report.results.draws
    return shell.render(
        "records.html",
        level=level,
        dataset=report.task.dataset,
        lead=lead(report),
        pictures={name: shell.picture(images, name, text) for name, text in CAPTIONS.items()},
        shares=_table(
            ["share of the training records that reveal themselves", "here", "95 % interval", "paper"],
            (
                [
                    row.what,
                    words.percent(row.ours),
                    _ends(row.ours - row.spread, row.ours + row.spread),
                    words.percent(row.paper),
                ]
                for row in results.beside_paper
                if _is_share(row)
            ),
        ),
        counts=_table(
            ["training records, or parts of the graph of influence", "here", "± of a draw", "paper"],
            (
                [NAMES.get(row.what, row.what), *map(number, (row.ours, row.spread, row.paper))]
                for row in results.beside_paper
                if not _is_share(row)
            ),
        ),
        groups={
            column: _table(
                [
                    "group",
                    "records",
                    *(f"{text} k = {k}" for k in by_k for text in ("share,", "95 % interval,")),
                ],
                (
                    [name, number(value.points), *(cell for k in by_k for cell in _share(by_k[k][name]))]
                    for name, value in next(iter(by_k.values())).items()
                ),
            )
            for column, by_k in draws.groups.items()
        },
        rank=number(draws.rank.mean),
        subspace=_table(
            ["what answers release", "recovered", "also seen", "queries", "error of theta"],
            (
                [
                    ORACLES.get(name, name),
                    *(number(one.mean) for one in (row.found, row.seen, row.queries, row.theta_error)),
                ]
                for name, row in draws.subspace.items()
            ),
        ),
        queries=_table(
            ["strategy", "queries until all reachable records were known"],
            ([name, number(value.mean)] for name, value in draws.queries.items()),
        ),
        defenses=_defenses(results.defenses, report.task.points) if results.defenses else None,
        approximations=_matrix("method", {name: vars(row) for name, row in results.approximations.items()}),
        networks=[_network(name, network) for name, network in results.networks.items()],
        sweep=_matrix("setting", results.sweep),
        legend=LEGEND,
    )


def lead(report: RecordsReport) -> str:
    """The finding in two sentences."""
    draws, task = report.results.draws, report.task
    best = max((value.found.mean for value in draws.subspace.values()), default=0.0)
    return (
        f"Asked about itself, a training record appears in its own explanation, five records long, in "
        f"{100 * draws.self_revealing['5'].value:.0f} % of the {task.points} cases of {task.dataset}: proof of its "
        f"membership. An attacker who knows nothing recovers {best:.0f} records by subspace reduction."
    )


def verdict(rows: Mapping[str, DefenseRow], points: int) -> str:
    """What the best attack reveals undefended, and which defense left it least and most."""
    private = {name: row for name, row in rows.items() if row.captured is not None}
    least = min(private, key=lambda name: private[name].most)
    worst = max(private, key=lambda name: private[name].most)
    attack = max(ATTACKS, key=lambda name: getattr(rows["none"], name) or 0)
    text = (
        f"Undefended, the best attack is {ATTACKS[attack]}, which reveals {number(getattr(rows['none'], attack))} of "
        f"{points} training records. Among the answers that show training records, “{least}” leaves the best "
        f"attack {number(private[least].most)} and “{worst}” {number(private[worst].most)}."
    )
    guarded = {name: row.likeness or 0.0 for name, row in rows.items() if row.epsilon is not None}
    if guarded:
        best = max(guarded, key=lambda name: guarded[name])
        text += (
            f" Answers by prototypes show none; with a guarantee the best of them, “{best}”, keeps a likeness "
            f"of {number(guarded[best])}."
        )
    return text


def number(value: float | None) -> str:
    """A number in about three digits; a dash for None."""
    if value is None:
        return "-"
    if value != 0 and abs(value) < 1e-3:
        return f"{value:.1e}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}" if value == int(value) else f"{value:.1f}"


def _is_share(row: PaperRow) -> bool:
    """Whether a number of the paper is a share of records, which its name says by a length k."""
    return "k=" in row.what


def _share(value: Share) -> tuple[str, str]:
    """A share and its interval; a group of too few records has neither."""
    if not value.high - value.low < _UNKNOWN:
        return "too few", ""
    return words.percent(value.value), _ends(value.low, value.high)


def _ends(low: float, high: float) -> str:
    return f"{words.percent(max(low, 0.0))} to {words.percent(min(high, 1.0))}"


def _network(name: str, network: Network) -> dict[str, Any]:
    """What the template says of one network."""
    return {
        "name": name,
        "accuracy": words.percent(network.accuracy),
        "discovered": _table(
            ["attack", *(f"{count} queries" for count in network.queries)],
            ([attack, *map(number, counts)] for attack, counts in network.discovered.items()),
        ),
        "defenses": _defenses(network.defenses, network.records),
    }


def _defenses(rows: Mapping[str, DefenseRow], points: int) -> dict[str, Any]:
    """What the attacks reveal under each defense, and what is left of its utility."""
    values = {name: vars(row) for name, row in rows.items()}
    return {
        "verdict": verdict(rows, points),
        "revealed": _matrix("records revealed under", values, REVEALED),
        "utility": _matrix("defense", values, UTILITY),
    }


def _matrix(
    what: str, rows: Mapping[str, Mapping[str, float | None]], fields: Iterable[str] | None = None
) -> tables.Table | None:
    """A table of fields of rows (all if None), without those that no row has; None without rows."""
    if not rows:
        return None
    fields = next(iter(rows.values())) if fields is None else fields
    held = [field for field in fields if any(row[field] is not None for row in rows.values())]
    return _table(
        [what, *(field.replace("_", " ") for field in held)],
        ([name, *(number(row[field]) for field in held)] for name, row in rows.items()),
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> tables.Table:
    """A table of names in the first column and numbers in the others."""
    return tables.table(
        {name: tables.NUMBER if place else tables.TEXT for place, name in enumerate(head)}, rows
    )
