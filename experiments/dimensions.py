r"""Does leakage come with the number of features, and does sampling defend? Shokri et al., figures 4, 5 and 14.

    python -m experiments.dimensions --quick

draws synthetic points of --features features in --classes classes, trains --models networks of each of --sizes on half
of them with Adagrad, and correlates the 1-norm of gradients with membership; then attacks SmoothGrad with ever more
samples, Shapley sampling and LIME. Without --quick, the paper's own setting:

    python -m experiments.dimensions --plan        # what it costs
    python -m experiments.dimensions

The workdir receives report.json, report.html, figures/ and tables/; a run that was stopped goes on setting by setting.
Exit codes: 0 done, 1 failed, 2 bad usage, 130 and 143 stopped.
"""

import dataclasses
import json
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import flags
from rich.console import Console
from rich.table import Table

from leakjax import _validate, models
from leakjax.attack.stacked import LEAST_MODELS
from leakjax.auditing.subject import LEAST_POINTS
from leakjax.papers.dimensions import Settings, cases, dimensions, section
from leakjax.papers.dimensions.figures import images
from leakjax.papers.dimensions.measure import Case
from leakjax.papers.dimensions.training import Adagrad
from leakjax.papers.publish import publish
from leakjax.report.progress import Stages

from . import _config_file, _main, paper_flags, training_flags

# Of the paper's figure 5.
FEATURES = (1, 2, 5, 10, 14, 20, 50, 100, 127, 200, 500, 600, 1000, 2000, 3072, 5000, 6000, 10_000)
SIZES = ("small", "base", "big")
QUICK = {
    "features": [2, 20, 100, 500, 1000],
    "sizes": ["base"],
    "models": 4,
    "sampled_audited": 300,
    "samples": [1, 10, 100],
}
_NUMBERS = (
    "sampled",
    "points",
    "models",
    "sampled_points",
    "sampled_features",
    "sampled_models",
    "sampled_audited",
    "seed",
)
_TRAINING = ("epochs", "batch_size", "learning_rate", "decay")
# Two cores, a rough guess that no run was held against: seconds of a step for each parameter, and beside it.
_SECONDS_A_PARAMETER, _SECONDS_A_STEP = 1.2e-8, 1.0e-4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that decides the numbers; each field is a flag."""

    features: tuple[int, ...]
    classes: tuple[int, ...]
    sizes: tuple[str, ...]
    settings: Settings

    def as_json(self) -> dict[str, Any]:
        """The fields as config.json holds them, each under its flag's name."""
        own = dataclasses.asdict(self)
        settings = own.pop("settings")
        training = {name: settings["training"][name] for name in _TRAINING}
        del settings["training"]
        return json.loads(json.dumps({**own, **settings, **training}))


def define_flags() -> None:
    """Defines the flags; they are read in `main` alone."""
    _main.define_take_over()
    _config_file.define_flag()
    flags.DEFINE_string("workdir", "runs/dimensions", "Where everything is written.")
    flags.DEFINE_list("features", [str(n) for n in FEATURES], "Numbers of features.")
    flags.DEFINE_list("classes", ["2", "100"], "Numbers of classes.")
    flags.DEFINE_list("sizes", list(SIZES), f"Of the network: {', '.join(SIZES)}.")
    flags.DEFINE_integer("points", 20_000, "Points of each pool, of which a model has half.")
    flags.DEFINE_integer("models", 4, "Models of each setting, each a repetition.")
    flags.DEFINE_integer("epochs", 100, "Of training.")
    flags.DEFINE_integer("batch_size", 32, "Points of a step; the paper does not name it.")
    flags.DEFINE_float("learning_rate", 0.01, "Of Adagrad.")
    flags.DEFINE_float("decay", 1e-7, "Of the learning rate, a step.")
    flags.DEFINE_bool("sampled", True, "Whether explanations made of samples are attacked.")
    flags.DEFINE_integer("sampled_points", 2000, "Points on which explanations made of samples are attacked.")
    flags.DEFINE_integer("sampled_features", 200, "Features of these points.")
    flags.DEFINE_integer("sampled_models", 16, "Models of these points, each a target in turn.")
    flags.DEFINE_integer("sampled_audited", 1000, "On how many of these points they are attacked.")
    flags.DEFINE_list("sigmas", ["0.15", "1"], "Noise of SmoothGrad, in standard deviations of a feature.")
    flags.DEFINE_list("samples", ["1", "2", "5", "20", "100"], "Samples of SmoothGrad.")
    flags.DEFINE_integer("seed", 0, "Of all randomness.")
    flags.DEFINE_bool("quick", False, "Five numbers of features, one size: minutes on two cores.")
    flags.DEFINE_bool("plan", False, "Print what would run and what it costs, and stop.")


