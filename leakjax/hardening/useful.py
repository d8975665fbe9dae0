"""How useful released explanations are, on the models that are explained."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.auditing.subject import LEAST_MODELS, Subject
from leakjax.data import evenly_spaced, take
from leakjax.defend import Defense
from leakjax.evaluate import utility, utility_quoted
from leakjax.evaluate.document import Estimate
from leakjax.evaluate.utility_quoted import Loss
from leakjax.explain import Explainer
from leakjax.hardening.world import World, logits_of, part, released, world

# Losses on targets are measured on the explanations of so many of them and of so many points.
_MODELS, _POINTS = 8, 192
_INTERVAL = 1.96
# A figure asks each model about some hundred changes of a point: values of models x points that do so at once.
_VALUES = 2**15


def some_of(world: World, models: int, points: int) -> World:
    """The first models of a world at evenly spaced points, at most so many of each."""
    rows = evenly_spaced(min(points, len(world.x)), len(world.x))
    return part(world, models=slice(models), points=rows)


def figures(world: World, figure: str) -> jax.Array:
    """A figure of utility of every map of a world, on its own model.

    Args:
      world: the explanations.
      figure: a name in `utility_quoted.FIGURES`.

    Returns:
      [models, points]; chance is 0.
    """

    def one(
        variables: Any, x: jax.Array, attribution: jax.Array, target: jax.Array, key: jax.Array
    ) -> jax.Array:
        def logit(x: jax.Array) -> jax.Array:
            logits = world.logits_fn(variables, x)
            return jnp.sum(jnp.where(jnp.arange(len(logits)) == target, logits, 0))

        def probability(x: jax.Array) -> jax.Array:
            chances = jax.nn.softmax(world.logits_fn(variables, x))
            return jnp.sum(jnp.where(jnp.arange(len(chances)) == target, chances, 0))

        output = logit if figure == "local_correlation" else probability
        return utility_quoted.FIGURES[figure](output, x, attribution, key=key)

    keys = jax.random.split(jax.random.fold_in(world.key, 1), len(world.x))
    over_models = jax.vmap(one, in_axes=(0, None, 0, 0, None))
    most = max(1, _VALUES // (len(world.maps) * math.prod(world.x.shape[1:])))
    found = jax.lax.map(
        lambda at: over_models(world.variables, *at),
        (world.x, world.maps.swapaxes(0, 1), world.explained.T, keys),
        batch_size=2 ** (most.bit_length() - 1),
    )
    return found.T


def sample(subject: Subject, explainer: Explainer, explained: np.ndarray, figure: str) -> World:
    """The explanations by which utility is told: of a subject's first targets, at some of its points.

    Args:
      subject: its first targets explain.
      explainer: of one example.
      explained: int [models, points], of all models of the subject.
      figure: the quoted figure.
    """
    models = subject.targets[: max(_MODELS, LEAST_MODELS)]
    rows = evenly_spaced(min(_POINTS, len(subject.points.x)), len(subject.points.x))
    few = dataclasses.replace(
        subject,
        variables=jax.tree.map(lambda leaf: leaf[models], subject.variables),
        model_ids=subject.model_ids[models],
        points=take(subject.points, rows),
        membership=subject.membership[np.ix_(models, rows)],
        targets=np.arange(len(models)),
    )
    return some_of(
        world(few, explainer, explained[np.ix_(models, rows)], logits_of(few), figure), _MODELS, _POINTS
    )


def losses(
    subject: Subject, explainer: Explainer, explained: np.ndarray, figure: str, defenses: Sequence[Defense]
) -> list[dict[str, Any]]:
    """What defenses cost the targets' explanations.

    Args:
      subject: its first targets explain.
      explainer: of one example.
      explained: int [models, points], of all models of the subject.
      figure: the quoted figure.
      defenses: each beside the plain map.

    Returns:
      For each, the fields `lost`, `losses` and `cosine` of `MeasuredRow`, as JSON values.
    """
    plain = sample(subject, explainer, explained, figure)
    arrays = plain._replace(logits_fn=None, figure=None)

    @jax.jit
    def measured(arrays: World) -> dict[str, jax.Array]:
        own = arrays._replace(logits_fn=subject.logits_fn)
        return {name: figures(own, name).mean(axis=0) for name in utility_quoted.FIGURES}

    @jax.jit
    def cosine(one: jax.Array, other: jax.Array) -> jax.Array:
        return jax.vmap(jax.vmap(utility.cosine_similarity))(one, other).mean()

    before, found = measured(arrays), []
    for defense in defenses:
        maps = jax.jit(lambda arrays, by=defense: released(arrays, by))(arrays)
        after = measured(arrays._replace(maps=maps))
        loss = {name: utility_quoted.loss(before[name], after[name]) for name in utility_quoted.FIGURES}
        of_figure, same_shape = lost(loss[figure]), maps.shape == plain.maps.shape
        found.append(
            {
                "lost": {name: _number(getattr(of_figure, name)) for name in ("value", "low", "high")},
                "losses": {name: _number(one.lost) for name, one in loss.items()},
                "cosine": _number(cosine(plain.maps, maps)) if same_shape else None,
            }
        )
    return found


def lost(loss: Loss) -> Estimate:
    """The share of a figure that is lost, with its 95 % interval; NaN where the plain maps are at chance."""
    value, half = float(loss.lost), _INTERVAL * float(loss.error)
    return Estimate(value, value - half, value + half)


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(float(value)) else None
