r"""How does leakage grow with overfitting, and through what? Shokri et al., figures 1, 2, 3 and 12.

    python -m experiments.overfitting --quick --datasets=attributes100

trains models to ever larger generalisation gaps, and attacks each with the paper's network on five sets of what an
attacker may see, with a tree on the 1-norm of the gradient, with gradients that are normalised, and with the stacked
attack; first as the paper does, on one half of the target's own points, and at the largest gap on shadows too. Other
explainers and groups of points are measured at the largest gap.

    python -m experiments.overfitting --plan
    python -m experiments.overfitting --datasets=npz:purchase100.npz --model=purchase

attributes100 stands for Purchase, claims9 for Hospital, fashion_mnist for CIFAR; a data set whose files are missing is
left out with the reason. The workdir receives report.json, report.html, figures/ and tables/; a run that was stopped
goes on gap by gap. Exit codes: 0 done, 1 failed, 2 bad usage, 130 and 143 stopped.
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

from leakjax import _validate, data, models, shadow
from leakjax._validate import UsageError
from leakjax.attack.run import LESSON_POINTS
from leakjax.attack.stacked import LEAST_MODELS
from leakjax.papers.overfitting import NETWORKS, Settings, World, overfitting, section
from leakjax.papers.overfitting.document import Learns
from leakjax.papers.overfitting.figures import images
from leakjax.papers.overfitting.measure import OTHERS
from leakjax.papers.publish import publish
from leakjax.report.progress import Stages

from . import _config_file, _main, paper_flags, training_flags

WAYS: tuple[Learns, ...] = ("known_half", "shadows")
QUICK = {
    "datasets": "attributes100,claims9",
    "points": 2000,
    "models": 8,
    "targets": 2,
    "gaps": ["0.05", "0.15", "0.25"],
    "attack_epochs": 6,
    "epochs": 40,
}
# Two cores, a guess that no run was held against: seconds of training for each parameter and point, and of one step of
# an attack network.
_SECONDS_A_PRODUCT, _SECONDS_AN_ATTACK_STEP = 3.5e-10, 0.03


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that decides the numbers; each field is a flag."""

    datasets: tuple[str, ...]
    model: str | None
    points: int | None
    gaps: tuple[float, ...]
    epochs: int
    batch_size: int
    learning_rate: float
    settings: Settings

    def as_json(self) -> dict[str, Any]:
        """The fields as config.json holds them, each under its flag's name."""
        own = dataclasses.asdict(self)
        return json.loads(json.dumps({**own.pop("settings"), **own}))

    @property
    def worlds(self) -> list[World]:
        """Data sets, networks and how they are trained."""
        training = shadow.TrainConfig(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            stop_at_gap=self.gaps,
        )
        network = lambda dataset: self.model or NETWORKS.get(dataset.partition("(")[0], "purchase")
        return [World(dataset, network(dataset), training) for dataset in self.datasets]


def define_flags() -> None:
    """Defines the flags; they are read in `main` alone."""
    _main.define_take_over()
    _config_file.define_flag()
    flags.DEFINE_string("workdir", "runs/overfitting", "Where everything is written.")
    flags.DEFINE_string("datasets", ",".join(NETWORKS), "Data sets, separated by commas.")
    flags.DEFINE_string("data_dir", None, "Where data sets are prepared once. Default: ~/.cache/leakjax.")
    flags.DEFINE_string("source_dir", None, "A folder with original files, if they are not downloaded.")
    flags.DEFINE_string("model", None, "A network for all data sets. Default: the paper's for each.")
    flags.DEFINE_integer("points", 20_000, "Points of each pool, of which a model has half.")
    flags.DEFINE_integer("models", 16, f"Models of each data set, at least {LEAST_MODELS}.")
    flags.DEFINE_integer("targets", 4, "On how many models the paper's attacks are made.")
    flags.DEFINE_integer("audited", None, "On how many points of the pool. Default: all.")
    flags.DEFINE_list("gaps", ["0.02", "0.05", "0.1", "0.15", "0.2", "0.25"], "Generalisation gaps, rising.")
    flags.DEFINE_integer("epochs", 60, "Of training, the most.")
    flags.DEFINE_integer("batch_size", 32, "Points of a step.")
    flags.DEFINE_float("learning_rate", 1e-3, "Of Adam.")
    flags.DEFINE_list("learns", list(WAYS), f"How the paper's attacks learn: {' or '.join(WAYS)}.")
    flags.DEFINE_integer("attack_epochs", 15, "Of training an attack network, the most.")
    flags.DEFINE_string("others", ",".join(OTHERS), "Explainers at the largest gap, beside the gradient.")
    flags.DEFINE_integer("seed", 0, "Of all randomness.")
    flags.DEFINE_bool("quick", False, "Two data sets, three gaps, few points: minutes on two cores.")
    flags.DEFINE_bool("plan", False, "Print what would run and what it costs, and stop.")


