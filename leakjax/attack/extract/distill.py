"""Distillation: a student of the attacker's learns from the service's answers, and from their gradients too."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from leakjax._validate import fail, one_of
from leakjax.attack import needed
from leakjax.models import Model
from leakjax.oracle import Answer, Oracle

KNOWS = "answers, and data of its own"
VIEWS = ("prediction", "both")


class Student:
    """A model that was trained on answers.

    Attributes:
      variables: its own.
    """

    def __init__(self, model: Model, variables: Any) -> None:
        """Made by `distill`."""
        self._model, self.variables = model, variables

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Logits [queries, classes] of x [queries, ...]."""
        return np.asarray(jax.vmap(self._model.logits_fn, (None, 0))(self.variables, jnp.asarray(x)))


def distill(
    oracle: Oracle[Answer],
    model: Model,
    own: np.ndarray,
    *,
    view: str,
    key: jax.Array,
    weights: tuple[float, ...] = (0.0, 0.1, 1.0),
    steps: int = 600,
    rate: float = 5e-3,
) -> Student:
    """Trains a student on the answers to the attacker's own data.

    How much gradients count is chosen on a fifth of the answers that is held out: under a guard that spoils them they
    count nothing.

    Args:
      oracle: releases vectors of probabilities; for "both", also gradients of the logit of the predicted class.
      model: of the student.
      own: [queries, ...].
      view: "prediction", or "both" to match gradients beside.
      key: of the student's start, and of who is held out.
      weights: of the mean squared difference of gradients, relative to their mean square, that are tried.
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
    x, logs = jnp.asarray(own[rows], jnp.float32), jnp.asarray(needed.vectors(answer)[rows])
    start_key, held_key = jax.random.split(key)
    variables = model.init(start_key, x[0])
    slopes = (
        None if view == "prediction" else jnp.nan_to_num(jnp.asarray(needed.explanations(answer)[0][rows]))
    )
    every = jnp.ones(len(x))
    if slopes is None:
        chosen = jnp.zeros(1)
    else:
        tried = jnp.asarray(weights)
        learned = every.at[jax.random.permutation(held_key, len(x))[: len(x) // 5]].set(0.0)
        candidates = _train(model, steps, rate, variables, x, logs, slopes, learned, tried)
        best = int(jnp.argmin(_losses(model, variables, candidates, x, logs, 1 - learned)))
        chosen = tried[best : best + 1]
    params = _train(model, steps, rate, variables, x, logs, slopes, every, chosen)
    return Student(model, {**variables, "params": jax.tree.map(lambda leaf: leaf[0], params)})


@functools.partial(jax.jit, static_argnames=("model", "steps", "rate"))
def _train(
    model: Model,
    steps: int,
    rate: float,
    variables: Any,
    x: jax.Array,
    logs: jax.Array,
    slopes: jax.Array | None,
    counted: jax.Array,
    weights: jax.Array,
) -> Any:
    """Parameters, leaves [weights, ...], of students that learned from the counted answers."""
    optimizer = optax.adam(optax.cosine_decay_schedule(rate, steps))
    explained = logs.argmax(axis=1)

    def loss(params: Any, weight: jax.Array) -> jax.Array:
        total = _divergence(model, variables, params, x, logs, counted)
        if slopes is None:
            return total
        of_one = jax.grad(lambda one, label: model.logits_fn({**variables, "params": params}, one)[label])
        squared = (jax.vmap(of_one)(x, explained) - slopes) ** 2
        error = squared.reshape(len(x), -1).mean(axis=1)
        seen = counted * jnp.any(slopes.reshape(len(x), -1) != 0, axis=1)  # zeros: withheld
        scale = jnp.maximum(jnp.sum(seen), 1.0) * jnp.mean(slopes**2)
        return total + weight * jnp.sum(seen * error) / jnp.maximum(scale, 1e-30)

    def train(weight: jax.Array) -> Any:
        def step(carry: Any, _: None) -> tuple[Any, None]:
            params, state = carry
            change, state = optimizer.update(jax.grad(loss)(params, weight), state, params)
            return (optax.apply_updates(params, change), state), None

        start = variables["params"]
        return jax.lax.scan(step, (start, optimizer.init(start)), None, length=steps)[0][0]

    return jax.vmap(train)(weights)


@functools.partial(jax.jit, static_argnames="model")
def _losses(
    model: Model, variables: Any, candidates: Any, x: jax.Array, logs: jax.Array, counted: jax.Array
) -> jax.Array:
    """[candidates]: how far each is from the counted answers."""
    return jax.vmap(lambda params: _divergence(model, variables, params, x, logs, counted))(candidates)


def _divergence(
    model: Model, variables: Any, params: Any, x: jax.Array, logs: jax.Array, counted: jax.Array
) -> jax.Array:
    """The mean Kullback-Leibler divergence from the answers."""
    ours = jax.nn.log_softmax(jax.vmap(model.logits_fn, (None, 0))({**variables, "params": params}, x))
    each = jnp.sum(jnp.exp(logs) * (logs - ours), axis=1)
    return jnp.sum(counted * each) / jnp.maximum(jnp.sum(counted), 1.0)
