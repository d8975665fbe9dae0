"""Replies of the models of an audit, asked a chunk of points at a time, for the attacks of the registry."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.attack import queries as inputs
from leakjax.attack.replies import Replies, Source
from leakjax.auditing.literature import SourceOf, replies_by
from leakjax.auditing.subject import Subject
from leakjax.defend import Defense, apply
from leakjax.explain import Explainer

# Stages of a key that was folded with a model's and a point's id, as in the audit's own programs; then ours.
_EXPLAIN, _DEFEND, _QUERY = 0, 1, 2


def source_of(
    subject: Subject,
    explainers: Mapping[str, Explainer],
    defenses: Mapping[str, Defense],
    *,
    neighbours: int = 0,
    noise: float = 0.1,
) -> SourceOf:
    """Where the attacks of the registry read what the models of a subject answer.

    Args:
      subject: what is audited.
      explainers: by name.
      defenses: by name; a map passes through its own.
      neighbours: further queries near each point, the same inputs for every model; see `queries.neighbours`.
      noise: standard deviation of their steps.

    Returns:
      A `literature.SourceOf`.
    """
    model_ids = jnp.asarray(subject.model_ids)

    def key_of(model_id: jax.Array, point_id: jax.Array, stage: int) -> jax.Array:
        of_model = jax.random.fold_in(subject.key, model_id)
        return jax.random.fold_in(jax.random.fold_in(of_model, point_id), stage)

    def near(point_id: jax.Array, x: jax.Array) -> jax.Array:
        key = jax.random.fold_in(jax.random.fold_in(subject.key, _QUERY), point_id)
        return inputs.neighbours(x, neighbours, noise=noise, key=key)

    @jax.jit
    def predict(x: jax.Array) -> jax.Array:
        over_points = jax.vmap(subject.logits_fn, in_axes=(None, 0))
        return jax.vmap(over_points, in_axes=(0, None))(subject.variables, x)

    def mapper(explainer: Explainer, defense: Defense) -> Callable[..., jax.Array]:
        def one(own: Any, model_id: Any, x: Any, point_id: Any, shown: Any) -> jax.Array:
            plain = explainer(own, x, shown, key=key_of(model_id, point_id, _EXPLAIN))
            return apply(defense, plain, key=key_of(model_id, point_id, _DEFEND))

        over_points = jax.vmap(one, in_axes=(None, None, 0, 0, 0))
        return jax.jit(jax.vmap(over_points, in_axes=(0, 0, None, None, 0)))

    def of(release: str | None, about: tuple[str, str] | None) -> Source:
        explain = None if about is None else mapper(explainers[about[0]], defenses[about[1]])

        def source(rows: np.ndarray) -> Replies:
            x, y, ids = subject.points.x[rows], subject.points.y[rows], subject.points.ids[rows]
            logits = predict(jnp.asarray(x))
            maps = queries = None
            if explain is not None:
                truth = jnp.broadcast_to(jnp.asarray(y)[None], logits.shape[:2])
                shown = truth if subject.explained_class == "true" else jnp.argmax(logits, axis=-1)
                maps = explain(subject.variables, model_ids, jnp.asarray(x), jnp.asarray(ids), shown)
            if neighbours:
                every = jax.vmap(near)(jnp.asarray(ids), jnp.asarray(x))
                flat = predict(every.reshape(-1, *x.shape[1:]))
                queries = flat.reshape(len(flat), len(rows), neighbours, -1)
            return replies_by(release, logits, subject.label_known, Replies(None, y, x, maps, queries))

        return source

    return of
