"""A service that compares with a background, and what an attacker who has candidates for its rows can work out."""

import dataclasses
import functools
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _precision
from leakjax.attack.invert.background import OUTPUTS, one_row_values
from leakjax.defend import Defense
from leakjax.explain import Explainer, LogitsFn, Named
from leakjax.explain.segments import Segments, each_feature
from leakjax.oracle import Answer, ExplanationPart, Oracle, Release, Service, oracle

SHAPLEY = ("exact_shapley", "kernel_shap", "shapley_sampling")
PLAYERS = 8  # with more, the predictions of one row's coalitions would be too many to ask for
FRESH = 4  # one in so many rows is drawn for a query
_TOGETHER = 16  # candidates whose explanations are computed at a time


class Held(NamedTuple):
    """What a service holds, as the variables of its model: one program for all backgrounds of a size.

    Attributes:
      variables: of the model.
      rows: [rows, ...] that it compares with.
    """

    variables: Any
    rows: Any


@dataclasses.dataclass(frozen=True, eq=False)
class Compared:
    """A model and a method that compares with rows.

    Attributes:
      logits_fn: of one example.
      variables: of the one model.
      method: takes a background.
      key: of the service's noise.
    """

    logits_fn: LogitsFn
    variables: Any
    method: Named
    key: jax.Array

    def offered(
        self, rows: np.ndarray, *, defense: Defense | str = "none", fresh: bool = False
    ) -> Oracle[Answer]:
        """The service as an attacker may ask it, for the class that it predicts.

        Args:
          rows: [rows, ...] that it compares with.
          defense: of its explanations.
          fresh: whether each query is compared with a quarter of the rows, drawn anew.
        """
        part = ExplanationPart(self._over_fresh if fresh else self._over_all, "predicted", defense)
        service = Service(self._network, Held(self.variables, rows))
        return oracle(service, Release("vector", (part,)), key=self.key)

    def terms(
        self, queries: np.ndarray, candidates: np.ndarray, *, vector: bool
    ) -> tuple[np.ndarray, int, Literal["answers", "weights"]]:
        """The explanation of every query over each candidate alone.

        Shapley values of few players are worked out from plain answers; all else takes the model's weights.

        Args:
          queries: [queries, ...].
          candidates: [candidates, ...].
          vector: whether the service shows all probabilities.

        Returns:
          [candidates, queries, ...], how many plain queries they took, and what the attacker had of the model.
        """
        segments = self._players(queries.shape[1:]) if vector else None
        if segments is not None:
            asked = self.offered(candidates[:1])
            found = _from_answers(asked, queries, candidates, segments, self.method.output)
            return found, asked.plain, "answers"
        keys = jax.random.split(jax.random.fold_in(self.key, 1), len(queries))
        each = [
            np.asarray(self._alone(self.variables, x, jnp.asarray(candidates), key))
            for x, key in zip(queries, keys, strict=True)
        ]
        return np.stack(each, axis=1), 0, "weights"

    def _players(self, shape: tuple[int, ...]) -> Segments | None:
        """Of Shapley values that answers are enough for; None where they are not."""
        if self.method.name.partition("(")[0] not in SHAPLEY or self.method.output not in OUTPUTS:
            return None
        segments = self.method.segments(shape) or each_feature(shape)
        return segments if segments.count <= PLAYERS else None

    def _explained(self, held: Held, x: jax.Array, target: Any, key: jax.Array) -> jax.Array:
        explain = self.method.over(len(held.rows)).make(self.logits_fn, x.shape, held.rows)
        return explain(held.variables, x, target, key=key)

    # One object each, so that a program is compiled once.
    @functools.cached_property
    def _network(self) -> LogitsFn:
        return lambda held, x: self.logits_fn(held.variables, x)

    @functools.cached_property
    def _over_all(self) -> Explainer:
        def explain(
            held: Held, x: jax.Array, target: Any, *, key: jax.Array, segments: Any = None
        ) -> jax.Array:
            return self._explained(held, x, target, key)

        return explain

    @functools.cached_property
    def _over_fresh(self) -> Explainer:
        def explain(
            held: Held, x: jax.Array, target: Any, *, key: jax.Array, segments: Any = None
        ) -> jax.Array:
            drawing, own = jax.random.split(key)
            count = max(1, len(held.rows) // FRESH)
            rows = held.rows[jax.random.permutation(drawing, len(held.rows))[:count]]
            return self._explained(Held(held.variables, rows), x, target, own)

        return explain

    @functools.cached_property
    def _alone(self) -> Any:
        @jax.jit
        def alone(variables: Any, x: jax.Array, candidates: jax.Array, key: jax.Array) -> jax.Array:
            with _precision.stated():
                target = jnp.argmax(self.logits_fn(variables, x))
                over = lambda row: self._explained(Held(variables, row[None]), x, target, key)
                return jax.lax.map(over, candidates, batch_size=_TOGETHER)

        return alone


def _from_answers(
    asked: Oracle[Answer], queries: np.ndarray, candidates: np.ndarray, segments: Segments, output: str
) -> np.ndarray:
    def predict(x: np.ndarray) -> np.ndarray:
        return asked.ask(x, plain=True).prediction.probabilities

    where = np.broadcast_to(np.asarray(segments.map), queries.shape[1:])
    classes = predict(queries).argmax(axis=1)
    found = [
        one_row_values(predict, x, candidates, segments, int(explained), output)[:, where]
        for x, explained in zip(queries, classes, strict=True)
    ]
    return np.stack(found, axis=1)
