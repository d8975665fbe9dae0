"""From the rows of a study's units to the results of its report."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from leakjax.records.plan import Plan
from leakjax.records.run import Measured
from leakjax.records.section import SCHEMA
from leakjax.records.summary import average_rows, beside_paper, summarise_draws

ASKED = (100, 1000, 10_000, 20_000)  # queries at which the attacks on a network are compared

Rows = Sequence[Mapping[str, Any]]


def report_of(plan: Plan, measured: Measured, environment: Mapping[str, Any]) -> dict[str, Any]:
    """The report.json of a study.

    Args:
        plan: Of the study.
        measured: From `run_units`.
        environment: Versions, devices and platform.
    """
    return {
        "schema": SCHEMA,
        "config": dataclasses.asdict(plan),
        "environment": environment,
        "task": {"dataset": plan.dataset, "points": measured.rows["draws"][0]["membership"]["records"]},
        "results": results(measured.rows),
        "timings": measured.seconds,
    }


def results(rows: Mapping[str, Rows]) -> dict[str, Any]:
    """What each measured part says, from the rows of its units."""
    found: dict[str, Any] = {}
    if rows.get("draws"):
        found["draws"] = summarise_draws(rows["draws"])
        found["beside_paper"] = beside_paper(found["draws"])
    if rows.get("defenses"):
        found["defenses"] = {
            name: average_rows(row[name] for row in rows["defenses"]) for name in rows["defenses"][0]
        }
    if rows.get("sweep"):
        found["sweep"] = _by_setting(rows["sweep"])
    found["approximations"] = _approximations(rows.get("approximations", ()), rows.get("network", ()))
    if rows.get("network"):
        found["networks"] = {_named(network): _network(network) for network in rows["network"]}
    found["sizes"] = rows.get("sizes", [])
    return found


def _by_setting(rows: Rows) -> dict[str, Any]:
    """The mean of the rows of each setting."""
    settings: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        numbers = {name: value for name, value in row.items() if name != "setting"}
        settings.setdefault(row["setting"], []).append(numbers)
    return {name: average_rows(alike) for name, alike in settings.items()}


def _approximations(linear: Rows, networks: Rows) -> dict[str, Any]:
    """How well each approximation agrees with exact retraining, by the model it was tried on."""
    found = {
        f"influence functions, logistic regression, {loss}": row
        for by_loss in linear
        for loss, row in by_loss.items()
    }
    for network in networks:
        for name, row in network["agreement"].items():
            found[f"{name}; network, {_named(network)}"] = {**row, "residual": None}
    return found


def _network(network: Mapping[str, Any]) -> dict[str, Any]:
    """The attacks on one network, at a few numbers of queries."""
    asked = [count for count in ASKED if count <= len(network["discovered"]["descent"])]
    curves = network["discovered"].items()
    return {
        "queries": asked,
        "records": network["records"],
        "accuracy": network["accuracy"],
        "defenses": network["defenses"],
        "discovered": {name: [curve[count - 1] for count in asked] for name, curve in curves},
    }


def _named(network: Mapping[str, Any]) -> str:
    return f"{network['records']} records, l2 = {network['l2']:g}"
