"""The flags that all binaries of the papers' experiments share, and the frozen config that they become."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jax
from absl import flags
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from leakjax import _spec, _validate, models, shadow
from leakjax._workdir import Workdir
from leakjax.auditing.options import EXPLAINED_CLASSES, Attacker
from leakjax.auditing.plan import check_memory, plan
from leakjax.auditing.pool import Pool, set_aside
from leakjax.auditing.prepare import Prepared
from leakjax.auditing.subject import LEAST_MODELS, LEAST_POINTS
from leakjax.oracle import release
from leakjax.papers.methods import methods
from leakjax.papers.publish import publish
from leakjax.papers.world import Training, prepared
from leakjax.report.progress import Stages

from . import _config_file, _main, training_flags


@dataclasses.dataclass(frozen=True)
class Places:
    """Where things are; they do not change a number."""

    workdir: Path
    data_dir: str | None
    source_dir: str | None
    take_over: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """What decides the numbers of every study; each field is a flag."""

    dataset: str
    points: int | None
    features: int | None
    classes: int | None
    data_seed: int | None
    label: str | None
    model: str
    models: int
    ensemble: str | None = None
    gap: float | None = None
    audit_points: int | None
    costly_points: int | None
    background: int
    explained_class: str
    label_known: bool
    releases: tuple[str, ...]
    group: str | None
    training: shadow.TrainConfig
    seed: int

    def __post_init__(self) -> None:
        """Checks what needs no data, before any compute."""
        models.make(self.model, 2)
        training_flags.check_gap(self.gap, self.ensemble)
        _validate.at_least("models", self.models, LEAST_MODELS)
        _validate.seed("seed", self.seed)
        _validate.at_least("background", self.background, 0)
        for name in ("points", "audit_points", "costly_points"):
            if getattr(self, name) is not None:
                _validate.at_least(name, getattr(self, name), LEAST_POINTS)

    def as_json(self) -> dict[str, Any]:
        """The fields as config.json holds them, those of training among the others, each under its flag's name."""
        fields = dataclasses.asdict(self)
        return json.loads(json.dumps({**fields.pop("training"), **fields}))

    @property
    def attacker(self) -> Attacker:
        """What the attacker knows and is shown."""
        return Attacker(self.label_known, self.explained_class, self.releases)  # type: ignore[arg-type]


def define_flags(**defaults: Any) -> None:
    """Defines the flags; they are read in `main` alone.

    Args:
      **defaults: of flags that a study has at other values.
    """
    _main.define_take_over()
    _config_file.define_flag()
    training_flags.define_flags()
    flags.DEFINE_string("workdir", None, "Where everything is written. Default: runs/STUDY-DATASET.")
    flags.DEFINE_integer("models", 32, f"Models, at least {LEAST_MODELS}; each is a target in turn.")
    flags.DEFINE_integer("audit_points", None, "How many points of the pool are attacked. Default: all.")
    flags.DEFINE_integer("costly_points", 500, "How many by explainers of more than 10 model runs.")
    flags.DEFINE_integer("background", 20, "Points set aside for explainers that need a background.")
    flags.DEFINE_bool("label_known", True, "Whether the attacker knows the true class.")
    flags.DEFINE_enum("explained_class", "predicted", EXPLAINED_CLASSES, "Whose output is explained.")
    flags.DEFINE_list("releases", list(release.DEFAULT), "What the service shows; the first leads.")
    flags.DEFINE_string("group", None, "Column by which leakage is broken down as well.")
    flags.DEFINE_bool("quick", False, "The smallest setting that still says something: minutes on two cores.")
    flags.DEFINE_bool("plan", False, "Print what would run and what it costs, and stop.")
    for name, value in defaults.items():
        flags.FLAGS.set_default(name, value)


def values_of(values: flags.FlagValues, quick: Mapping[str, Any]) -> dict[str, Any]:
    """The values of all flags; with --quick, those of its setting where no flag says otherwise.

    Args:
      values: parsed flags.
      quick: from the name of a flag to its value.
    """
    found = {name: values[name].value for name in values}
    if found["quick"]:
        found |= {name: value for name, value in quick.items() if not values[name].present}
    return found


