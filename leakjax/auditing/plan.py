"""What an audit would run and what that costs, before anything is trained."""

import math
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _memory
from leakjax._threads import on_all_cores
from leakjax.attack import logistic, stacked
from leakjax.attack.registry import AnyAttack, Attack
from leakjax.attack.roles import CALIBRATORS, GROUPS
from leakjax.auditing import kept
from leakjax.auditing.chunks import chunk_size
from leakjax.auditing.explainers import LISTS
from leakjax.auditing.in_cache import at_all
from leakjax.auditing.neighbours import counts
from leakjax.evaluate import bootstrap, leakage, roc
from leakjax.explain import Named
from leakjax.models import Model
from leakjax.oracle.release import DEFAULT

_PROBE_MODELS, _PROBE_POINTS, _PROBE_TARGETS = 8, 64, 4
_CONTROLS = 4  # of them attack anew: untrained, permuted, placebo, dressed


class Stage(NamedTuple):
    """One stage: its name, how many runs of a model it takes, about how many seconds."""

    name: str
    runs: int
    seconds: float


class Plan(NamedTuple):
    """What would run.

    Attributes:
      stages: in order.
      memory: bytes, about: the models, the points, one chunk of explanations, what is kept of them.
    """

    stages: list[Stage]
    memory: int


def plan(
    model: Model,
    x: np.ndarray,
    *,
    models: int,
    epochs: int,
    batch_size: int,
    audited: int,
    targets: int,
    releases: Sequence[str],
    costly_points: int | None,
    explainers: Sequence[Named],
    defenses: int,
    attacks: int,
    anew: Sequence[AnyAttack] = (),
    maps: int = 1,
    neighbours: int = 0,
    removals: int = 0,
) -> Plan:
    """Estimates an audit from its sizes and from probes of a second on this machine.

    One argument a size that decides what an audit costs; nothing else is asked.

    Args:
      model: the network.
      x: [points, ...], the training pool.
      models: how many are trained, each on half of the pool.
      epochs: of training.
      batch_size: points of a training step.
      audited: how many points are audited.
      targets: how many models are attacked.
      releases: what is shown of a prediction.
      costly_points: how many of them by explainers of more than 10 runs of the model; None: all.
      explainers: which are run.
      defenses: how many each explainer is released through.
      attacks: how many rows each explainer and defense has in the report.
      anew: attacks that run the models again.
      maps: how many maps an explanation holds: as many as classes, where all are asked for.
      neighbours: further queries near each point.
      removals: queries from which the features that an explanation names are taken away.

    Returns:
      The plan. A run of a model counts once, forward alone or forward and backward together.
    """
    _check_probe(model, x)
    one_run = _probe_model(model, x)
    one_row = _probe_row(models, audited)
    training = models * epochs * (len(x) // 2)
    pairs = models * audited
    predicted = pairs * (1 + neighbours)
    stages = [Stage("train", training, training * one_run), Stage("predict", predicted, predicted * one_run)]
    removed = 0
    for named in explainers:
        each = named.runs(x.shape[1:])
        few = costly_points if costly_points is not None and each > LISTS["cheap"] else audited
        runs = models * min(audited, few) * each * maps
        stages.append(Stage(f"explain {named.name}", runs, runs * one_run))
        removed += models * min(audited, few) * removals
    explained = sum(stage.runs for stage in stages[2:])
    if removed:
        stages.append(Stage("take features away", removed, removed * one_run))
    for attack in (attack for attack in anew if isinstance(attack, Attack)):
        # Numbers of maps are kept; who looks at whole maps has one of each made anew, for each defense.
        runs = defenses * explained // maps if "maps" in attack.needs else 0
        runs += pairs * len(releases) if "log_probabilities" in attack.needs else 0
        stages.append(Stage(f"attack by {attack.name}", runs, runs * one_run))
    controls = _CONTROLS * pairs * (1 + explainers[0].runs(x.shape[1:]) * maps)
    stages.append(Stage("controls", controls, controls * one_run))
    features = _learned(releases, _classes(model, x), len(explainers) * defenses, maps, neighbours)
    stages.append(Stage("learn", 0, _probe_learning(features, min(GROUPS, targets), audited)))
    stages.append(Stage("evaluate", 0, one_row * len(explainers) * defenses * (attacks + 1)))
    needed = memory(
        model,
        x,
        models=models,
        epochs=epochs,
        batch_size=batch_size,
        audited=audited,
        targets=targets,
        releases=releases,
        defenses=defenses,
        maps=maps,
    )
    return Plan(stages, needed)


def memory(
    model: Model,
    x: np.ndarray,
    *,
    models: int,
    epochs: int,
    batch_size: int,
    audited: int,
    defenses: int,
    targets: int | None = None,
    releases: Sequence[str] = DEFAULT,
    maps: int = 1,
) -> int:
    """Bytes, about, that an audit takes beyond the runtime; arguments as of `plan`, one a size that decides it.
    Nothing is allocated."""
    size, features = _size(model, x), maps * math.prod(x.shape[1:])
    held = kept.numbers(
        models, models if targets is None else targets, releases, _classes(model, x), defenses, maps
    )
    # Trained and untrained weights, the optimiser's two moments, a gradient; a model's own data and history.
    weights = 5 * models * size + 2 * models * epochs + models * len(x) // 2
    chunk = chunk_size(models, features) * models * features
    batches = 4 * models * batch_size * features  # the points of a step, and what becomes of them on the way
    return 4 * (weights + batches + x.size + 8 * chunk + held * audited)


def check_memory(model: Model, x: np.ndarray, *, models: int, **sizes: Any) -> None:
    """Raises UsageError with the estimate where an audit does not fit; arguments as of `memory`."""
    _check_probe(model, x)
    needed = memory(model, x, models=models, **sizes)
    _memory.check("models", models, needed, f"{models:,} models of {_size(model, x):,} weights")


def _check_probe(model: Model, x: np.ndarray) -> None:
    """Raises UsageError where a few models alone do not fit."""
    size = _size(model, x)
    _memory.check("model", f"{size:,} weights", 12 * _PROBE_MODELS * size, f"{_PROBE_MODELS} models")


def _size(model: Model, x: np.ndarray) -> int:
    """How many numbers the variables of one model hold."""
    shapes = jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct(x.shape[1:], x.dtype))
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))


