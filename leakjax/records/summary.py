"""From the measurements of single draws to the numbers of the report, with their spread over draws."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from leakjax.evaluate.document import fields_of
from leakjax.records.document import LENGTHS, DefenseRow, Draws, Graph, PaperRow, Share, Spread, Subspace
from leakjax.records.revealing import share, shares_by_group

# Shokri, Strobel and Zick, Adult: figure 6 and table 2c, table 4, table 3.
PAPER: Mapping[str, float] = {
    "self-revealing, k=1": 0.10,
    "self-revealing, k=5": 0.21,
    "self-revealing, k=10": 0.28,
    "components": 1742,
    "singletons": 1701,
    "largest": 167,
    "max_in_degree": 391,
    "in_degree_zero": 1568,
    "found by Algorithm 1": 91.5,
    "White, k=10": 0.28,
    "Black, k=10": 0.19,
    "Amer-Indian-Eskimo, k=10": 0.32,
    "Other, k=10": 0.43,
    "Asian-Pac-Islander, k=10": 0.48,
    "10-20, k=10": 0.01,
}


def spread(values: Iterable[float]) -> Spread:
    """The mean of values over draws and their standard deviation."""
    array = np.array(list(values), float)
    return Spread(mean=float(array.mean()), sd=float(array.std(ddof=1)) if len(array) > 1 else 0.0)


def summarise_draws(draws: Sequence[Mapping[str, Any]]) -> Draws:
    """What all draws say together.

    Args:
      draws: Of each draw the results of study.revealing, static, graph and subspace under these names.
    """
    members, graphs = [each["membership"] for each in draws], [each["graph"] for each in draws]
    hits = {k: [_mask(each["revealed"][k], each["records"]) for each in members] for k in LENGTHS}
    aucs = [each["auc_of_influence"] for each in members if each["auc_of_influence"] is not None]
    return Draws(
        self_revealing={k: Share(**share(masks)._asdict()) for k, masks in hits.items()},
        groups={
            column: {
                k: {
                    name: Share(**value._asdict())
                    for name, value in shares_by_group(
                        masks, [np.array(m["groups"][column]) for m in members]
                    ).items()
                }
                for k, masks in hits.items()
            }
            for column in members[0]["groups"]
        },
        unconverged=sum(each["unconverged"] for each in members),
        graph=Graph(
            **{field.name: spread(each[field.name] for each in graphs) for field in fields_of(Graph)}
        ),
        coverage=spread(np.mean(each["coverage"]) for each in graphs),
        queries={name: spread(each["queries"][name] for each in graphs) for name in graphs[0]["queries"]},
        rank=spread(each["subspace"]["rank"] for each in draws),
        subspace={
            name: Subspace(
                **{field: spread(each["subspace"][name][field] for each in draws) for field in found}
            )
            for name, found in draws[0]["subspace"].items()
            if name != "rank"
        },
        static={
            name: {
                k: spread(each["static"][name][k][-1] / each["membership"]["records"] for each in draws)
                for k in LENGTHS
            }
            for name in draws[0]["static"]
        },
        auc_of_influence=spread(aucs) if aucs else None,
        auc_without_revealed=spread(each["auc_without_revealed"] for each in members) if aucs else None,
    )


def beside_paper(summary: Draws) -> list[PaperRow]:
    """The numbers that the paper states about Adult, beside ours."""
    ours: dict[str, tuple[float, float]] = {}
    for k, value in summary.self_revealing.items():
        ours[f"self-revealing, k={k}"] = (value.value, (value.high - value.low) / 2)
    for field in fields_of(Graph):
        found = getattr(summary.graph, field.name)
        ours[field.name] = (found.mean, found.sd)
    if "exact" in summary.subspace:
        exact = summary.subspace["exact"].found
        ours["found by Algorithm 1"] = (exact.mean, exact.sd)
    for column in summary.groups.values():
        for name, value in column["10"].items():
            ours[f"{name}, k=10"] = (value.value, (value.high - value.low) / 2)
    return [
        PaperRow(what=what, ours=ours[what][0], spread=ours[what][1], paper=paper)
        for what, paper in PAPER.items()
        if what in ours
    ]


def average_defenses(rows: Sequence[Mapping[str, Mapping[str, float | None]]]) -> dict[str, DefenseRow]:
    """The mean over draws of what was found under each defense, by its name."""
    found: dict[str, dict[str, Any]] = {
        name: average_rows(row[name] for row in rows) for name in (rows[0] if rows else ())
    }
    return {name: DefenseRow(**row) for name, row in found.items()}


def average_rows(rows: Iterable[Mapping[str, float | None]]) -> dict[str, float | None]:
    """The mean of each field over rows of equal fields; None where a row has none."""
    columns: dict[str, list] = defaultdict(list)
    for row in rows:
        for name, value in row.items():
            columns[name].append(value)
    return {name: None if None in values else float(np.mean(values)) for name, values in columns.items()}


def _mask(rows: Sequence[int], count: int) -> np.ndarray:
    mask = np.zeros(count, bool)
    mask[list(rows)] = True
    return mask
