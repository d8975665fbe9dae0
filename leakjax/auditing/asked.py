"""Replies of the models of an audit, asked a chunk of points at a time, for the attacks of the registry."""

import functools
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _precision
from leakjax.attack import queries as inputs
from leakjax.attack.replies import Replies, Source
from leakjax.auditing.explanations import DEFEND, EXPLAIN, key_of, released
from leakjax.auditing.in_cache import at_all
from leakjax.auditing.literature import About, SourceOf, looks_at_maps, replies_by
from leakjax.auditing.neighbours import near
from leakjax.auditing.rows import Result, Results
from leakjax.auditing.subject import Subject
from leakjax.defend import Defense
from leakjax.explain import Explainer

_REMOVALS = 5  # shares of the features that are taken away, from either end of their order
LOG_L1 = "map_log_l1"  # the number of maps that results keep
NOTHING: Mapping[About, Result] = MappingProxyType({})


def source_of(
    subject: Subject,
    explainers: Mapping[str, Explainer],
    defenses: Mapping[str, Defense],
    results: Results = NOTHING,
) -> SourceOf:
    """Where the attacks of the registry read what the models of a subject answer.

    Args:
      subject: what is audited, and how many further queries near each point may be asked.
      explainers: by name.
      defenses: by name; a map passes through its own.
      results: what was found about explanations, each on the points of its own sitting: which class is explained,
        of several the first; numbers of maps that are kept there are read, and nothing is explained anew for them.

    Returns:
      A `literature.SourceOf`. An attack that looks at queries beside an explanation is told what is predicted where
      the features that the explanation names are taken away; one that looks at none, what is predicted near the point.
    """
    model_ids = jnp.asarray(subject.model_ids)

    @jax.jit
    def predict(variables: Any, x: jax.Array) -> jax.Array:
        with _precision.stated():
            return at_all(subject.logits_fn, (0, None), (None, 0))(variables, x)

    @jax.jit
    def without(variables: Any, x: jax.Array, maps: jax.Array) -> jax.Array:
        """What each model predicts as the features that its own map [models, points, ...] names are taken away."""

        def one(own: Any, x: jax.Array, attribution: jax.Array) -> jax.Array:
            removed = inputs.removals(x, attribution, _REMOVALS)
            return jax.vmap(subject.logits_fn, in_axes=(None, 0))(own, removed)

        with _precision.stated():
            return at_all(one, (0, None, 0), (None, 0, 0))(variables, x, maps)

    @functools.cache
    def mapper(about: About) -> Callable[..., jax.Array]:
        explainer, defense = explainers[about[0]], defenses[about[1]]

        def one(own: Any, model_id: Any, x: Any, point_id: Any, shown: Any) -> jax.Array:
            plain = explainer(own, x, shown, key=key_of(subject.key, model_id, point_id, EXPLAIN))
            # Methods that are shown together answer with an axis of their own.
            several = plain.ndim > x.ndim
            return released(
                defense, plain, key_of(subject.key, model_id, point_id, DEFEND), x, several=several
            )

        explain = at_all(one, (0, 0, None, None, 0), (None, None, 0, 0, 0))

        def chunk(variables: Any, x: Any, ids: Any, shown: Any) -> jax.Array:
            with _precision.stated():
                return explain(variables, model_ids, x, ids, shown)

        return jax.jit(chunk)

    def of(release: str | None, about: About | None, needs: Sequence[str]) -> Source:
        result = None if about is None else results.get(about)
        own = subject if result is None else result.sitting.subject
        kept = {} if result is None else {LOG_L1: result.found.log_l1}
        removes = about is not None and "queries" in needs
        explained = removes or (
            about is not None and any(name not in kept for name in needs if looks_at_maps([name]))
        )

        def source(rows: np.ndarray) -> Replies:
            x, y, ids = own.points.x[rows], own.points.y[rows], own.points.ids[rows]
            numbers = {name: values[:, rows] for name, values in kept.items()} or None
            seen = Replies(None, y, x, signals=numbers)
            if release is None and not explained:
                return replies_by(release, None, own.label_known, seen)
            logits = predict(own.variables, jnp.asarray(x))
            if about is not None and explained:
                shown = jnp.argmax(logits, axis=-1)  # where nobody has asked yet
                if result is not None:
                    shown = jnp.asarray(result.sitting.predictions.explained[:, rows])
                answering = own.variables if own.explained_by is None else own.explained_by
                maps = mapper(about)(answering, jnp.asarray(x), jnp.asarray(ids), shown)
                seen = seen._replace(maps=maps)
            if removes:
                seen = seen._replace(queries=without(own.variables, jnp.asarray(x), seen.maps))
            elif own.neighbours and "queries" in needs:
                every = near(own, jnp.asarray(x), jnp.asarray(ids))
                flat = predict(own.variables, every.reshape(-1, *x.shape[1:]))
                seen = seen._replace(queries=flat.reshape(len(flat), len(rows), own.neighbours, -1))
            return replies_by(release, logits, own.label_known, seen)

        return source

    return of
