"""A function of one model and one point at all models and points, as many at a time as a core's cache holds.

All at once is best for small networks, whose products become few large ones. Of a convolutional network that
convolves by products, what lies between its layers leaves the cache then: 32 models of `cnn` at 64 images took five
times as long as one model at eight, and what masks an image 64 times at all of them does not fit into memory.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Literal

from leakjax.explain.cost import programs_in

# Bytes of the largest array between two operations: up to the first all is done at once, else as much as the second.
_AT_ONCE, _IN_CACHE = 2**25, 2**20
# Slow inside a loop, or dear to call (a callback into Python).
_NOT_IN_LOOPS = {"conv_general_dilated", "pure_callback", "io_callback"}
_LOOPS = {"scan", "while"}


def at_all(
    one: Callable[..., Any], models: Sequence[int | None], points: Sequence[int | None]
) -> Callable[..., Any]:
    """`jax.vmap(jax.vmap(one, points), models)`, on a CPU by loops where that is too much at once.

    Args:
      one: of one model and one point.
      models: of each argument the axis of models, 0, or None where it is the same for all of them.
      points: likewise of points, once the axis of models is gone.

    Returns:
      A function of the arguments of all; each result is [models, points, ...].
    """
    of_model = jax.vmap(one, points)
    of_all = jax.vmap(of_model, models)

    def loops(*arguments: Any) -> Any:
        def of_own(own: Any) -> Any:
            mine = _filled(arguments, models, own)
            return jax.lax.map(
                lambda at: one(*_filled(mine, points, at)), _along(mine, points), batch_size=at_a_time
            )

        mine = [_first(argument, axis) for argument, axis in zip(arguments, models, strict=True)]
        example = [_first(argument, axis) for argument, axis in zip(mine, points, strict=True)]
        program = jax.make_jaxpr(one)(*example).jaxpr
        of_point = [
            axis is not None
            for each, axis in zip(example, points, strict=True)
            for _ in jax.tree.leaves(each)
        ]
        held = _largest(program, of_point)
        count = _count(arguments, models) * _count(mine, points)
        if jax.default_backend() != "cpu" or held * count <= _AT_ONCE or _NOT_IN_LOOPS & set(_names(program)):
            return of_all(*arguments)
        at_a_time = max(1, _IN_CACHE // held)
        return jax.lax.map(of_own, _along(arguments, models))

    return loops


def _along(arguments: Sequence[Any], axes: Sequence[int | None]) -> list[Any]:
    """The arguments that have an axis."""
    return [argument for argument, axis in zip(arguments, axes, strict=True) if axis is not None]


def _filled(arguments: Sequence[Any], axes: Sequence[int | None], at: Sequence[Any]) -> list[Any]:
    """The arguments, in place of those that have an axis what they are at one place of it."""
    found = iter(at)
    return [argument if axis is None else next(found) for argument, axis in zip(arguments, axes, strict=True)]


def _first(argument: Any, axis: int | None) -> Any:
    """An argument without its first axis, if it has one; shapes and types alone."""
    skip = 0 if axis is None else 1
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[skip:], leaf.dtype), argument)


def _count(arguments: Sequence[Any], axes: Sequence[int | None]) -> int:
    return len(jax.tree.leaves(_along(arguments, axes))[0])


def _names(program: Any) -> Iterator[str]:
    """Of all operations of a program, those in its loops, branches and calls among them."""
    for equation in program.eqns:
        yield equation.primitive.name
        for inner in programs_in(equation):
            yield from _names(inner)


def _largest(program: Any, of_point: Sequence[bool]) -> int:
    """Bytes of the largest array that a program makes for each point. Args: of_point: which inputs are a point's."""
    known = {variable for variable, own in zip(program.invars, of_point, strict=True) if own}
    most = 1
    for equation in program.eqns:
        own = [not isinstance(operand, Literal) and operand in known for operand in equation.invars]
        if not any(own):
            continue
        known.update(equation.outvars)
        most = max([most, *(_size(out.aval) for out in equation.outvars)])
        for inner in programs_in(equation):
            more = len(own) - len(inner.invars)  # the index of a branch comes before what the branch is given
            # What a loop carries may become a point's.
            exact = more >= 0 and equation.primitive.name not in _LOOPS
            most = max(most, _largest(inner, own[more:] if exact else [True] * len(inner.invars)))
    return most


def _size(array: Any) -> int:
    if jax.dtypes.issubdtype(array.dtype, jax.dtypes.extended):
        return 1  # keys are few
    return math.prod(array.shape) * jnp.dtype(array.dtype).itemsize
