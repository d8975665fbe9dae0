"""Inversion of a known model: the most probable input of a class that has a released explanation.

Whoever has the weights can differentiate any explainer, and so needs no closed form of it: damped least squares
(Levenberg, Marquardt) on what the explanation leaves unexplained and on how unlikely an input is, from several starts.
An explanation counts little at first and more at each step, so that the search does not end where it first fits one.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _precision
from leakjax._validate import at_least, positive
from leakjax.attack.invert.prior import Prior

KNOWS = "the released explanation, the weights, the explainer, and public data of each class"
_DAMPING, _EASIER, _HARDER = 1e-2, 0.3, 5.0

State = tuple[jax.Array, jax.Array]
# (variables, flat input [features], explained class) -> explanation [numbers], traceable
Explains = Callable[[Any, jax.Array, jax.Array], jax.Array]


class Probable(NamedTuple):
    """Where searches ended.

    Attributes:
      x: [targets, features], the most probable input of each.
      ceiling: [targets, features], where the search from the subjects themselves ended; None without these.
    """

    x: np.ndarray
    ceiling: np.ndarray | None


def most_probable(
    explain: Explains,
    variables: Any,
    sought: np.ndarray,
    explained: np.ndarray,
    priors: Sequence[Prior],
    *,
    error: float = 3e-3,
    directions: int = 128,
    starts: int = 6,
    steps: int = 60,
    seed: int = 0,
    subjects: np.ndarray | None = None,
) -> Probable:
    """Searches the most probable inputs that have the sought explanations.

    Args:
      explain: of the known network; the same function is compiled once for all models.
      variables: of the model.
      sought: [targets, numbers], the released explanations.
      explained: int [targets], the class of each.
      priors: of the inputs of each class.
      error: standard deviation of a number of an explanation, relative to their root mean square.
      directions: in how many an input is sought, those in which inputs of its class differ most; in the others it stays
        at their mean. A step takes their cube.
      starts: the prior's mean, then draws of it; the best end counts.
      steps: of each search.
      seed: of the draws.
      subjects: [targets, features], the inputs themselves: one more search begins there, for the ceiling alone.

    Returns:
      `Probable`.

    Raises:
      UsageError: no direction, no start, no step, or an error that is not positive.
    """
    at_least("directions", directions, 1)
    at_least("starts", starts, 1)
    at_least("steps", steps, 1)
    positive("error", error)
    count, features = len(sought), len(priors[0].mean)
    mean = np.stack([prior.mean for prior in priors])[explained]
    # Columns of a root of the covariance, the longest ones: orthogonal to each other.
    lengths, axes = np.linalg.eigh(np.stack([prior.covariance for prior in priors]))
    roots = (axes * np.sqrt(lengths)[:, None, :])[:, :, -directions:]
    begins = np.random.default_rng(seed).standard_normal((count, starts, roots.shape[2]))
    begins[:, 0] = 0.0
    settled = steps // 4  # at the end, in full
    slacks = np.concatenate([np.geomspace(max(1.0, 1 / error), 1.0, steps - settled), np.ones(settled)])
    schedules = np.tile(slacks, (starts, 1))
    if subjects is not None:
        away = np.reshape(subjects, (count, features)) - mean
        there = np.einsum("tfd,tf->td", roots[explained], away) / lengths[explained, -directions:]
        begins = np.concatenate([begins, there[:, None]], axis=1)
        schedules = np.concatenate([schedules, np.ones((1, steps))])
    given = (sought.reshape(count, -1), mean, roots[explained], begins, schedules)
    flat, centre, root, begin, schedule = (jnp.asarray(each, jnp.float32) for each in given)
    targets = (flat, jnp.asarray(explained, jnp.int32), centre, root, begin)
    found = _ends(explain, variables, jnp.float32(error), targets, schedule)
    ends, costs = (np.asarray(each) for each in found)
    best = np.nan_to_num(costs[:, :starts], nan=np.inf).argmin(axis=1)
    likely = ends[np.arange(count), best].astype(np.float64)
    return Probable(likely, None if subjects is None else ends[:, -1].astype(np.float64))


@functools.partial(jax.jit, static_argnames="explain")
def _ends(
    explain: Explains,
    variables: Any,
    error: jax.Array,
    targets: tuple[jax.Array, ...],
    schedules: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Where the searches end [targets, starts, features], and the sums of squares there [targets, starts].

    Schedules [starts, steps] are of the factors by which errors count as larger than they are.
    """

    def one(target: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
        sought, label, mean, root, begins = target
        size = error * jnp.sqrt(jnp.mean(sought**2)) + 1e-12

        # In units in which the prior is a standard Gaussian.
        def left(unit: jax.Array, slack: jax.Array) -> jax.Array:
            missed = explain(variables, mean + root @ unit, label) - sought
            return jnp.concatenate([missed / (slack * size), unit])

        ends, costs = jax.vmap(functools.partial(_descended, left))(begins, schedules)
        return mean[None] + ends @ root.T, costs

    with _precision.stated():
        return jax.lax.map(one, targets)


def _descended(
    left: Callable[[jax.Array, jax.Array], jax.Array], begin: jax.Array, schedule: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Where damped least squares end, and the sum of squares there."""

    def step(state: State, slack: jax.Array) -> tuple[State, None]:
        here, damping = state
        slopes, now = jax.jacfwd(left)(here, slack), left(here, slack)
        square = slopes.T @ slopes
        raised = square + damping * jnp.mean(jnp.diagonal(square)) * jnp.eye(len(here))
        there = here - jnp.linalg.solve(raised, slopes.T @ now)
        good = jnp.sum(left(there, slack) ** 2) < jnp.sum(now**2)  # false for what is not a number
        return (jnp.where(good, there, here), damping * jnp.where(good, _EASIER, _HARDER)), None

    first: State = (begin, jnp.asarray(_DAMPING, jnp.float32))
    (end, _), _ = jax.lax.scan(step, first, schedule)
    return end, jnp.sum(left(end, jnp.ones(())) ** 2)
