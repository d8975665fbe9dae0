"""The flags of the audit, and the frozen config that they become."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from absl import flags

from leakjax import _spec, _validate, attack, models, shadow
from leakjax.attack import stacked
from leakjax.auditing import explainers
from leakjax.auditing.door import check_targets
from leakjax.auditing.options import EXPLAINED_CLASSES, Attacker
from leakjax.auditing.shadows import check_counts
from leakjax.auditing.subject import LEAST_MODELS, LEAST_POINTS
from leakjax.defend import registry as defenses
from leakjax.evaluate.document import ExplainedClass
from leakjax.oracle import release

from . import _config_file, _main, host_flags, training_flags

_COSTLY_POINTS = 500


@dataclasses.dataclass(frozen=True)
class Places:
    """Where things are, and whether the page may show records; none of it changes a number."""

    workdir: Path
    data_dir: str | None
    source_dir: str | None
    take_over: bool
    show_records: bool = False


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that decides the numbers; each field is a flag."""

    dataset: str
    points: int | None
    features: int | None
    classes: int | None
    data_seed: int | None
    label: str | None
    audit_points: int | None
    costly_points: int | None
    background: int
    model: str
    widths: tuple[int, ...] | None
    models: int
    epochs: int
    batch_size: int
    learning_rate: float
    optimizer: str
    momentum: float
    weight_decay: float
    schedule: str
    label_smoothing: float
    flip: bool
    shift: int
    stop_at_gap: tuple[float, ...]
    precision: str
    noise_multiplier: float
    clip_norm: float
    delta: float
    explainers: tuple[str, ...]
    defenses: tuple[str, ...]
    attacks: tuple[str, ...]
    targets: tuple[int, ...] | None
    label_known: bool
    explained_class: ExplainedClass
    releases: tuple[str, ...]
    model_counts: tuple[int, ...]
    neighbours: int
    neighbour_step: float
    group: str | None
    seed: int
    ensemble: str | None
    gap: float | None

    def __post_init__(self) -> None:
        """Checks what needs no data, before any compute."""
        models.make(self.model, 2, **self.model_options)
        training_flags.check_gap(self.gap, self.ensemble)
        _validate.at_least("models", self.models, LEAST_MODELS)
        _validate.seed("seed", self.seed)
        least = {"points": LEAST_POINTS, "audit_points": LEAST_POINTS, "costly_points": LEAST_POINTS}
        for name in (*least, "features", "classes"):
            if getattr(self, name) is not None:
                _validate.at_least(name, getattr(self, name), least.get(name, 1))
        _validate.distinct("defenses", self.defenses)
        _validate.distinct("attacks", self.attacks)
        for text in self.attacks:
            attack.parse(text)
        if self.targets is not None:
            check_targets(self.targets, self.models)
        check_counts(self.model_counts, self.models)
        self.training, self.attacker  # noqa: B018  (their own checks)
        if not 0 < self.delta < 1:
            raise _validate.fail("delta", self.delta, "must be above 0 and below 1")
        _validate.at_least("background", self.background, 0)
        for text in self.explainers:
            if text not in explainers.LISTS:
                explainers.parse(text)
        for text in self.defenses:
            defenses.parse(text)

    @property
    def training(self) -> shadow.TrainConfig:
        """How members are trained."""
        return training_flags.read_training(self)

    @property
    def attacker(self) -> Attacker:
        """What the attacker knows and is shown."""
        known = (self.label_known, self.explained_class, self.releases)
        return Attacker(*known, self.neighbours, self.neighbour_step)

    @property
    def model_options(self) -> dict[str, Any]:
        """What flags of their own say of the network."""
        return {} if self.widths is None else {"widths": self.widths}

    def sizes(self, points: int) -> dict[str, Any]:
        """What decides how much memory an audit of a pool of so many points takes."""
        return {
            "models": self.models,
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "audited": self.audit_points or points,
            "targets": self.models if self.targets is None else len(self.targets),
            "releases": self.releases,
            "defenses": len(self.defenses),
        }

    def maps(self, classes: int) -> int:
        """How many maps an explanation of a point holds."""
        return classes if self.explained_class == "asked" else 1

    def as_json(self) -> dict[str, Any]:
        """The fields as config.json holds them."""
        return json.loads(json.dumps(dataclasses.asdict(self)))