def common(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `Config`, from the values of flags.

    Raises:
      UsageError: a flag's value is not allowed.
    """
    names = {field.name for field in dataclasses.fields(Config)} - {"training"}
    fields = {name: given[name] for name in names & given.keys()}
    fields["releases"] = tuple(release.prediction_part(text).name for text in given["releases"])
    fields["training"] = training_flags.read_training(_Named(given))
    return fields


def texts(name: str, given: Any) -> tuple[str, ...]:
    """The calls of a flag that holds several, separated by commas."""
    return tuple(_spec.split(name, given)) if isinstance(given, str) else tuple(given)


def places_of(given: Mapping[str, Any], study: str) -> Places:
    """Where a study reads and writes."""
    name = "".join(c if c.isalnum() or c in "._=-" else "_" for c in given["dataset"])[-100:]
    workdir = Path(given["workdir"] or f"runs/{study}-{name}").expanduser()
    return Places(workdir, given["data_dir"], given["source_dir"], given["take_over"])


def load_pool(config: Config, places: Places) -> Pool:
    """The points; UsageError where they have no such group, or fewer than are to be attacked."""
    points = training_flags.load_data(config, places)
    if config.group is not None:
        _validate.one_of("group", config.group, points.groups)
    pool = set_aside(points, config.background)
    _validate.at_least("points", len(pool.points.x), LEAST_POINTS)
    if config.audit_points is not None and config.audit_points > len(pool.points.x):
        rule = f"the pool has only {len(pool.points.x)} points"
        raise _validate.fail("audit_points", config.audit_points, rule)
    return pool


def network_of(config: Config, pool: Pool) -> models.Model:
    """The network; UsageError where its ensemble does not fit into memory."""
    model = models.make(config.model, pool.points.classes)
    check_memory(model, pool.points.x, **sizes(config, len(pool.points.x)), defenses=1)
    return model


def sizes(config: Config, points: int) -> dict[str, Any]:
    """What decides the memory and the time of training and attacking."""
    return {
        "models": config.models,
        "epochs": config.training.epochs,
        "batch_size": config.training.batch_size,
        "audited": config.audit_points or points,
        "targets": config.models,
        "releases": config.releases,
    }


def attacked(config: Config, model: models.Model, pool: Pool, held: Workdir, stages: Stages) -> Prepared:
    """The trained models and the points on which they are attacked."""
    directory = Path(config.ensemble).expanduser() if config.ensemble else None
    key = jax.random.key(config.seed)
    training = Training(model, config.training, config.models, key, directory, config.gap)
    return prepared(
        training,
        pool,
        config.attacker,
        audit_points=config.audit_points,
        workdir=held,
        say=stages.say,
        on_epoch=partial(stages.on_epoch, config.training.epochs),
    )


def measured(
    config: Any,
    places: Places,
    profile: Callable[..., Any],
    images: Callable[[Any], Mapping[str, bytes]],
    page: Callable[[Any, Mapping[str, bytes]], str],
) -> Any:
    """Trains, runs a profile and writes its files.

    Args:
      config: a `Config` with the settings of the profile.
      places: where the data are and the files go.
      profile: of the attacked models, their pool and the settings.
      images: its figures as PNGs.
      page: its page with them.

    Returns:
      What was found.
    """
    with Stages(Console(stderr=True)) as stages:
        pool = load_pool(config, places)
        model = network_of(config, pool)
        with _main.claimed(
            places.workdir, config.as_json(), take_over=places.take_over, say=stages.say
        ) as held:
            subject = attacked(config, model, pool, held, stages)
            found = profile(
                subject, pool, config.settings, config=config.as_json(), workdir=held, say=stages.say
            )
            pictures = images(found)
            publish(found, page(found, pictures), pictures, held)
    return found


def print_plan(config: Any, places: Places, *, defenses: int, attacks: int, **further: Any) -> int:
    """Prints what a profile would run, what it costs, and which explainers it leaves out.

    Args:
      config: a `Config` with the explainers and the most_runs of a profile.
      places: where the data are.
      defenses: how many each explainer passes through.
      attacks: how many rows each explainer has.
      **further: queries, as of `leakjax.auditing.plan.plan`.

    Returns:
      How many explainers are attacked.
    """
    pool = load_pool(config, places)
    model = network_of(config, pool)
    example = pool.points.x[0]
    variables = jax.eval_shape(model.init, jax.random.key(0), example)
    taken = methods(
        config.explainers,
        model.logits_fn,
        variables,
        example,
        pool.background,
        pool.points.columns,
        most_runs=config.most_runs,
    )
    estimate = plan(
        model,
        pool.points.x,
        **sizes(config, len(pool.points.x)),
        costly_points=config.costly_points,
        explainers=taken.named,
        defenses=defenses,
        attacks=attacks,
        **further,
    )
    console = Console()
    title = f"{config.dataset}, {config.models} models"
    table = Table("stage", "runs of the model", "about seconds", title=escape(title))
    stages = [stage for stage in estimate.stages if stage.name != "controls"]
    for stage in stages:
        table.add_row(escape(stage.name), f"{stage.runs:,}", f"{stage.seconds:,.1f}")
    table.add_row("total", "", f"{sum(stage.seconds for stage in stages):,.1f}")
    console.print(table)
    console.print("compilation and attack networks are not counted")
    for one in taken.left_out:
        console.print(f"{one.name} is left out: {one.why}", markup=False)
    return len(taken.named)


def adopt(*modules: Any) -> None:
    """Lists the flags of the shared modules in --help."""
    for module in (training_flags, *modules):
        flags.adopt_module_key_flags(module)


class _Named:
    """Values of flags as attributes."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.__dict__.update(given)
