r"""How much do the explanations of a model leak about its training data, beyond its predictions?

    python -m experiments.audit

trains 64 small networks on 1,797 handwritten digits, each on a random half, attacks each with the help of the
others, and prints what four explainers give away, plain and hardened. It takes half a minute on 2 cores (half
of that once its programs are compiled) and writes report.html, report.json and figures/ into --workdir.
Expected: every control passes; an explanation alone catches three times as many training records as chance at 1 %
false alarms, and clearly fewer after hardening; beside the prediction, attacked as well as we can, it adds nothing
that this audit could measure.

Larger audits:

    python -m experiments.audit --dataset=fashion_mnist --points=20000 --models=256 --explainers=gradient --plan
    python -m experiments.audit --dataset=adult --group=race --widths=64 --points=10000

--records=runs/records-adult adds what `experiments.records` found there to the page.

The same command on the same --workdir goes on where it stopped. Exit codes: 0 done, 1 failed, 2 bad usage,
3 the upper bound of a margin is above --fail_above.
"""

import dataclasses
import errno
import gc
import hashlib
import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import app, flags, logging
from rich.console import Console
from rich.table import Table

import leakjax
from experiments import audit_flags
from experiments.audit_flags import Config, define_flags, read_config
from leakjax import _validate, data, shadow
from leakjax.auditing import Attacker, Budget, Run, explainers
from leakjax.auditing.plan import plan
from leakjax.auditing.store import Store
from leakjax.models import MODELS, Model
from leakjax.records import section
from leakjax.report import publish, show
from leakjax.report.schema import write_file
from leakjax.shadow import checkpoint

_MOST_CPU_DEVICES = 16


@dataclasses.dataclass(frozen=True)
class Places:
    """Where things are; they do not change a number."""

    workdir: Path
    data_dir: str | None
    source_dir: str | None


