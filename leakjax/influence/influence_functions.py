"""Influence functions: what leave-one-out training would say, to first order, from one trained model.

For any differentiable loss of any parameters: a whole small network, or one layer of a large one (`layer`).
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from leakjax._validate import UsageError, at_least, fail, is_concrete, one_of

# loss_fn(parameters, x of ONE example, y) -> scalar
LossFn = Callable[[Any, jax.Array, jax.Array], jax.Array]


class Approximation(NamedTuple):
    """Approximate influences.

    Attributes:
      influence: [queries, records], in the sign of leave-one-out: positive when the record helps the query.
      residual: [queries], |H s - g| / |g| of the linear solve; not small where the Hessian is
        near-singular.
    """

    influence: jax.Array
    residual: jax.Array


def cross_entropy(logits_fn: Callable) -> LossFn:
    """The cross-entropy of logits_fn(parameters, x) -> logits [classes] (or one logit, for two classes)."""

    def loss(parameters: Any, x: jax.Array, y: jax.Array) -> jax.Array:
        logits = _two_columns(logits_fn(parameters, x))
        return jax.nn.logsumexp(logits) - logits[y]

    return loss


def probability_loss(logits_fn: Callable) -> LossFn:
    """One minus the probability of the label: the paper's loss."""

    def loss(parameters: Any, x: jax.Array, y: jax.Array) -> jax.Array:
        return 1 - jax.nn.softmax(_two_columns(logits_fn(parameters, x)))[y]

    return loss


def _two_columns(logits: jax.Array) -> jax.Array:
    return jnp.stack([jnp.zeros_like(logits[0]), logits[0]]) if logits.shape == (1,) else logits


def layer(logits_fn: Callable, variables: Mapping, *path: str) -> tuple[Callable, Any]:
    """A network as a function of one of its layers, the rest frozen: for influence through the last layer.

    Args:
      logits_fn: logits_fn(variables, x of one example) -> logits [classes].
      variables: Of a flax network, or any nested mapping.
      *path: Names that lead to the layer, as in layer(f, v, "params", "Dense_1").

    Returns:
      logits_fn of the layer's parameters, and these parameters.

    Raises:
      UsageError: A name that is not there.
    """
    parameters: Any = variables
    for name in path:
        if not isinstance(parameters, Mapping) or name not in parameters:
            names = ", ".join(parameters) if isinstance(parameters, Mapping) else "an array"
            raise fail("path", "/".join(path), f"{name!r} is not among {names}")
        parameters = parameters[name]

    def replaced(tree: Mapping, names: tuple[str, ...], value: Any) -> Any:
        return {**tree, names[0]: replaced(tree[names[0]], names[1:], value)} if names else value

    return lambda value, x: logits_fn(replaced(variables, path, value), x), parameters


def example_gradients(loss_fn: LossFn, parameters: Any, x: jax.Array, y: jax.Array) -> jax.Array:
    """The gradient of each example's loss in the parameters, flattened.

    Args:
      loss_fn: Of one example.
      parameters: Any pytree.
      x: [examples, ...].
      y: [examples].

    Returns:
      [examples, parameters].
    """
    return jax.vmap(lambda xi, yi: ravel_pytree(jax.grad(loss_fn)(parameters, xi, yi))[0])(x, y)


def influence_functions(
    loss_fn: LossFn,
    parameters: Any,
    train: tuple[jax.Array, jax.Array],
    query: tuple[jax.Array, jax.Array],
    *,
    l2: float = 0.0,
    damping: float = 0.0,
    query_loss: LossFn | None = None,
    solver: str = "cg",
    steps: int = 200,
) -> Approximation:
    """The influence of every record on every query to first order: g_query^T (H + damping)^-1 g_record.

    Args:
      loss_fn: Of one example; training minimised its sum over the records plus l2/2 |parameters|^2.
      parameters: The trained ones, any pytree.
      train: x [records, ...] and y [records].
      query: x [queries, ...] and y [queries].
      l2: The penalty that training used.
      damping: Added to the Hessian's diagonal; a network's Hessian is indefinite without it.
      query_loss: The loss whose change is wanted; loss_fn if None.
      solver: "cg" (products with the Hessian alone) or "dense" (the Hessian itself, for few parameters).
      steps: The most conjugate-gradient steps.

    Returns:
      The influences, and how well each linear system was solved.

    Raises:
      UsageError: An unknown solver, a negative l2 or damping, a singular Hessian under "dense".

    Source: Koh and Liang, Understanding Black-box Predictions via Influence Functions, equation 2.
    """
    one_of("solver", solver, ("cg", "dense"))
    at_least("l2", l2, 0)
    at_least("damping", damping, 0)
    flat, restore = ravel_pytree(parameters)

    def objective(vector: jax.Array) -> jax.Array:
        losses = jax.vmap(loss_fn, in_axes=(None, 0, 0))(restore(vector), *train)
        return losses.sum() + 0.5 * l2 * vector @ vector

    def curve(vector: jax.Array) -> jax.Array:
        return jax.jvp(jax.grad(objective), (flat,), (vector,))[1] + damping * vector

    def solve(of_query: jax.Array) -> jax.Array:
        if solver == "cg":
            cg = jax.scipy.sparse.linalg.cg
            return jax.vmap(lambda gradient: cg(curve, gradient, maxiter=steps, tol=1e-8)[0])(of_query)
        hessian = jax.vmap(curve)(jnp.eye(len(flat), dtype=flat.dtype))
        return jnp.linalg.solve(hessian, of_query.T).T

    @jax.jit
    def approximate() -> Approximation:
        of_query = example_gradients(query_loss or loss_fn, parameters, *query)
        solved = solve(of_query)
        misfit = jnp.linalg.norm(jax.vmap(curve)(solved) - of_query, axis=1)
        scale = jnp.maximum(jnp.linalg.norm(of_query, axis=1), jnp.finfo(flat.dtype).tiny)
        return Approximation(solved @ example_gradients(loss_fn, parameters, *train).T, misfit / scale)

    result = approximate()
    if solver == "dense" and is_concrete(result.influence) and not jnp.isfinite(result.influence).all():
        raise UsageError(f"damping={damping!r}: the Hessian is singular; raise damping or l2")
    return result
