r"""Which defense hides the most and costs the least? A search for each explainer, measured once on models set apart.

    python -m experiments.harden

trains 80 small networks on handwritten digits, sets 32 of them apart as targets, tries 200 settings (chains of
transforms, their numbers, and whose output is explained) for each of four explainers on the other 48, and attacks the
targets, once, through what it chose. It prints what a hardened explanation still adds to the label with the share that
was cut, what it costs in the figure of utility that is quoted for the explainer, and what is recommended, and writes
report.json, tables/ and figures/front.png into --workdir. It takes some minutes on 2 cores, most of them compilation.

Settings are compared under an attack that takes milliseconds (leakjax/hardening/cheap_attack.py) and is never quoted;
how alike it and the audit's attack rank the front is printed. --beside=preset:gradient measures a chain of your own
beside the front.

    python -m experiments.harden --dataset=fashion_mnist --points=2000 --epochs=50 --explainers=cheap \
        --explained_classes=true

The same command on the same --workdir goes on after the last explainer that was finished. It needs leakjax[search].
Exit codes: 0 done, 2 bad usage, 130 and 143 stopped by SIGINT and SIGTERM.
"""

import dataclasses
import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import jax
from absl import flags
from rich.console import Console

from leakjax import _spec, _validate, models, shadow
from leakjax.auditing import explainers
from leakjax.auditing.plan import check_memory
from leakjax.auditing.pool import audited, set_aside
from leakjax.auditing.stored import stored
from leakjax.auditing.subject import LEAST_MODELS, LEAST_POINTS
from leakjax.auditing.trained import trained
from leakjax.defend import registry as defenses
from leakjax.hardening import HardeningReport, Search, harden
from leakjax.report import hardening as findings
from leakjax.report.progress import Stages

