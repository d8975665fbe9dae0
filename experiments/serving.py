r"""Who should explain, and when nobody? Sub-models that never saw the query, students, and selective release.

    python -m experiments.serving

trains 72 small networks on 1,197 handwritten digits, five sub-models of each that never saw a fifth of its points, and
two students of each: one of what the network answers on 600 points that nobody was trained on, one of what the
sub-models answer to the points that they did not see. All explain the true class, unless --explained_class says
otherwise; the attack is refitted for each. The table says what each way still adds to the label and to all
probabilities, what it costs in utility on the model that predicts and in accuracy, what an attacker finds who asks
beside the point, and whom selective release leaves without an explanation. Some four minutes of processor time.

    python -m experiments.serving --dataset=npz:claims9.npz --points=5000 --background=1000 --group=group \
        --model='mlp(widths=(256,))' --epochs=40 --learning_rate=1e-3

The workdir receives report.json and tables/; what was trained is kept there. Exit codes: 0 done, 1 failed, 2 bad usage,
130 and 143 stopped.
"""

import dataclasses
from typing import Any

import numpy as np
from absl import flags
from rich.console import Console

from leakjax import _validate
from leakjax.auditing.explainers import parse
from leakjax.hardening.serving import Serving, serve
from leakjax.hardening.world import POLICIES
from leakjax.report import serving as findings
from leakjax.report.progress import Stages

from . import _main, paper_flags, training_flags


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(paper_flags.Config):
    """Everything that decides the numbers; each field is a flag."""

    explainer: str
    serving: Serving

    def __post_init__(self) -> None:
        """Checks what needs no data, before any compute."""
        super().__post_init__()
        parse(self.explainer)
        _validate.one_of("explained_class", self.explained_class, POLICIES)
        _validate.at_least("background", self.background, 1)
        _validate.at_least("models", self.models, self.serving.targets + self.serving.reference + 2)
        if self.audit_points is not None:
            raise _validate.fail(
                "audit_points", self.audit_points, "must be left out: students learn all points"
            )


def define_flags() -> None:
    """Defines the flags; they are read in `main` alone."""
    paper_flags.define_flags(models=72, background=600, explained_class="true")
    training_flags.define_ensemble()
    flags.DEFINE_string("explainer", "gradient", "Whose explanations are served.")
    flags.DEFINE_integer("targets", Serving.targets, "How many of the models are attacked.")
    flags.DEFINE_integer("reference", Serving.reference, "Further models that decide what is withheld.")
    flags.DEFINE_integer("folds", Serving.folds, "Of out-of-fold explanation.")
    flags.DEFINE_float("withheld", Serving.withheld, "Share of the queries under selective release.")
    flags.DEFINE_integer("queries", Serving.queries, "Beside a point, by an attacker who takes their mean.")
    flags.DEFINE_float("step", Serving.step, "Standard deviation of these queries in every feature.")
    flags.DEFINE_float("near", Serving.near, "Distance below which points count as near-duplicates.")


def read_config(given: dict[str, Any]) -> Config:
    """The flags as a frozen config; UsageError where a value is not allowed."""
    names = [field.name for field in dataclasses.fields(Serving)]
    serving = Serving(**{name: given[name] for name in names})
    return Config(**paper_flags.common(given), explainer=given["explainer"], serving=serving)


def main(values: flags.FlagValues) -> int:
    """Reads the flags and runs; the exit code that the module's docstring names."""
    given = paper_flags.values_of(values, {})
    config, places = read_config(given), paper_flags.places_of(given, "serving")
    with Stages(Console(stderr=True)) as stages:
        pool = paper_flags.load_pool(config, places)
        model = paper_flags.network_of(config, pool)
        with _main.claimed(
            places.workdir, config.as_json(), take_over=places.take_over, say=stages.say
        ) as held:
            subject = paper_flags.attacked(config, model, pool, held, stages).subject
            group = None if config.group is None else pool.points.groups[config.group]
            report = serve(
                model, subject, np.asarray(pool.background), parse(config.explainer), config.serving, config.training,
                group=group, config=config.as_json(), workdir=held, say=stages.say,
            )  # fmt: skip
            findings.publish(report, held)
    print(findings.table(report))
    for sentence in findings.sentences(report):
        print(sentence)
    print(f"written to {places.workdir}")
    return _main.DONE


if __name__ == "__main__":
    define_flags()
    paper_flags.adopt(paper_flags)
    _main.launch(main)
