"""From the measurements of single draws to the figures of the report, with their spread over draws."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from leakjax.records.revealing import share, shares_by_group
from leakjax.records.study import K

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


def spread(values: Iterable[float]) -> dict[str, float]:
    """The mean of values over draws and their standard deviation."""
    array = np.array(list(values), float)
    return {"mean": float(array.mean()), "sd": float(array.std(ddof=1)) if len(array) > 1 else 0.0}


def summarise_draws(draws: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What all draws say together.

    Args:
        draws: Of each draw the results of study.membership, static, graph and subspace under these names.

    Returns:
        Self-revealing shares, by group too; the influence graph; Algorithm 1 by oracle; static batches;
        queries.
    """
    members = [each["membership"] for each in draws]
    hits = {str(k): [_mask(each["revealed"][str(k)], each["records"]) for each in members] for k in K}
    result: dict[str, Any] = {
        "self_revealing": {k: share(masks)._asdict() for k, masks in hits.items()},
        "groups": {
            column: {
                k: {
                    name: value._asdict()
                    for name, value in shares_by_group(
                        masks, [np.array(m["groups"][column]) for m in members]
                    ).items()
                }
                for k, masks in hits.items()
            }
            for column in members[0]["groups"]
        },
        "unconverged": sum(each["unconverged"] for each in members),
        "graph": {
            name: spread(each["graph"][name] for each in draws)
            for name in ("components", "singletons", "largest", "max_in_degree", "in_degree_zero")
        },
        "coverage": spread(np.mean(each["graph"]["coverage"]) for each in draws),
        "queries": {
            name: spread(each["graph"]["queries"][name] for each in draws)
            for name in draws[0]["graph"]["queries"]
        },
        "rank": spread(each["subspace"]["rank"] for each in draws),
        "subspace": {
            name: {field: spread(each["subspace"][name][field] for each in draws) for field in fields}
            for name, fields in draws[0]["subspace"].items()
            if name != "rank"
        },
        "static": {
            name: {
                k: spread(each["static"][name][k][-1] / each["membership"]["records"] for each in draws)
                for k in by_k
            }
            for name, by_k in draws[0]["static"].items()
        },
    }
    aucs = [each["auc_of_influence"] for each in members if each["auc_of_influence"] is not None]
    if aucs:
        result["auc_of_influence"] = spread(aucs)
        result["auc_without_revealed"] = spread(each["auc_without_revealed"] for each in members)
    return result


def beside_paper(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows `{"what", "ours", "sd", "paper"}` for the figures that the paper states about Adult."""
    ours: dict[str, tuple[float, float]] = {}
    for k, value in summary["self_revealing"].items():
        ours[f"self-revealing, k={k}"] = (value["value"], (value["high"] - value["low"]) / 2)
    for name, value in summary["graph"].items():
        ours[name] = (value["mean"], value["sd"])
    if "exact" in summary["subspace"]:
        found = summary["subspace"]["exact"]["found"]
        ours["found by Algorithm 1"] = (found["mean"], found["sd"])
    for column in summary["groups"].values():
        for name, value in column["10"].items():
            ours[f"{name}, k=10"] = (value["value"], (value["high"] - value["low"]) / 2)
    return [
        {"what": what, "ours": ours[what][0], "spread": ours[what][1], "paper": paper}
        for what, paper in PAPER.items()
        if what in ours
    ]


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