from . import _config_file, _main, training_flags


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that decides the numbers; each field is a flag."""

    dataset: str
    points: int | None
    features: int | None
    classes: int | None
    data_seed: int | None
    label: str | None
    background: int
    audit_points: int | None
    model: str
    models: int
    ensemble: str | None
    gap: float | None
    training: shadow.TrainConfig
    explainers: tuple[str, ...]
    search: Search
    seed: int

    def __post_init__(self) -> None:
        """Checks what needs no data, before any compute."""
        models.make(self.model, 2)
        training_flags.check_gap(self.gap, self.ensemble)
        _validate.at_least("models", self.models, self.search.targets + LEAST_MODELS)
        _validate.at_least("background", self.background, 0)
        if self.audit_points is not None:
            _validate.at_least("audit_points", self.audit_points, LEAST_POINTS)
        _validate.seed("seed", self.seed)
        for text in self.explainers:
            if text not in explainers.LISTS:
                explainers.parse(text)

    def as_json(self) -> dict[str, Any]:
        """The fields as config.json holds them; defenses by name."""
        named = dataclasses.replace(self.search, beside=())
        values = dataclasses.asdict(dataclasses.replace(self, search=named))
        values["search"]["beside"] = [defense.name for defense in self.search.beside]
        return json.loads(json.dumps(values))


def define_flags() -> None:
    """Defines the flags; they are read in `main` alone."""
    _main.define_take_over()
    _config_file.define_flag()
    flags.DEFINE_string("workdir", None, "Where everything is written. Default: runs/harden-DATASET.")
    training_flags.define_flags()
    default = Search()
    flags.DEFINE_integer("models", 80, "Models, targets and shadows together.")
    flags.DEFINE_integer("targets", default.targets, f"Models set apart, at least {LEAST_MODELS}.")
    training_flags.define_ensemble()
    flags.DEFINE_integer("audit_points", None, "Points of the pool that are explained. Default: all.")
    flags.DEFINE_integer("background", 0, "Points set aside for explainers that need a background.")
    flags.DEFINE_string(
        "explainers",
        "gradient,input_x_gradient,smoothgrad(samples=5),integrated_gradients(steps=5)",
        training_flags.choices("Explainers, separated by commas, or cheap or all.", explainers.describe()),
    )
    flags.DEFINE_list(
        "explained_classes",
        list(default.policies),
        "Policies that are searched, of predicted, true, reference.",
    )
    flags.DEFINE_integer("trials", default.trials, "Settings that are tried for each explainer.")
    flags.DEFINE_integer("search_points", default.points, "Points on which settings are compared.")
    flags.DEFINE_integer(
        "costly_points", default.costly_points, "Points for explainers of more than 10 runs of the model."
    )
    flags.DEFINE_integer("front", default.front, "Settings of the front that are measured on the targets.")
    flags.DEFINE_list(
        "repeats",
        [str(count) for count in default.repeats],
        "Numbers of answers whose mean an attacker takes, of what is recommended.",
    )
    flags.DEFINE_float("most_lost", default.most_lost, "Share of utility that what is recommended may lose.")
    flags.DEFINE_string("beside", None, "Defenses that are measured as well, separated by commas.")


def read_config(values: flags.FlagValues) -> Config:
    """The flags as a frozen config.

    Raises:
      UsageError: a flag's value is not allowed.
    """
    beside = _spec.split("beside", values.beside) if values.beside else []
    search = Search(
        targets=values.targets,
        policies=tuple(values.explained_classes),
        trials=values.trials,
        points=values.search_points,
        costly_points=values.costly_points,
        front=values.front,
        repeats=training_flags.numbers("repeats", values.repeats, int),
        beside=tuple(defenses.parse(text) for text in beside),
        most_lost=values.most_lost,
        seed=values.seed,
    )
    given = {
        field.name: getattr(values, field.name)
        for field in dataclasses.fields(Config)
        if field.name not in ("training", "explainers", "search")
    }
    names = tuple(
        text if text in explainers.LISTS else explainers.parse(text).name
        for text in _spec.split("explainers", values.explainers)
    )
    return Config(**given, training=training_flags.read_training(values), explainers=names, search=search)


def run(config: Config, values: flags.FlagValues, stages: Stages, workdir: Path) -> HardeningReport:
    """The study that a config describes, published in the workdir."""
    pool = set_aside(training_flags.load_data(config, values), config.background)
    points = pool.points
    model = models.make(config.model, points.classes)
    check_memory(
        model, points.x, models=config.models, epochs=config.training.epochs,
        batch_size=config.training.batch_size, audited=len(points.x), defenses=config.search.front,
    )  # fmt: skip
    variables = jax.eval_shape(model.init, jax.random.key(0), points.x[0])
    explainers.choose(
        config.explainers,
        model.logits_fn,
        variables,
        points.x[0],
        pool.background,
        lambda line: None,
        points.columns,
    )
    with _main.claimed(workdir, config.as_json(), take_over=values.take_over, say=stages.say) as held:
        key = jax.random.key(config.seed)
        if config.ensemble:
            directory = Path(config.ensemble).expanduser()
            ensemble, _ = stored(directory, model, points, models=config.models, key=key, gap=config.gap)
        else:
            ensemble, _ = trained(
                model, points, config.training, models=config.models, key=key, workdir=held, say=stages.say,
                on_epoch=partial(stages.on_epoch, config.training.epochs),
            )  # fmt: skip
        most = len(points.x)
        points, ensemble = audited(points, ensemble, min(config.audit_points or most, most))
        report = harden(
            model.logits_fn,
            ensemble,
            points,
            explainers=config.explainers,
            key=jax.random.fold_in(key, 2),
            search=config.search,
            background=pool.background,
            config=config.as_json(),
            store=held,
            say=stages.say,
        )
        findings.publish(report, held)
    return report


def main(values: flags.FlagValues) -> int:
    """Reads the flags and runs; the exit code that the module's docstring names."""
    config = read_config(values)
    name = re.sub(r"[^\w.=-]", "_", config.dataset)[-100:]
    workdir = Path(values.workdir or f"runs/harden-{name}").expanduser()
    with Stages(Console(stderr=True)) as stages:
        report = run(config, values, stages, workdir)
    print(findings.table(report))
    for sentence in findings.sentences(report):
        print(sentence)
    print(f"written to {workdir}")
    return _main.DONE


if __name__ == "__main__":
    define_flags()
    flags.adopt_module_key_flags(training_flags)
    _main.launch(main)