def define_flags() -> None:
    """Defines the flags; they are read in `main` alone."""
    _main.define_take_over()
    _config_file.define_flag()
    flags.DEFINE_string("workdir", None, "Where everything is written. Default: runs/audit-DATASET.")
    training_flags.define_flags()
    host_flags.define_flags()
    flags.DEFINE_integer("audit_points", None, "How many points of the pool are audited. Default: all.")
    flags.DEFINE_integer(
        "costly_points",
        None,
        "How many points are audited by explainers of more than 10 model runs. Default: all; 500 with "
        "--explainers=all.",
    )
    flags.DEFINE_integer(
        "background",
        0,
        "Points set aside, not trained on nor audited, for explainers that need a background or, as in\n"
        "integrated_gradients(background=20), ask for one; the report says whether explanations name them.",
    )
    flags.DEFINE_list(
        "widths", None, "Widths of the hidden layers, as --model='mlp(widths=(128,))' says too."
    )
    flags.DEFINE_integer(
        "models",
        64,
        f"Shadow models, at least {LEAST_MODELS}; each is a target in turn. With fewer than {stacked.LEAST_MODELS} the "
        "stacked attack, which leads, is left out.",
    )
    flags.DEFINE_string(
        "explainers",
        "gradient,integrated_gradients(steps=5)",
        training_flags.choices(
            "Explainers, separated by commas, or cheap (at most 10 model runs each) or all. Images: grid=4 makes a "
            "masking method work on 4x4 cells. The first serves in the controls.",
            explainers.describe(),
        ),
    )
    flags.DEFINE_string(
        "defenses",
        "none,preset:saliency,normalize()+cosine_noise(0.95)",
        training_flags.choices(
            "Defenses, separated by commas; a chain is joined by +, the first applies first.",
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
    flags.DEFINE_enum(
        "explained_class",
        "predicted",
        EXPLAINED_CLASSES,
        "Whose output is explained: predicted, of each model's own class; true, of the true one; asked, of all, each "
        "a query; reference, of the class that the other models vote for.",
    )
    flags.DEFINE_list(
        "releases",
        list(release.DEFAULT),
        f"What the service shows beside an explanation, separated by commas: {', '.join(release.PREDICTIONS)}. "
        "The first leads.",
    )
    flags.DEFINE_list(
        "model_counts",
        [],
        "Audits the first explainer once more with so many of the models each, as 8,16,32, so that the report says "
        "whether more shadows would find more.",
    )
    flags.DEFINE_integer(
        "neighbours",
        0,
        "Predictions near each point that an attacker without explanations may ask for too; the report says how many "
        "of them an explanation is worth.",
        lower_bound=0,
    )
    flags.DEFINE_float("neighbour_step", 0.1, "Standard deviation of a step to one of them in every feature.")
    flags.DEFINE_string(
        "group", None, "Column by which leakage is broken down, e.g. race of adult, any of a table."
    )
    flags.DEFINE_list(
        "with",
        [],
        "Workdirs of other studies, as experiments.records, whose findings become sections of report.html.",
    )
    flags.DEFINE_bool(
        "show_records",
        False,
        "Show explanations of records of the data set, under a banner that says so. Default: of typical inputs, each "
        "the mean of many records.",
    )
    training_flags.define_ensemble()
    flags.DEFINE_integer(
        "seeds",
        1,
        "Audits with so many seeds from --seed on, each in a folder of its own in --workdir, and pools them.",
        lower_bound=1,
    )
    flags.DEFINE_bool("plan", False, "Print what would run and what it costs, and stop.")
    flags.DEFINE_float("fail_above", None, "Exit with 3 if the upper bound of a margin is above this share.")


def read_config(values: flags.FlagValues) -> Config:
    """The flags as a frozen config.

    Raises:
      UsageError: a flag's value is not allowed.
    """
    given = {field.name: getattr(values, field.name) for field in dataclasses.fields(Config)}
    for name in ("widths", "targets"):
        given[name] = None if given[name] is None else training_flags.numbers(name, given[name], int)
    given["model_counts"] = training_flags.numbers("model_counts", given["model_counts"], int)
    given["stop_at_gap"] = training_flags.numbers("stop_at_gap", given["stop_at_gap"], float)
    given["attacks"] = tuple(attack.parse(text).name for text in _spec.split("attacks", given["attacks"]))
    given["releases"] = tuple(release.prediction_part(text).name for text in given["releases"])
    given["explainers"] = tuple(
        text if text in explainers.LISTS else explainers.parse(text).name
        for text in _spec.split("explainers", given["explainers"])
    )
    if "all" in given["explainers"] and given["costly_points"] is None:
        given["costly_points"] = _COSTLY_POINTS
    given["defenses"] = tuple(
        defenses.parse(text).name for text in _spec.split("defenses", given["defenses"])
    )
    return Config(**given)
