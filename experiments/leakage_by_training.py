r"""What does private training cost, and what does it hide? Leakage against epsilon, an audit for each amount of noise.

    python -m experiments.leakage_by_epsilon --models=32 --epochs=20 --audit_points=500 --noise_multipliers=0,0.5,1,3

Every flag of experiments.audit is taken; its --noise_multiplier is replaced by each of --noise_multipliers in turn. A
row is the headline attack on plain explanations, those of the explainer that is listed first. Each audit is kept in a
folder of --workdir, with a page of its own. It needs leakjax[private]. Exit codes: 0 done, 2 bad usage.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

from absl import flags
from rich.console import Console
from rich.table import Table

from leakjax._validate import distinct, fail
from leakjax.evaluate import headline
from leakjax.evaluate.document import Report
from leakjax.report.progress import Stages

from . import _main, audit, audit_flags, training_flags
from .audit_flags import Config, Places, read_config


def row(report: Report) -> dict[str, Any]:
    """What a report says of privacy, accuracy and leakage, as shares; epsilon is None where nothing was private."""
    task, rows = report.task, report.leakage
    first = next(iter(headline.explainers(rows)), "none")
    rate = headline.rate(rows)
    caught = {
        view: headline.row(rows, view, *(() if view == "prediction" else (first,)))
        for view in ("prediction", "explanation", "both")
    }
    return {
        "epsilon": task.private.epsilon if task.private else None,
        "accuracy": task.test_accuracy.value,
        "gap": task.generalisation_gap.value,
        "fpr": float(rate),
        **{view: found.tpr_at_fpr[rate].value if found else None for view, found in caught.items()},
    }


def table(rows: list[dict[str, Any]]) -> Table:
    """The rows, most private last."""
    shown = Table(
        "epsilon", "accuracy", "gap", *(f"caught: {view}" for view in ("prediction", "explanation", "both"))
    )
    for one in rows:
        epsilon = "not private" if one["epsilon"] is None else f"{one['epsilon']:.3g}"
        names = ("accuracy", "gap", "prediction", "explanation", "both")
        cells = ("-" if one[name] is None else f"{100 * one[name]:.1f} %" for name in names)
        shown.add_row(epsilon, *cells)
    return shown


def main(values: flags.FlagValues) -> int:
    """Audits once for each amount of noise; prints the table, and a line of JSON for each."""
    config = read_config(values)
    noises = training_flags.numbers("noise_multipliers", values.noise_multipliers, float)
    distinct("noise_multipliers", [str(noise) for noise in noises])
    if config.ensemble:
        raise fail("ensemble", config.ensemble, "is trained already; each amount of noise trains its own")
    configs: list[Config] = [dataclasses.replace(config, noise_multiplier=noise) for noise in sorted(noises)]
    workdir = Path(values.workdir or "runs/leakage-by-epsilon").expanduser()
    rows = []
    with Stages(Console(stderr=True)) as stages:
        for one in configs:
            folder = workdir / f"noise-{one.noise_multiplier:g}"
            places = Places(folder, values.data_dir, values.source_dir, values.take_over)
            rows.append(row(audit.run(one, places, stages)))
    for found in rows:
        print(json.dumps(found))
    Console(stderr=True).print(table(rows))
    return _main.DONE


if __name__ == "__main__":
    audit_flags.define_flags()
    flags.DEFINE_list(
        "noise_multipliers", ["0", "0.5", "1", "3"], "Amounts of noise, each a --noise_multiplier."
    )
    for module in (audit_flags, training_flags):
        flags.adopt_module_key_flags(module)
    _main.launch(main)
