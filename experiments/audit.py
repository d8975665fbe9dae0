r"""How much do the explanations of a model leak about its training data, beyond its predictions?

    python -m experiments.audit

trains 64 small networks on 1,797 handwritten digits, each on a random half, attacks each with the help of the
others, and prints what two explainers give away, plain and hardened. It takes a minute or two on 2 cores and writes
report.html, report.json, tables/ and figures/ into --workdir. Expected: every control passes; beside the class alone a
gradient catches 2 points more of the training records at 1 % false alarms (5.2 beside 3.2 %; chance 1.1 %), hardened to
a cosine of 0.95 nothing that this audit could measure; beside probabilities it adds nothing at all.

Larger audits:

    python -m experiments.audit --dataset=fashion_mnist --points=20000 --models=256 --explainers=gradient --plan
    python -m experiments.audit --dataset=adult --group=race --model='mlp(widths=(64,))' --points=10000

Over a pod, the same command on each host, of models that experiments.train_shadows left in a directory that all see;
--distributed finds the others, or --coordinator, --processes and --process say who they are. The first process writes:

    python -m experiments.audit --ensemble=/shared/run --workdir=/shared/audit --distributed

--seeds=5 audits five times over and pools what it finds; `experiments.compare` sets runs side by side. --config=FILE
takes the settings of a run's config.json where no flag says otherwise.

--with=runs/records-adult adds what `experiments.records` found there to the page, as a section; so for other studies.
--show_records shows explanations of records of the data set, where the page by itself shows typical inputs alone.

The same command on the same --workdir goes on where it stopped, and one with other flags does again only what they
change. Exit codes: 0 done, 1 failed, 2 bad usage, 3 the upper bound of a margin is above --fail_above, 130 and 143
stopped by SIGINT and SIGTERM.
"""

import dataclasses
import math
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

import jax
from absl import flags
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import leakjax
from leakjax import _validate, attack, models, shadow
from leakjax._workdir import Workdir, writer
from leakjax.auditing import explainers
from leakjax.auditing.options import Budget, Run
from leakjax.auditing.plan import check_memory, plan
from leakjax.auditing.pool import Pool, audited, set_aside
from leakjax.auditing.private import promise
from leakjax.auditing.resolve import checked_defenses
from leakjax.auditing.stored import stored
from leakjax.auditing.subject import LEAST_POINTS
from leakjax.auditing.trained import trained
from leakjax.explain import Named
from leakjax.report import compare, publish, sections, show
from leakjax.report.progress import Stages
from leakjax.shadow import hosts

from . import _main, audit_flags, host_flags, training_flags
from .audit_flags import Config, Places, read_config


def load_pool(config: Config, places: Places) -> Pool:
    """The points; UsageError where they have no such group, or fewer than are to be audited."""
    points = training_flags.load_data(config, places)
    if config.group is not None:
        _validate.one_of("group", config.group, points.groups)
    pool = set_aside(points, config.background)
    _validate.at_least("points", len(pool.points.x), LEAST_POINTS)
    if config.audit_points is not None and config.audit_points > len(pool.points.x):
        rule = f"the pool has only {len(pool.points.x)} points"
        raise _validate.fail("audit_points", config.audit_points, rule)
    return pool


def methods(config: Config, model: models.Model, pool: Pool, say: Callable[[str], None]) -> list[Named]:
    """The explainers; UsageError where one that is named, or a defense, does not apply, before models are trained."""
    example = pool.points.x[0]
    variables = jax.eval_shape(model.init, jax.random.key(0), example)
    chosen = explainers.choose(
        config.explainers, model.logits_fn, variables, example, pool.background, say, pool.points.columns
    )
    checked_defenses(config.defenses, chosen, example)
    return chosen.methods


def run(
    config: Config, places: Places, stages: Stages, added: Sequence[str] = (), share: hosts.Share = hosts.ALL
) -> leakjax.report.Report:
    """The audit that a config describes; its page ends with the sections added.

    Several processes compute together what no stage keeps, for they walk in step; the first of them alone writes.
    """
    pool = load_pool(config, places)
    points = pool.points
    model = models.make(config.model, points.classes, **config.model_options)
    check_memory(model, points.x, **config.sizes(len(points.x)), maps=config.maps(points.classes))
    methods(config, model, pool, lambda line: None)  # the audit says what it leaves out
    directory = Path(config.ensemble).expanduser() if config.ensemble else None
    training = shadow.contents(directory).training if directory else config.training
    # Claimed now that nothing in the command is wrong.
    with _claimed(config, places, stages, share) as workdir:
        stages.say(f"{config.dataset}: {len(points.x)} points, {points.duplicates} exact duplicates removed")
        for note in points.notes:
            stages.say(note)
        store = workdir if share.processes == 1 else None
        key = jax.random.key(config.seed)
        promised = promise(training, len(points.x), delta=config.delta)
        if directory:
            ensemble, untrained = stored(
                directory, model, points, models=config.models, key=key, gap=config.gap
            )
        else:
            assert workdir is not None  # of many processes each would train all models
            ensemble, untrained = trained(
                model,
                points,
                training,
                models=config.models,
                key=key,
                workdir=workdir,
                say=stages.say,
                on_epoch=partial(stages.on_epoch, config.epochs),
            )
        points, ensemble = audited(points, ensemble, config.audit_points)
        report = leakjax.audit(
            model.logits_fn,
            ensemble,
            points,
            explainers=config.explainers,
            defenses=config.defenses,
            attacks=config.attacks,
            targets=config.targets,
            key=jax.random.fold_in(key, 2),
            attacker=config.attacker,
            budget=Budget(config.costly_points, pool.background, untrained, config.model_counts),
            run=Run(config.group, config.as_json(), store, stages.say, promised, places.show_records),
        )
        if workdir is not None:
            publish(report, workdir, added)
    return report


