"""Distillation: a student of the attacker's learns from the service's answers, and from their gradients too."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from leakjax._validate import fail, one_of
from leakjax.models import Model
from leakjax.oracle import Answer, Oracle

KNOWS = "answers, and data of its own"
VIEWS = ("prediction", "both")


class Student:
    """A model that was trained on answers."""

    def __init__(self, model: Model, variables: Any) -> None:
        """Made by `distill`."""
        self._model, self._variables = model, variables

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Logits [queries, classes] of x [queries, ...]."""
        return np.asarray(jax.vmap(self._model.logits_fn, (None, 0))(self._variables, jnp.asarray(x)))


def distill(
    oracle: Oracle[Answer],
    model: Model,
    own: np.ndarray,
    *,
    view: str,
    key: jax.Array,
    weight: float = 1.0,
    steps: int = 1000,
    rate: float = 3e-3,
) -> Student:
    """Trains a student on the answers to the attacker's own data.

    Args:
      oracle: releases vectors of probabilities; for "both", also gradients of the logit of the predicted class.
      model: of the student.
      own: [queries, ...].
      view: "prediction", or "both" to match gradients beside.
      key: of the student's start.
      weight: of the mean squared difference of gradients, relative to their mean square.
      steps: of Adam, over all answers at once.
      rate: at the start; it falls to 0.

    Returns:
      The student.

    Raises:
      UsageError: another view, or nothing was answered.
    """
    one_of("view", view, VIEWS)
    answer = oracle.ask(own, plain=view == "prediction")
    if not answer.answered.any():
        raise fail("answered", 0, f"of {len(own)} queries must be at least 1 to learn from")
    rows = answer.answered
    x, logs = jnp.asarray(own[rows], jnp.float32), jnp.asarray(answer.prediction.probabilities[rows])
    explained = logs.argmax(axis=1)
    slopes = None if view == "prediction" else jnp.asarray(answer.explanations[0][rows])
    optimizer = optax.adam(optax.cosine_decay_schedule(rate, steps))
    variables = model.init(key, x[0])

    def loss(params: Any) -> jax.Array:
        current = {**variables, "params": params}
        ours = jax.nn.log_softmax(jax.vmap(model.logits_fn, (None, 0))(current, x))
        total = jnp.mean(jnp.sum(jnp.exp(logs) * (logs - ours), axis=1))
        if slopes is None:
            return total
        of_one = jax.grad(lambda one, label: model.logits_fn(current, one)[label])
        difference = jax.vmap(of_one)(x, explained) - slopes
        return total + weight * jnp.mean(difference**2) / jnp.mean(slopes**2)

    @jax.jit
    def train(params: Any) -> Any:
        def step(carry: Any, _: None) -> tuple[Any, None]:
            params, state = carry
            change, state = optimizer.update(jax.grad(loss)(params), state, params)
            return (optax.apply_updates(params, change), state), None

        return jax.lax.scan(step, (params, optimizer.init(params)), None, length=steps)[0][0]

    return Student(model, {**variables, "params": train(variables["params"])})
