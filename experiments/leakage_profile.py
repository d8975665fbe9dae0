r"""What does every explainer leak at its default settings, and how much of it did earlier attacks find?

    python -m experiments.leakage_profile --quick

profiles every method of `leakjax.explain.EXPLAINERS` on handwritten digits, in some seven minutes of CPU. Each is
attacked by `stacked`, alone and beside the class, a rounded confidence and all probabilities, and in the same run by
every attack that was reported before: the threshold, the tree and the network of Shokri, Strobel & Zick, the map
network of DeepLeak, the trajectories of Liu et al. and the likelihood ratios of Huang et al. What further queries near
a point tell, in place of an explanation, stands beside them.

    python -m experiments.leakage_profile --dataset=fashion_mnist --model=cnn --points=4000 --epochs=15
    python -m experiments.leakage_profile --dataset=adult --label=occupation --points=4000

Methods of more than 10 runs of the model are attacked on --costly_points; of images masking methods mask the cells of a
grid; what takes more than --most_runs, or does not apply to the model, is listed with its reason. Attack networks
attack --network_targets of the models. The workdir receives report.json, report.html, figures/ and tables/. A run that
was stopped goes on method by method. Exit codes: 0 done, 1 failed, 2 bad usage, 130 and 143 stopped.
"""

import dataclasses
from typing import Any

from absl import flags

from leakjax import _validate
from leakjax.auditing.explainers import parse
from leakjax.auditing.options import Attacker
from leakjax.papers.leakage import Settings, profile, section
from leakjax.papers.leakage.figures import images
from leakjax.papers.leakage.rivals import REMOVALS
from leakjax.papers.methods import EVERY

from . import _main, paper_flags, training_flags

QUICK = {
    "models": 16,
    "points": 1000,
    "epochs": 30,
    "costly_points": 200,
    "most_runs": 400,
    "network_epochs": 4,
    "neighbours": 4,
}


_OWN = ("most_runs", "neighbours", "neighbour_step", "networks", "network_targets", "network_epochs")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(paper_flags.Config):
    """Everything that decides the numbers; each field is a flag."""

    explainers: tuple[str, ...]
    most_runs: int
    neighbours: int
    neighbour_step: float
    networks: bool
    network_targets: int
    network_epochs: int | None

    def __post_init__(self) -> None:
        """Checks what needs no data, before any compute."""
        super().__post_init__()
        for text in self.explainers:
            if text != EVERY:
                parse(text)
        for name in ("most_runs", "network_targets"):
            _validate.at_least(name, getattr(self, name), 1)
        if self.network_epochs is not None:
            _validate.at_least("network_epochs", self.network_epochs, 1)
        self.attacker  # noqa: B018  (its own checks)

    @property
    def attacker(self) -> Attacker:
        """What the attacker knows and is shown, and may ask near each point."""
        return dataclasses.replace(
            super().attacker, neighbours=self.neighbours, neighbour_step=self.neighbour_step
        )

    @property
    def settings(self) -> Settings:
        """What the study measures."""
        names = [field.name for field in dataclasses.fields(Settings)]
        return Settings(**{name: getattr(self, name) for name in names})


def define_flags() -> None:
    """Defines the flags; they are read in `main` alone."""
    paper_flags.define_flags()
    training_flags.define_ensemble()
    flags.DEFINE_string("explainers", EVERY, "Explainers, separated by commas; every stands for all.")
    flags.DEFINE_integer("most_runs", 10_000, "Of the model for one explanation; others are left out.")
    flags.DEFINE_integer("neighbours", 8, "Further queries a point, in place of an explanation.")
    flags.DEFINE_float("neighbour_step", 0.1, "Standard deviation of their steps in every feature.")
    flags.DEFINE_bool("networks", True, "Whether attack networks are trained.")
    flags.DEFINE_integer("network_targets", 1, "How many of the models attack networks attack.")
    flags.DEFINE_integer("network_epochs", None, "Of their training, the most. Default: each attack's.")


def read_config(given: dict[str, Any]) -> Config:
    """The flags as a frozen config; UsageError where a value is not allowed."""
    own = {name: given[name] for name in _OWN}
    explainers = paper_flags.texts("explainers", given["explainers"])
    return Config(**paper_flags.common(given), **own, explainers=explainers)


def main(values: flags.FlagValues) -> int:
    """Reads the flags and runs; the exit code that the module's docstring names."""
    given = paper_flags.values_of(values, QUICK)
    config, places = read_config(given), paper_flags.places_of(given, "leakage-profile")
    if values.plan:
        methods = paper_flags.print_plan(
            config, places, defenses=1, attacks=20, neighbours=config.neighbours, removals=2 * REMOVALS
        )
        trainings = methods * config.network_targets * (2 + len(config.releases)) if config.networks else 0
        print(f"attack networks: {trainings} trainings of up to 15 epochs on 8,192 maps each")
        return _main.DONE
    found = paper_flags.measured(config, places, profile, images, section.page)
    print(section.lead(found))
    print(f"report: {places.workdir / 'report.html'}")
    return _main.DONE


if __name__ == "__main__":
    define_flags()
    paper_flags.adopt(paper_flags)
    _main.launch(main)
