"""From the rows of a study's units to its report."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from leakjax.records.document import (
    AgreementRow,
    DefenseRow,
    Network,
    RecordsReport,
    RecordsTask,
    Results,
)
from leakjax.records.plan import Plan
from leakjax.records.run import Measured
from leakjax.records.summary import average_defenses, average_rows, beside_paper, summarise_draws

ASKED = (100, 1000, 10_000, 20_000)  # queries at which the attacks on a network are compared

Rows = Sequence[Mapping[str, Any]]


def report_of(plan: Plan, measured: Measured, environment: Mapping[str, Any]) -> RecordsReport:
    """The report of a study.

    Args:
      plan: Of the study.
      measured: From `run_units`.
      environment: Versions, devices and platform.
    """
    return RecordsReport(
        config=dataclasses.asdict(plan),
        environment=environment,
        task=RecordsTask(dataset=plan.dataset, points=measured.rows["draws"][0]["membership"]["records"]),
        results=results(measured.rows),
        timings=measured.seconds,
    )


def results(rows: Mapping[str, Rows]) -> Results:
    """What each part says, from the rows of its units; empty where a part was not measured."""
    draws = summarise_draws(rows["draws"])
    networks = rows.get("network", ())
    return Results(
        draws=draws,
        beside_paper=beside_paper(draws),
        defenses=average_defenses(rows.get("defenses", ())),
        sweep=_by_setting(rows.get("sweep", ())),
        approximations=_approximations(rows.get("approximations", ()), networks),
        networks={_named(network): network_of(network) for network in networks},
        sizes=rows.get("sizes", ()),
    )


def network_of(network: Mapping[str, Any]) -> Network:
    """The attacks on one network, at a few numbers of queries."""
    curves = network["discovered"]
    asked = [count for count in ASKED if count <= len(curves["descent"])]
    return Network(
        queries=asked,
        records=network["records"],
        accuracy=network["accuracy"],
        defenses={name: DefenseRow(**row) for name, row in network["defenses"].items()},
        discovered={name: [curve[count - 1] for count in asked] for name, curve in curves.items()},
    )


def _by_setting(rows: Rows) -> dict[str, Any]:
    """The mean of the rows of each setting."""
    settings: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        numbers = {name: value for name, value in row.items() if name != "setting"}
        settings.setdefault(row["setting"], []).append(numbers)
    return {name: average_rows(alike) for name, alike in settings.items()}


def _approximations(linear: Rows, networks: Rows) -> dict[str, AgreementRow]:
    """How well each approximation agrees with exact retraining, by the model it was tried on."""
    found = {
        f"influence functions, logistic regression, {loss}": AgreementRow(**row)
        for by_loss in linear
        for loss, row in by_loss.items()
    }
    for network in networks:
        for name, row in network["agreement"].items():
            found[f"{name}; network, {_named(network)}"] = AgreementRow(**row, residual=None)
    return found


def _named(network: Mapping[str, Any]) -> str:
    return f"{network['records']} records, l2 = {network['l2']:g}"