def read_config(given: dict[str, Any]) -> Config:
    """The flags as a frozen config; UsageError where a value is not allowed."""
    _validate.at_least("models", given["models"], LEAST_MODELS)
    for name in ("targets", "attack_epochs", "points"):
        _validate.at_least(name, given[name], 1)
    if given["targets"] >= given["models"]:
        raise _validate.fail("targets", given["targets"], "must be below --models: the others are shadows")
    if given["audited"] is not None:
        _validate.at_least("audited", given["audited"], 1)
    _validate.seed("seed", given["seed"])
    for way in given["learns"]:
        _validate.one_of("learns", way, WAYS)
    gaps = training_flags.numbers("gaps", given["gaps"], float)
    for name in ("gaps", "learns"):
        if not given[name]:
            raise _validate.fail(name, given[name], "must name at least one")
    if given["model"]:
        models.make(given["model"], 2)
    settings = Settings(
        models=given["models"],
        targets=given["targets"],
        audited=given["audited"],
        learns=tuple(given["learns"]),
        attack_epochs=given["attack_epochs"],
        others=paper_flags.texts("others", given["others"]),
        seed=given["seed"],
    )
    datasets = paper_flags.texts("datasets", given["datasets"])
    _validate.distinct("datasets", list(datasets))
    return Config(
        datasets=datasets,
        gaps=gaps,
        settings=settings,
        **{name: given[name] for name in ("model", "points", "epochs", "batch_size", "learning_rate")},
    )


def load(values: flags.FlagValues, points: int | None, dataset: str) -> data.Points:
    """The points of a data set, all there are where it has fewer; UsageError where they are missing."""
    places = {"data_dir": values.data_dir, "source_dir": values.source_dir}
    found = data.load(dataset, **places)
    if points is None or len(found.x) <= points:
        return found
    return data.load(dataset, points=points, **places)


def print_plan(config: Config, values: flags.FlagValues) -> None:
    """What would run, and about how long."""
    console, own = Console(), config.settings
    table = Table("data", "network", "parameters", "training, about seconds", "attacks, about seconds")
    total = 0.0
    networks = 6 * len(config.gaps) + len(own.others)
    for world in config.worlds:
        try:
            points = load(values, config.points, world.dataset)
        except UsageError as error:
            console.print(f"{world.dataset} is left out: {error}", markup=False)
            continue
        x = np.zeros(points.x.shape[1:], np.float32)
        model = models.make(world.model, points.classes)
        size = sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(model.init, jax.random.key(0), x)))
        training = own.models * config.epochs * len(points.x) / 2 * size * _SECONDS_A_PRODUCT
        half = min(own.audited or len(points.x), len(points.x)) / 2
        lesson = half + 8 * min(LESSON_POINTS, 2 * half) * ("shadows" in own.learns) / len(config.gaps)
        attacking = networks * own.targets * own.attack_epochs * lesson / 128 * _SECONDS_AN_ATTACK_STEP
        total += training + attacking
        table.add_row(world.dataset, world.model, f"{size:,}", f"{training:,.0f}", f"{attacking:,.0f}")
    console.print(table)
    console.print(
        f"together about {total:,.0f} seconds on two cores, if no model stops at the last gap before"
    )


def main(values: flags.FlagValues) -> int:
    """Reads the flags and runs; the exit code that the module's docstring names."""
    config = read_config(paper_flags.values_of(values, QUICK))
    worlds = config.worlds  # flags of training are refused before anything is written
    if values.plan:
        print_plan(config, values)
        return _main.DONE
    workdir = Path(values.workdir).expanduser()
    with (
        Stages(Console(stderr=True)) as stages,
        _main.claimed(workdir, config.as_json(), take_over=values.take_over, say=stages.say) as held,
    ):
        found = overfitting(
            worlds,
            partial(load, values, config.points),
            config.settings,
            config=config.as_json(),
            workdir=held,
            say=stages.say,
            on_epoch=partial(stages.on_epoch, config.epochs),
        )
        pictures = images(found)
        publish(found, section.page(found, pictures), pictures, held)
    print(section.lead(found))
    print(f"report: {workdir / 'report.html'}")
    return _main.DONE


if __name__ == "__main__":
    define_flags()
    _main.launch(main)