def open_workdir(workdir: Path, config: Config) -> None:
    """Makes the workdir and looks whether it is this config's own, or nobody's yet.

    Raises:
        UsageError: it cannot be written, or holds another config.
    """
    path = workdir / "config.json"
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        if path.exists():
            _same_config(workdir, json.loads(path.read_text()), config.as_json())
        if not os.access(workdir, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise _validate.fail("workdir", str(workdir), f"cannot be written ({error.strerror})") from None
    except json.JSONDecodeError:
        raise _validate.fail("workdir", str(workdir), "its config.json is damaged; remove it") from None


def keep_workdir(workdir: Path, config: Config) -> None:
    """Makes the workdir this config's own."""
    write_file(workdir / "config.json", (json.dumps(config.as_json(), indent=1) + "\n").encode())


def load_points(config: Config, places: Places) -> data.Points:
    """The training pool."""
    points = data.load(
        config.dataset,
        data_dir=places.data_dir,
        source_dir=places.source_dir,
        points=config.points,
        features=config.features,
        classes=config.classes,
        seed=config.data_seed,
    )
    if config.group is not None:
        _validate.one_of("group", config.group, points.groups)
    if config.audit_points is not None and config.audit_points > len(points.x):
        raise _validate.fail("audit_points", config.audit_points, f"the pool has only {len(points.x)} points")
    return points


def set_aside(points: data.Points, count: int) -> tuple[data.Points, np.ndarray | None]:
    """The pool without every so-manyth point, and those points' features [count, ...], or None for none."""
    if count == 0:
        return points, None
    if count >= len(points.x):
        raise _validate.fail("background", count, f"must be below the {len(points.x)} points")
    rows = data.evenly_spaced(count, len(points.x))
    left = np.setdiff1d(np.arange(len(points.x)), rows)
    return data.take(points, left), points.x[rows]


def make_model(config: Config, points: data.Points) -> Model:
    """The network that all members share."""
    options = {"widths": config.widths} if config.model == "mlp" else {}
    return MODELS[config.model](points.classes, **options)


def train(
    config: Config, points: data.Points, model: Model, workdir: Path, console: Console
) -> tuple[shadow.Ensemble, Any]:
    """The trained ensemble, from its checkpoint if there is one, and its variables before training."""
    key = jax.random.key(config.seed)
    membership_key, training_key = jax.random.split(key)
    ids = np.arange(config.models, dtype=np.int32)
    membership = np.asarray(data.membership(membership_key, ids, len(points.x)))
    path = workdir / "checkpoints" / "ensemble"
    digest = hashlib.sha256(points.x.tobytes() + points.y.tobytes()).hexdigest()
    fingerprint = {**config.as_json(), "data": digest}
    start = shadow.init_ensemble(model, points.x, key=training_key, membership=membership, ids=ids)
    if checkpoint.exists(path):
        console.print(f"{config.models} trained models are at {path}")
        like = checkpoint.abstract_ensemble(model, points.x, config.models, config.epochs)
        return checkpoint.load(path, like, fingerprint), start.variables
    console.print(f"training {config.models} models")
    metrics = workdir / "metrics.jsonl"
    metrics.unlink(missing_ok=True)
    write = shadow.metrics_writer(metrics, ids)
    with shadow.progress_bar(config.epochs) as draw:

        def on_epoch(epoch: int, loss: np.ndarray, accuracy: np.ndarray) -> None:
            write(epoch, loss, accuracy)
            draw(epoch, loss, accuracy)

        ensemble = shadow.train_ensemble(
            model,
            points.x,
            points.y,
            config.training,
            key=training_key,
            membership=membership,
            ids=ids,
            on_epoch=on_epoch,
        )
    checkpoint.save(path, ensemble, fingerprint)
    return ensemble, start.variables


def run(
    config: Config, places: Places, console: Console, sections: Sequence[str] = ()
) -> leakjax.report.Report:
    """The audit that a config describes; its page ends with the sections."""
    open_workdir(places.workdir, config)
    points = load_points(config, places)
    points, background = set_aside(points, config.background)
    keep_workdir(places.workdir, config)  # now that nothing in the command is wrong
    console.print(f"{config.dataset}: {len(points.x)} points, {points.duplicates} exact duplicates removed")
    model = make_model(config, points)
    ensemble, untrained = train(config, points, model, places.workdir, console)
    if config.audit_points is not None:
        rows = data.evenly_spaced(config.audit_points, len(points.x))
        points = data.take(points, rows)
        ensemble = ensemble._replace(membership=ensemble.membership[:, rows])
    report = leakjax.audit(
        model.logits_fn,
        ensemble,
        points,
        explainers=config.explainers,
        defenses=config.defenses,
        attacks=config.attacks,
        targets=config.targets,
        key=jax.random.fold_in(jax.random.key(config.seed), 2),
        attacker=Attacker(
            label_known=config.label_known, explained_class="true" if config.explain_label else "predicted"
        ),
        budget=Budget(config.costly_points, background, untrained),
        run=Run(config.group, config.as_json(), Store(places.workdir / "checkpoints"), console.print),
    )
    publish(report, places.workdir, sections)
    return report


def print_plan(config: Config, places: Places, console: Console) -> None:
    """What `run` would do, and what it costs."""
    points, background = set_aside(load_points(config, places), config.background)
    model = make_model(config, points)
    example = points.x[0]
    variables = model.init(jax.random.key(0), example)
    named = explainers.expand(
        config.explainers, model.logits_fn, variables, example, background, console.print
    )
    estimate = plan(
        model,
        points.x,
        models=config.models,
        epochs=config.epochs,
        audited=config.audit_points or len(points.x),
        costly_points=config.costly_points,
        explainers=named,
        defenses=len(config.defenses),
        attacks=len(config.attacks),
    )
    table = Table(
        "stage", "runs of the model", "about seconds", title=f"{config.dataset}, {config.models} models"
    )
    for stage in estimate.stages:
        table.add_row(stage.name, f"{stage.runs:,}", f"{stage.seconds:,.1f}")
    total = sum(stage.seconds for stage in estimate.stages)
    table.add_row("total", f"{sum(stage.runs for stage in estimate.stages):,}", f"{total:,.1f}")
    console.print(table)
    console.print(
        f"memory: about {estimate.memory / 2**20:,.0f} MiB beyond the runtime; compilation not counted"
    )


def main(argv: Sequence[str]) -> None:
    """Reads the flags, runs, and ends with the exit code that the module's docstring names."""
    values = flags.FLAGS
    console = Console(stderr=True)
    try:
        if len(argv) > 1:
            raise _validate.fail("arguments", argv[1:], "there are flags alone; see --help")
        config = read_config(values)
        sections = [section.of_workdir(Path(values.records).expanduser())] if values.records else []
        workdir = Path(values.workdir or f"runs/audit-{config.dataset.replace('/', '_').replace(':', '_')}")
        places = Places(workdir, values.data_dir, values.source_dir)
        use_machine()
        if not values["verbosity"].present:  # absl has raised the default to INFO by now
            logging.set_verbosity(logging.WARNING)
        if values.plan:
            print_plan(config, places, Console())
            return
        report = run(config, places, console, sections)
    except _validate.UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    show(report, workdir)
    highest = max((_upper_bound(row) for row in report.leakage if row["margin"]), default=math.nan)
    # Negated, so that a margin that could not be measured does not pass.
    if values.fail_above is not None and not highest <= values.fail_above:
        print(f"the upper bound of a margin, {highest:.4f}, is above {values.fail_above}", file=sys.stderr)
        sys.exit(3)


def use_machine() -> None:
    """Makes every core a device where there is no accelerator, and keeps compiled programs for the next run."""
    gc.freeze()  # what is imported stays: collections need not walk it again while programs are traced
    if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        jax.config.update("jax_num_cpu_devices", min(os.cpu_count() or 1, _MOST_CPU_DEVICES))
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", str(data.default_data_dir() / "compiled"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def parse_flags(argv: Sequence[str]) -> list[str]:
    """Parses flags; a flag that does not exist or does not parse is bad usage."""
    try:
        return flags.FLAGS(list(argv))
    except flags.Error as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def _upper_bound(row: Mapping[str, Any]) -> float:
    return row["margin"]["tpr_at_fpr"][row["headline_fpr"]]["high"]


def _same_config(workdir: Path, old: dict[str, Any], new: dict[str, Any]) -> None:
    for name in {**old, **new}:
        if old.get(name) != new.get(name):
            raise _validate.fail(
                name,
                new.get(name),
                f"{workdir} holds an audit with {name}={old.get(name)!r}; use another --workdir",
            )


if __name__ == "__main__":
    define_flags()
    flags.adopt_module_key_flags(audit_flags)  # so that --help lists them
    app.run(main, flags_parser=parse_flags)
