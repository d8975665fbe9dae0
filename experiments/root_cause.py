r"""Which properties of explanations and of models drive leakage: is it sparsity and sensitivity?

    python -m experiments.root_cause --quick

varies one property at a time and leaves all else as it is: the sparsity of a map by its top k values, its sensitivity
by smoothing, the number of samples and steps, the baseline, the explained output and class, the method; overfitting by
the length of training, the width and the activation of the network, private training; the number of classes and of
features of synthetic data. Then leakage is regressed over all settings on measured properties, with and without what
the predicted class and the confidence give away, and held against each sweep.

    python -m experiments.root_cause --dataset=npz:claims9.npz --model='mlp(widths=(256,))' --points=4000

--sweeps takes some of them alone. Private training needs leakjax[private] and is listed as left out where it is
missing.
The workdir receives report.json, report.html, figures/ and tables/; a run that was stopped goes on setting by setting.
Exit codes: 0 done, 1 failed, 2 bad usage, 130 and 143 stopped.
"""

import dataclasses
from functools import partial
from typing import Any

from absl import flags
from rich.console import Console
from rich.table import Table

from leakjax import _validate, data, models
from leakjax.auditing.pool import Pool, set_aside
from leakjax.papers.publish import publish
from leakjax.papers.root_cause import Settings, root_cause, section
from leakjax.papers.root_cause.figures import images
from leakjax.papers.root_cause.sweeps import Case, World, sweeps
from leakjax.report.progress import Stages

from . import _main, paper_flags

QUICK = {"models": 16, "points": 800, "epochs": 30}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(paper_flags.Config):
    """Everything that decides the numbers; each field is a flag."""

    sweeps: tuple[str, ...]
    quick: bool

    @property
    def base(self) -> World:
        """From which one property at a time departs."""
        return World(self.dataset, self.model, self.training)

    @property
    def settings(self) -> Settings:
        """How every setting is measured."""
        return Settings(self.models, self.audit_points, self.label_known, self.seed)


def define_flags() -> None:
    """Defines the flags; they are read in `main` alone."""
    paper_flags.define_flags()
    flags.DEFINE_list("sweeps", [], "Some of the sweeps, by name; all by default.")


def read_config(given: dict[str, Any]) -> Config:
    """The flags as a frozen config; UsageError where a value is not allowed."""
    return Config(**paper_flags.common(given), sweeps=tuple(given["sweeps"]), quick=given["quick"])


def cases_of(config: Config, pool: Pool) -> list[Case]:
    """The settings; UsageError where a sweep does not exist."""
    points = config.points or len(pool.points.x)
    found = sweeps(config.base, pool.points.x.shape[1:], points=points, quick=config.quick)
    for name in config.sweeps:
        _validate.one_of("sweeps", name, dict.fromkeys(case.sweep for case in found))
    return [case for case in found if not config.sweeps or case.sweep in config.sweeps]


def load(config: Config, places: paper_flags.Places, world: World) -> Pool:
    """The points of a world: the base's as its flags say, others as their own text does."""
    if world.dataset == config.dataset:
        return paper_flags.load_pool(config, places)
    return set_aside(
        data.load(world.dataset, data_dir=places.data_dir, seed=config.data_seed), config.background
    )


def print_plan(config: Config, pool: Pool, cases: list[Case]) -> None:
    """What would run, and about how long."""
    console = Console()
    worlds = list(dict.fromkeys(case.world for case in cases))
    steps = config.models * len(pool.points.x) // 2
    table = Table("sweep", "settings", title=f"{config.dataset}, {config.models} models a world")
    for name in dict.fromkeys(case.sweep for case in cases):
        table.add_row(name, ", ".join(case.setting for case in cases if case.sweep == name))
    console.print(table)
    epochs = sum(world.training.epochs for world in worlds)
    console.print(
        f"{len(worlds)} worlds are trained, {steps * epochs:,} points passed through; {len(cases)} settings are "
        f"attacked, some 10 seconds each on two cores"
    )


def main(values: flags.FlagValues) -> int:
    """Reads the flags and runs; the exit code that the module's docstring names."""
    given = paper_flags.values_of(values, QUICK)
    config, places = read_config(given), paper_flags.places_of(given, "root-cause")
    models.make(config.model, 2)
    pool = paper_flags.load_pool(config, places)
    cases = cases_of(config, pool)
    if values.plan:
        print_plan(config, pool, cases)
        return _main.DONE
    with (
        Stages(Console(stderr=True)) as stages,
        _main.claimed(places.workdir, config.as_json(), take_over=places.take_over, say=stages.say) as held,
    ):
        found = root_cause(
            cases,
            partial(load, config, places),
            config.settings,
            config=config.as_json(),
            workdir=held,
            say=stages.say,
            on_epoch=partial(stages.on_epoch, config.training.epochs),
        )
        pictures = images(found)
        publish(found, section.page(found, pictures), pictures, held)
    print(section.lead(found))
    print(f"report: {places.workdir / 'report.html'}")
    return _main.DONE


if __name__ == "__main__":
    define_flags()
    paper_flags.adopt(paper_flags)
    _main.launch(main)