def _claimed(
    config: Config, places: Places, stages: Stages, share: hosts.Share
) -> AbstractContextManager[Workdir | None]:
    """The workdir of the first process; None for the others."""
    if share.process:
        return nullcontext()
    return _main.claimed(places.workdir, config.as_json(), take_over=places.take_over, say=stages.say)


def repetitions(config: Config, places: Places, seeds: int) -> list[tuple[Config, Places]]:
    """The audits that --seeds asks for: one as it is, or one for each seed in a folder of its own."""
    if seeds == 1:
        return [(config, places)]
    return [
        (
            dataclasses.replace(config, seed=seed),
            dataclasses.replace(places, workdir=places.workdir / f"seed-{seed}"),
        )
        for seed in range(config.seed, config.seed + seeds)
    ]


def print_plan(config: Config, places: Places, seeds: int, stages: Stages) -> None:
    """What `run` would do with each seed, and what all of them cost."""
    pool = load_pool(config, places)
    model = models.make(config.model, pool.points.classes, **config.model_options)
    estimate = plan(
        model,
        pool.points.x,
        **config.sizes(len(pool.points.x)),
        costly_points=config.costly_points,
        explainers=methods(config, model, pool, stages.say),
        attacks=len(config.attacks),
        anew=[attack.parse(text) for text in config.attacks],
        maps=config.maps(pool.points.classes),
        neighbours=config.neighbours,
    )
    title = f"{config.dataset}, {config.models} models"
    table = Table("stage", "runs of the model", "about seconds", title=escape(title))
    for stage in estimate.stages:
        table.add_row(escape(stage.name), f"{stage.runs:,}", f"{stage.seconds:,.1f}")
    total = sum(stage.seconds for stage in estimate.stages)
    runs = sum(stage.runs for stage in estimate.stages)
    table.add_row("total", f"{runs:,}", f"{total:,.1f}")
    if seeds > 1:
        table.add_row(f"total of {seeds} seeds", f"{seeds * runs:,}", f"{seeds * total:,.1f}")
    console = Console()
    console.print(table)
    console.print(
        f"memory: about {estimate.memory / 2**20:,.0f} MiB beyond the runtime; compilation not counted"
    )


def _joined(values: flags.FlagValues, config: Config) -> hosts.Share:
    """The share of this process; UsageError where several could not audit together."""
    share = host_flags.joined(values, in_step=True)
    if share.processes > 1 and not config.ensemble:
        rule = "audit together what experiments.train_shadows has trained; name it by --ensemble"
        raise _validate.fail("processes", share.processes, rule)
    if share.processes > jax.process_count():
        rule = "walk in step and must find each other; pass --coordinator=HOST:PORT or --distributed"
        raise _validate.fail("processes", share.processes, rule)
    return share


def main(values: flags.FlagValues) -> int:
    """Reads the flags and runs; the exit code that the module's docstring names."""
    config = read_config(values)
    # Before any work, which a wrong folder must not cost.
    added = sections.of_workdirs(getattr(values, "with"))
    name = re.sub(r"[^\w.=-]", "_", config.dataset)[-100:]
    workdir = Path(values.workdir or f"runs/audit-{name}").expanduser()
    places = Places(workdir, values.data_dir, values.source_dir, values.take_over, values.show_records)
    share = _joined(values, config)
    with Stages(Console(stderr=True)) as stages:
        if values.plan:
            print_plan(config, places, values.seeds, stages)
            return _main.DONE
        reports = [
            run(one, own, stages, added, share) for one, own in repetitions(config, places, values.seeds)
        ]
    if share.process:  # the first process says what was found
        return _main.DONE
    if len(reports) == 1:
        show(reports[0], workdir)
        margins = [row.margin.tpr_at_fpr[row.headline_fpr] for row in reports[0].leakage if row.margin]
    else:
        comparison = compare(*reports)
        comparison.show()
        writer(workdir)("seeds.csv", comparison.to_csv())
        margins = [row.margin for row in comparison.rows]
    highest = max((margin.high for margin in margins), default=math.nan)
    # Negated, so that a margin that could not be measured does not pass.
    if values.fail_above is not None and not highest <= values.fail_above:
        print(f"the upper bound of a margin, {highest:.4f}, is above {values.fail_above}", file=sys.stderr)
        return _main.ABOVE_LIMIT
    return _main.DONE


if __name__ == "__main__":
    audit_flags.define_flags()
    for module in (audit_flags, host_flags, training_flags):
        flags.adopt_module_key_flags(module)  # so that --help lists them
    _main.launch(main)
