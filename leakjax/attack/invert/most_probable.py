"""Inversion of a known model: the most probable input of a class that has a released explanation.

Whoever has the weights can differentiate any explainer, and so needs no closed form of it: damped least squares
(Levenberg, Marquardt) on what the explanation leaves unexplained and on how unlikely an input is, from several starts.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _precision
from leakjax._validate import at_least, positive
from leakjax.attack.invert.prior import Prior

KNOWS = "the released explanation, the weights, the explainer, and public data of each class"
_DAMPING, _EASIER, _HARDER = 1e-2, 0.3, 5.0

State = tuple[jax.Array, jax.Array, jax.Array]
# (flat input [features], explained class) -> explanation [numbers], traceable
Explains = Callable[[jax.Array, jax.Array], jax.Array]


def most_probable(
    explain: Explains,
    sought: np.ndarray,
    explained: np.ndarray,
    priors: Sequence[Prior],
    *,
    error: float = 3e-3,
    starts: int = 4,
    steps: int = 40,
    seed: int = 0,
    begin: np.ndarray | None = None,
) -> np.ndarray:
    """Searches the most probable inputs that have the sought explanations.

    Args:
      explain: of the known model.
      sought: [targets, numbers], the released explanations.
      explained: int [targets], the class of each.
      priors: of the inputs of each class.
      error: standard deviation of a number of an explanation, relative to their root mean square.
      starts: the prior's mean, then draws of it; the best end counts.
      steps: of each search.
      seed: of the draws.
      begin: [targets, features], where to begin instead of at the mean: for the ceiling, the inputs themselves.

    Returns:
      [targets, features].

    Raises:
      UsageError: no start, no step, or an error that is not positive.
    """
    at_least("starts", starts, 1)
    at_least("steps", steps, 1)
    positive("error", error)
    count, features = len(sought), len(priors[0].mean)
    mean = np.stack([prior.mean for prior in priors])[explained]
    roots = np.stack([np.linalg.cholesky(prior.covariance) for prior in priors])
    drawn = np.random.default_rng(seed).standard_normal((count, starts, features))
    drawn[:, 0] = 0.0
    if begin is not None:
        inverse = np.linalg.inv(roots)[explained]
        drawn[:, 0] = np.einsum("tfg,tg->tf", inverse, np.reshape(begin, (count, features)) - mean)

    def one(target: tuple[jax.Array, ...]) -> jax.Array:
        sought, label, mean, root, begins = target
        size = error * jnp.sqrt(jnp.mean(sought**2)) + 1e-12

        # In units in which the prior is a standard Gaussian.
        def left(unit: jax.Array) -> jax.Array:
            return jnp.concatenate([(explain(mean + root @ unit, label) - sought) / size, unit])

        ends, costs = jax.vmap(lambda begin: _descended(left, begin, steps))(begins)
        return mean + root @ ends[jnp.argmin(costs)]

    @jax.jit
    def all_of(targets: tuple[jax.Array, ...]) -> jax.Array:
        with _precision.stated():
            return jax.lax.map(one, targets)

    given = (sought.reshape(count, -1), mean, roots[explained], drawn)
    flat, centre, root, begins = (jnp.asarray(each, jnp.float32) for each in given)
    return np.asarray(all_of((flat, jnp.asarray(explained, jnp.int32), centre, root, begins)), np.float64)


def _descended(
    left: Callable[[jax.Array], jax.Array], begin: jax.Array, steps: int
) -> tuple[jax.Array, jax.Array]:
    """Where damped least squares end, and the sum of squares there."""

    def step(state: State, _: None) -> tuple[State, None]:
        here, cost, damping = state
        slopes, now = jax.jacfwd(left)(here), left(here)
        square = slopes.T @ slopes
        raised = square + damping * jnp.mean(jnp.diagonal(square)) * jnp.eye(len(here))
        there = here - jnp.linalg.solve(raised, slopes.T @ now)
        better = jnp.sum(left(there) ** 2)
        good = better < cost  # false for what is not a number
        return (
            jnp.where(good, there, here),
            jnp.where(good, better, cost),
            damping * jnp.where(good, _EASIER, _HARDER),
        ), None

    first: State = (begin, jnp.sum(left(begin) ** 2), jnp.asarray(_DAMPING, jnp.float32))
    (end, cost, _), _ = jax.lax.scan(step, first, None, length=steps)
    return end, cost