def _classes(model: Model, x: np.ndarray) -> int:
    variables = jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct(x.shape[1:], x.dtype))
    return int(jax.eval_shape(model.logits_fn, variables, x[0]).shape[-1])


def _probe_model(model: Model, x: np.ndarray) -> float:
    """Seconds that one input gradient takes among many."""
    keys = jax.random.split(jax.random.key(0), _PROBE_MODELS)
    variables = jax.vmap(model.init, in_axes=(0, None))(keys, jnp.asarray(x[0]))
    points = jnp.asarray(x[np.arange(_PROBE_POINTS) % len(x)])

    def runs(variables: Any, points: jax.Array) -> jax.Array:
        one = jax.grad(lambda own, x: model.logits_fn(own, x)[0], argnums=1)
        return at_all(one, (0, None), (None, 0))(variables, points)

    seconds = _seconds(jax.jit(runs), variables, points)
    return seconds / (_PROBE_MODELS * _PROBE_POINTS)


def _learned(
    releases: Sequence[str], classes: int, explanations: int, maps: int, neighbours: int
) -> list[int]:
    """Features of each regression that is learned, in the audit and in its controls."""
    _, of_map = kept.of_explanation(maps, classes)
    shown = [kept.of_prediction(release, classes)[1] for release in releases]
    alone, both = [each for each in shown for _ in range(2)], [each + of_map for each in shown]
    for count in counts(neighbours):
        asked = [
            each + kept.of_neighbours(release, classes, count)
            for release, each in zip(releases, shown, strict=True)
        ]
        alone += [each for each in asked for _ in range(2)]
        if count == neighbours:  # explanations stand beside all of them, too
            both = both + [each + of_map for each in asked]
    return alone + explanations * [of_map, *both] + _CONTROLS * [shown[0], shown[0], both[0]]


def _probe_learning(features: Sequence[int], groups: int, audited: int) -> float:
    """Seconds that regressions on so many features take, one for each group of targets, on all cores."""
    widest = max(features)
    points = min(audited, stacked.CALIBRATION_POINTS)
    generator = np.random.default_rng(0)
    samples = generator.normal(size=(CALIBRATORS, widest, points)).astype(np.float32)
    member, valid = generator.random((CALIBRATORS, points)) < 0.5, np.ones((CALIBRATORS, points), bool)
    start = time.perf_counter()
    on_all_cores(lambda _: logistic.fit([samples], member, valid), range(groups))
    # Sums over samples of products of two features each.
    return (time.perf_counter() - start) * sum((count / widest) ** 2 for count in features)


def _probe_row(models: int, points: int) -> float:
    """Seconds that one row's estimates take."""
    generator = np.random.default_rng(0)
    scores = generator.normal(size=(_PROBE_TARGETS, points)).astype(np.float32)
    membership = generator.random(scores.shape) < 0.5
    resamples = bootstrap.resample(points, _PROBE_TARGETS, seed=0)
    valid = np.ones_like(membership)
    start = time.perf_counter()
    roc.rates_of(scores, membership, valid, resamples, leakage.FPRS)
    return (time.perf_counter() - start) * models / _PROBE_TARGETS


def _seconds(function: Any, *arguments: Any) -> float:
    jax.block_until_ready(function(*arguments))
    start = time.perf_counter()
    jax.block_until_ready(function(*arguments))
    return time.perf_counter() - start
