"""What do monitors of a live service catch, how late, and what had the attack reached by then?

    python -m experiments.monitor --quick

watches 1,000 benign accounts of six kinds to set thresholds, tests them on 1,000 others, and then scores eight kinds
of attacks on digits, undisguised, among decoys, interleaved and over 30 accounts; without --quick 10,000 accounts of
each and 400 attacks of each kind. The aim is to catch at least 90 % of undisguised attacks without explanations at 1 %
false alarms. What wins the race against its alarm is printed: nothing but the release itself stops that.

    python -m experiments.monitor --benchmark

adds how many queries a second one core passes through each detector at 784 features; --benchmark_only measures nothing
else, and --plan says what would be measured. The workdir receives config.json, report.json, report.html, figures/,
tables/ and stages/. The same command on the same workdir goes on where it stopped. Exit codes: 0 done, 1 failed, 2 bad
usage, 130 and 143 stopped by SIGINT and SIGTERM.
"""

import dataclasses
from pathlib import Path
from typing import Any

from absl import flags
from rich.console import Console

from leakjax.auditing.environment import environment
from leakjax.data import Points
from leakjax.monitoring import plan, run, speed, world
from leakjax.monitoring.attackers import ACTIONS, ATTACKERS
from leakjax.monitoring.disguise import DISGUISES
from leakjax.monitoring.document import MonitorReport, SpeedRow
from leakjax.report import words
from leakjax.report.monitoring import publish, section
from leakjax.report.progress import Stages

from . import _config_file, _main


def define_flags() -> None:
    """Defines the flags of this binary, when it is the program that runs."""
    _config_file.define_flag()
    flags.DEFINE_string("dataset", plan.Plan.dataset, "A data set, as experiments.audit takes it.")
    flags.DEFINE_string("data_dir", None, "Folder where data sets are kept once prepared.")
    flags.DEFINE_string(
        "source_dir", None, "Folder with the original files; nothing is downloaded that is there."
    )
    flags.DEFINE_string("workdir", None, "Folder for results; runs/monitor-<dataset> if unset.")
    flags.DEFINE_bool("quick", False, "1,000 accounts, 40 attacks of a kind: wide intervals.")
    flags.DEFINE_integer("points", None, "How many points of the data set.")
    flags.DEFINE_integer(
        "accounts", None, "Benign accounts that set thresholds, and as many that test them; 10000."
    )
    flags.DEFINE_integer("queries", None, "Queries of an account; 200.")
    flags.DEFINE_integer("attacks", None, "Attacks of each kind; 400.")
    flags.DEFINE_integer("targets", None, "Models that are attacked in turn; 4.")
    flags.DEFINE_integer("students", None, "Attacks of each kind whose copies of the model are trained; 8.")
    flags.DEFINE_integer("hidden", None, "Hidden units of the attacked models; 64.")
    flags.DEFINE_float("noise", None, "Of the sensor, as a share of the features' standard deviation; 0.1.")
    flags.DEFINE_integer("seed", None, "Of everything that is drawn; 0.")
    flags.DEFINE_bool("plan", False, "Say what would be measured, and measure nothing.")
    flags.DEFINE_bool("benchmark", False, "Also measure the speed of the detectors.")
    flags.DEFINE_bool("benchmark_only", False, "Measure the speed of the detectors and nothing else.")
    flags.DEFINE_integer("benchmark_features", 784, "Features of a query whose speed is measured.")
    _main.define_take_over()


def plan_from(values: Any) -> plan.Plan:
    """The plan of parsed flags; UsageError names the flag that is wrong."""
    fields = [field.name for field in dataclasses.fields(plan.Plan)]
    given = {name: getattr(values, name) for name in fields if getattr(values, name) is not None}
    return plan.quick(**given) if values.quick else plan.Plan(**given)


def main(values: flags.FlagValues) -> int:
    """Measures, writes the report and prints its findings."""
    config = plan_from(values)
    if values.plan:
        print(*plan_lines(config, points_of(config, values)), sep="\n")
        return _main.DONE
    fast: list[SpeedRow] = []
    if values.benchmark or values.benchmark_only:
        fast = speed.measure(values.benchmark_features)
        print(*speed_lines(fast), sep="\n")
    if values.benchmark_only:
        return _main.DONE
    points = points_of(config, values)
    name = config.dataset.replace(":", "-").replace("/", "-")
    workdir = Path(values.workdir or f"runs/monitor-{name}").expanduser()
    with Stages(Console(stderr=True)) as stages:
        recorded = {"schema": MonitorReport.SCHEMA, **dataclasses.asdict(config)}
        with _main.claimed(workdir, recorded, take_over=values.take_over, say=stages.say) as held:
            report = run.run_study(config, points, environment(), store=held, speed=fast, say=stages.say)
            publish(report, held)
    print(*finding_lines(report), sep="\n")
    print(f"report: {workdir / 'report.html'}")
    return _main.DONE


def points_of(config: plan.Plan, values: Any) -> Points:
    """The points of a plan, from where the flags say that they are."""
    return world.load(config, values.data_dir, values.source_dir)


def plan_lines(config: plan.Plan, points: Points) -> list[str]:
    """What would be measured, a line for each stage."""
    streams = 2 * config.accounts + config.attacks * len(ATTACKERS) * len(DISGUISES)
    return [
        f"{points.name}: {len(points.x)} points, {config.targets} attacked models",
        f"benign: {config.accounts} accounts set thresholds, {config.accounts} test them; {', '.join(plan.KINDS)}",
        f"attacks: {config.attacks} each of {', '.join(ATTACKERS)}",
        f"hidden: {', '.join(DISGUISES)}",
        f"actions after an alarm: {', '.join(ACTIONS[1:])}",
        f"{streams * config.queries / 1e6:.3g} million queries pass through every detector",
    ]


def speed_lines(rows: list[SpeedRow]) -> list[str]:
    """Speed, a line a detector."""
    return [
        f"{row.detector:24} {row.updates:10,.0f} updates a second of one core, {row.features} features"
        for row in rows
    ]


def finding_lines(report: MonitorReport) -> list[str]:
    """The finding, a line for each undisguised attack, and what is lost."""
    lines = [section.lead(report)]
    for row in section.undisguised(report):
        caught = words.with_interval(row.tpr["0.01"], words.percent)
        lines.append(
            f"{row.attacker:20} caught {caught:30} query {section.number(row.delay['0.01']):>5}  "
            f"reached {section.number(row.reached['0.01']):>6}  wins {words.percent(row.won['0.01'])}"
        )
    return [*lines, *section.lost(report)]


if __name__ == "__main__":
    define_flags()
    _main.launch(main, devices=False)
