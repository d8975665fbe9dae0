r"""What does hardening cut, and what does it cost: every explainer under DeepLeak's hardening and under ours.

    python -m experiments.hardening_profile --quick

attacks every method of `leakjax.explain.EXPLAINERS` on handwritten digits, plain, under DeepLeak's noise, clamping,
rounding and zeroing (at its default strengths, and on maps scaled to a largest value of 1), and under ours: the
explainer's preset where it has one, else --chain. The attack is refitted for each. What is cut stands beside the 46.5
to 95 % of DeepLeak's abstract, and the loss of utility, by the figure that is quoted for the explainer and by the mask
correlation, beside its 3.3 %.

    python -m experiments.hardening_profile --dataset=fashion_mnist --model=cnn --points=4000 --epochs=15 --models=48

The class that is explained is fixed by the query unless --policy=predicted. The first --targets models are attacked,
the others are shadows alone. The workdir receives report.json, report.html, figures/ and tables/; a run that was
stopped goes on method by method. Exit codes: 0 done, 1 failed, 2 bad usage, 130 and 143 stopped.
"""

import dataclasses
from typing import Any

from absl import flags

from leakjax import _validate
from leakjax.auditing.explainers import parse
from leakjax.hardening.world import POLICIES
from leakjax.papers.hardened import Settings, hardening_profile, section
from leakjax.papers.hardened.figures import images
from leakjax.papers.methods import EVERY

from . import _main, paper_flags, training_flags

QUICK = {"models": 20, "targets": 16, "points": 800, "epochs": 30, "costly_points": 200, "most_runs": 100}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(paper_flags.Config):
    """Everything that decides the numbers; each field is a flag."""

    explainers: tuple[str, ...]
    most_runs: int
    targets: int
    policy: str
    deepleak: str
    chain: str
    beside: tuple[str, ...]

    def __post_init__(self) -> None:
        """Checks what needs no data, before any compute."""
        super().__post_init__()
        for text in self.explainers:
            if text != EVERY:
                parse(text)
        _validate.at_least("most_runs", self.most_runs, 1)
        _validate.at_least("models", self.models, self.targets + 2)
        self.settings  # noqa: B018  (its own checks)

    @property
    def settings(self) -> Settings:
        """What the study measures."""
        names = [field.name for field in dataclasses.fields(Settings)]
        return Settings(**{name: getattr(self, name) for name in names})


def define_flags() -> None:
    """Defines the flags; they are read in `main` alone."""
    paper_flags.define_flags(models=48)
    training_flags.define_ensemble()
    flags.DEFINE_string("explainers", EVERY, "Explainers, separated by commas; every stands for all.")
    flags.DEFINE_integer("most_runs", 10_000, "Of the model for one explanation; others are left out.")
    flags.DEFINE_integer("targets", 32, "How many of the models are attacked, at least 16.")
    flags.DEFINE_enum("policy", "true", POLICIES, "Whose output is explained.")
    flags.DEFINE_string(
        "deepleak", Settings.deepleak, "DeepLeak's hardening, with the strengths that it has; none: left out."
    )
    flags.DEFINE_string("chain", Settings.chain, "Ours, of explainers without a preset.")
    flags.DEFINE_string("beside", None, "Chains that are measured as well, separated by commas.")


def read_config(given: dict[str, Any]) -> Config:
    """The flags as a frozen config; UsageError where a value is not allowed."""
    own = {name: given[name] for name in ("most_runs", "targets", "policy", "deepleak", "chain")}
    own |= {name: paper_flags.texts(name, given[name] or ()) for name in ("explainers", "beside")}
    return Config(**paper_flags.common(given), **own)


def main(values: flags.FlagValues) -> int:
    """Reads the flags and runs; the exit code that the module's docstring names."""
    given = paper_flags.values_of(values, QUICK)
    config, places = read_config(given), paper_flags.places_of(given, "hardening-profile")
    if values.plan:
        paper_flags.print_plan(config, places, defenses=2 + len(config.settings.hardenings("")), attacks=3)
        return _main.DONE
    found = paper_flags.measured(config, places, hardening_profile, images, section.page)
    print(section.lead(found))
    print(f"report: {places.workdir / 'report.html'}")
    return _main.DONE


if __name__ == "__main__":
    define_flags()
    paper_flags.adopt(paper_flags)
    _main.launch(main)