def read_config(given: dict[str, Any]) -> Config:
    """The flags as a frozen config; UsageError where a value is not allowed."""
    numbers = lambda name, kind: training_flags.numbers(name, given[name], kind)
    for name, least in (
        ("models", 2),
        ("sampled_audited", LEAST_POINTS),
        ("sampled_points", LEAST_POINTS),
        ("sampled_features", 1),
        ("sampled_models", LEAST_MODELS),
    ):
        _validate.at_least(name, given[name], least)
    _validate.at_least("decay", given["decay"], 0)
    _validate.seed("seed", given["seed"])
    for size in given["sizes"]:
        _validate.one_of("sizes", size, SIZES)
    features, classes, samples = (numbers(name, int) for name in ("features", "classes", "samples"))
    for name, least in (("features", 1), ("classes", 2), ("samples", 1)):
        for value in numbers(name, int):
            _validate.at_least(name, value, least)
    training = Adagrad(optimizer="adagrad", **{name: given[name] for name in _TRAINING})
    settings = Settings(
        training=training,
        sigmas=numbers("sigmas", float),
        samples=samples,
        **{name: given[name] for name in _NUMBERS},
    )
    return Config(features=features, classes=classes, sizes=tuple(given["sizes"]), settings=settings)


def print_plan(config: Config, made: list[Case]) -> None:
    """What would run, and about how long."""
    console, own, total = Console(), config.settings, 0.0
    steps = own.training.epochs * own.training.steps(own.points)
    table = Table("setting", "parameters", "about seconds", title=f"{own.models} models a setting")
    for case in made:
        x = np.zeros(case.features, np.float32)
        model = models.make(f"synthetic(size={case.size!r})", case.classes)
        size = sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(model.init, jax.random.key(0), x)))
        seconds = own.models / 2 * steps * (_SECONDS_A_STEP + _SECONDS_A_PARAMETER * size)
        total += seconds
        table.add_row(case.name, f"{size:,}", f"{seconds:,.0f}")
    table.add_row("total", "", f"{total:,.0f}")
    console.print(table)
    console.print(
        "on two cores; drawing the points, compilation and the sampled explanations are not counted"
    )


def main(values: flags.FlagValues) -> int:
    """Reads the flags and runs; the exit code that the module's docstring names."""
    given = paper_flags.values_of(values, QUICK)
    config = read_config(given)
    made, left_out = cases(config.features, config.classes, config.sizes)
    if values.plan:
        print_plan(config, made)
        return _main.DONE
    workdir = Path(values.workdir).expanduser()
    with (
        Stages(Console(stderr=True)) as stages,
        _main.claimed(workdir, config.as_json(), take_over=values.take_over, say=stages.say) as held,
    ):
        found = dimensions(
            made,
            left_out,
            config.settings,
            config=config.as_json(),
            workdir=held,
            say=stages.say,
            on_epoch=partial(stages.on_epoch, config.settings.training.epochs),
        )
        pictures = images(found)
        publish(found, section.page(found, pictures), pictures, held)
    print(section.lead(found))
    print(f"report: {workdir / 'report.html'}")
    return _main.DONE


if __name__ == "__main__":
    define_flags()
    _main.launch(main)
