"""Explanations of some models at some points, with what an attacker and an owner need beside them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.auditing.chunks import Chunks
from leakjax.auditing.explanations import explain_program
from leakjax.auditing.subject import Subject
from leakjax.defend import Defense, Domain
from leakjax.defend.policies import explained_class
from leakjax.explain import Explainer

# Whose output is explained, as a policy of the service; "reference" is the vote of models that are not attacked.
POLICIES = ("predicted", "true", "reference")


class World(NamedTuple):
    """Explanations of one method under one policy, and what an attacker and an owner need beside them.

    Attributes:
      maps: [models, points, ...].
      x: [points, ...].
      correct: bool [models, points], whether the released label is right.
      membership: bool [models, points].
      variables: of the models, leaves [models, ...].
      logits_fn: of one model and one example.
      explained: int [models, points], the explained class.
      figure: the quoted figure of utility, a name in `utility_quoted.FIGURES`.
      key: of noise.
    """

    maps: jax.Array
    x: jax.Array
    correct: jax.Array
    membership: jax.Array
    variables: Any
    logits_fn: Any
    explained: jax.Array
    figure: Any
    key: jax.Array


def logits_of(subject: Subject) -> np.ndarray:
    """What every model says of every point, [models, points, classes]."""
    over_points = jax.vmap(subject.logits_fn, in_axes=(None, 0))
    over_models = jax.jit(lambda own, x: jax.lax.map(lambda one: over_points(one, x), own))
    return np.asarray(over_models(subject.variables, jnp.asarray(subject.points.x)))


def explained_by_policy(
    policies: Sequence[str], logits: np.ndarray, truth: np.ndarray, reference: np.ndarray
) -> dict[str, np.ndarray]:
    """The class that every model explains at every point under each policy.

    Args:
      policies: of `POLICIES`.
      logits: [models, points, classes], of the models that explain.
      truth: int [points].
      reference: [others, points, classes], logits of models that are not attacked.

    Returns:
      int32 [models, points], by policy.
    """
    found = {}
    for policy in policies:
        classes = explained_class(policy, logits=logits, labels=truth, reference=reference)
        found[policy] = np.array(np.broadcast_to(classes, logits.shape[:2]), np.int32)
    return found


def world(
    subject: Subject, explainer: Explainer, explained: np.ndarray, logits: np.ndarray, figure: str
) -> World:
    """Explains all points by all models of a subject.

    Args:
      subject: the models and points; who is a target is not looked at.
      explainer: of one example.
      explained: int [models, points].
      logits: [models, points, classes].
      figure: the quoted figure of utility.

    Returns:
      `World`; maps that are not finite are maps of zeros.
    """
    program, chunks = explain_program(subject, explainer), Chunks(subject)

    def dispatch(rows: np.ndarray) -> Any:
        x, ids = chunks.put(subject.points.x[rows]), chunks.put(subject.points.ids[rows])
        return program(chunks.variables, x, ids, chunks.put(explained[:, rows], 1))

    maps = chunks.run(dispatch, 1, lambda found, rows: found)
    return World(
        jnp.asarray(np.where(np.isfinite(maps), maps, 0)),
        jnp.asarray(subject.points.x),
        jnp.asarray(logits.argmax(axis=-1) == subject.points.y),
        jnp.asarray(subject.membership),
        subject.variables,
        subject.logits_fn,
        jnp.asarray(explained),
        figure,
        jax.random.fold_in(subject.key, 4),
    )


def part(world: World, *, models: Any = slice(None), points: Any = slice(None)) -> World:
    """Some of the models and points of a world.

    Args:
      world: the whole.
      models: which, as an index.
      points: which, as an index.
    """
    return world._replace(
        maps=world.maps[models][:, points],
        x=world.x[points],
        correct=world.correct[models][:, points],
        membership=world.membership[models][:, points],
        variables=jax.tree.map(lambda leaf: leaf[models], world.variables),
        explained=world.explained[models][:, points],
    )


def released(world: World, defense: Defense) -> jax.Array:
    """What a defense releases of the maps, each with noise of its own: [models, points, ...].

    Args:
      world: the explanations.
      defense: whose hyperparameters may be traced.
    """
    domain = Domain(world.maps.shape[2:])

    def one(model: jax.Array, point: jax.Array, plain: jax.Array, x: jax.Array) -> jax.Array:
        key = jax.random.fold_in(jax.random.fold_in(world.key, model), point)
        return defense.apply(plain, domain, key=key, x=x)

    over_points = jax.vmap(one, in_axes=(None, 0, 0, 0))
    over_models = jax.vmap(over_points, in_axes=(0, None, 0, None))
    return over_models(jnp.arange(len(world.maps)), jnp.arange(len(world.x)), world.maps, world.x)
