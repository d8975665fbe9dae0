r"""What do explanations leak, where models were trained and explained elsewhere? Their answers are enough.

    python -m experiments.score --answers=answers.npz

reads an .npz file by `numpy.savez` (mapped into memory, not compressed) with

    member        bool [models, points], who was trained on what: an independent fair coin each
    logits        [models, points, classes], logits or log-probabilities
    labels        int [points]
    attributions  [models, points, ...]; as many as there are: attributions_shap, attributions_lime, ...
    signals       [models, points, signals], other numbers of an answer, with names and views
                  ("prediction" or "explanation") of each
    x             [points, ...], the inputs, for products of maps with inputs, and defenses that look at them
    queries       [models, points, queries, classes], logits at further inputs near each point
    groups        text [points], by which leakage is broken down as well

of which `member` and one explanation are needed, and writes the report of an audit, but for the training, to
--workdir. Each attribution is attacked as it is and as each of --defenses leaves it; one that was hardened before it
was measured is one more. --attacks adds those of the literature, as "stacked,lira,rmia(online=False),map_ratio".
Exit codes: 0 done, 1 failed, 2 bad usage.
"""

import dataclasses
import json
from pathlib import Path

import jax
from absl import flags
from rich.console import Console

from leakjax import _spec, _validate, attack
from leakjax.auditing import scored
from leakjax.auditing.options import EXPLAINED_CLASSES, Attacker, Run
from leakjax.data.mapped import mapped
from leakjax.defend import registry as defenses
from leakjax.oracle import release
from leakjax.report import publish, show
from leakjax.report.progress import Stages

from . import _config_file, _main, training_flags


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that decides the numbers; each field is a flag."""

    answers: str
    defenses: tuple[str, ...]
    attacks: tuple[str, ...]
    targets: tuple[int, ...] | None
    label_known: bool
    explained_class: str
    releases: tuple[str, ...]
    seed: int


def define_flags() -> None:
    """Defines the flags; they are read in `main` alone."""
    flags.DEFINE_string("answers", None, "An .npz file by numpy.savez.")
    flags.DEFINE_string("workdir", None, "Where everything is written. Default: runs/score-NAME.")
    flags.DEFINE_string(
        "defenses",
        "none,preset:saliency,normalize()+cosine_noise(0.8),normalize()+cosine_noise(0.6)",
        training_flags.choices(
            "Defenses of attributions, separated by commas; a chain is joined by +, the first applies first. "
            "project_out needs x.",
            defenses.describe(),
        ),
    )
    flags.DEFINE_string(
        "attacks",
        ",".join(attack.DEFAULT_ATTACKS),
        training_flags.choices(
            "Attacks, separated by commas; stacked is the headline.",
            attack.describe(),
        ),
    )
    flags.DEFINE_list("targets", None, "Indices of the attacked models. Default: each in turn.")
    flags.DEFINE_bool("label_known", True, "Whether the attacker knows the true class.")
    flags.DEFINE_enum("explained_class", "predicted", EXPLAINED_CLASSES, "Whose output was explained.")
    flags.DEFINE_list("releases", list(release.DEFAULT), "What the service shows beside an explanation.")
    flags.DEFINE_integer("seed", 0, "Of all randomness.")
    _main.define_take_over()
    _config_file.define_flag()


def main(values: flags.FlagValues) -> int:
    """Reads the flags and runs; the exit code that the module's docstring names."""
    if not values.answers:
        raise _validate.fail("answers", values.answers, "must name an .npz file")
    config = Config(
        values.answers,
        tuple(defenses.parse(text).name for text in _spec.split("defenses", values.defenses)),
        tuple(attack.parse(text).name for text in _spec.split("attacks", values.attacks)),
        None if values.targets is None else tuple(_whole(text) for text in values.targets),
        values.label_known,
        values.explained_class,
        tuple(release.prediction_part(text).name for text in values.releases),
        values.seed,
    )
    _validate.seed("seed", config.seed)
    path = Path(config.answers).expanduser()
    workdir = Path(values.workdir or f"runs/score-{path.stem}").expanduser()
    arrays = mapped(path)
    as_json = json.loads(json.dumps(dataclasses.asdict(config)))
    with (
        Stages(Console(stderr=True)) as stages,
        _main.claimed(workdir, as_json, take_over=values.take_over, say=stages.say) as claimed,
    ):
        report = scored.score(
            arrays,
            name=path.name,
            defenses=config.defenses,
            attacks=config.attacks,
            targets=config.targets,
            key=jax.random.key(config.seed),
            attacker=Attacker(config.label_known, config.explained_class, config.releases),  # type: ignore[arg-type]
            run=Run("group" if "groups" in arrays else None, say=stages.say),
        )
        publish(report, claimed)
    show(report, workdir)
    return _main.DONE


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise _validate.fail("targets", text, "must be whole numbers, separated by commas") from None


if __name__ == "__main__":
    define_flags()
    _main.launch(main)
