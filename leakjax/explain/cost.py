"""What an explainer costs where nobody states it: the runs of the model that its traced program holds.

A run shows by what it does to the model's own numbers: each product with a weight, each callback into Python. How
often a program does what one run does once, is how many runs it holds. The way back multiplies by the same weights
along other axes, so that forward and backward passes are told apart; a run counts once, forward alone or forward and
backward together.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, Var
from jax.interpreters import partial_eval

from leakjax.explain.types import Explainer, LogitsFn, Variables

Mark = tuple[Any, ...]  # what tells one kind of work on one weight from another
Marks = Mapping[Var, Mark]  # the weights among the values of a program

# What moves numbers about and leaves a weight the same weight.
_MOVES = {
    "broadcast_in_dim", "convert_element_type", "copy", "copy_p", "device_put", "expand_dims", "reshape", "rev",
    "squeeze", "stop_gradient", "transpose",
}  # fmt: skip
_CALLBACKS = {"pure_callback", "io_callback"}


class _Uncountable(Exception):
    """A loop of unknown length holds runs of the model."""


def count_runs(explainer: Explainer, logits_fn: LogitsFn, variables: Variables, x: Any) -> int | None:
    """Runs of the model in one explanation.

    Args:
      explainer: of one example.
      logits_fn: of one example.
      variables: of one model; shapes and types alone are looked at.
      x: one example.

    Returns:
      How many; None where that cannot be told: a model that multiplies nothing by its weights, a loop whose length
      the data decide.
    """

    def explain(variables: Variables, x: jax.Array, key: jax.Array) -> jax.Array:
        return explainer(variables, x, jnp.int32(0), key=key)

    def there_and_back(variables: Variables, x: jax.Array) -> Any:
        logits, back = jax.vjp(lambda x: logits_fn(variables, x), x)
        return logits, back(jnp.ones_like(logits))

    forward = _work(jax.make_jaxpr(logits_fn)(variables, x), variables)
    try:
        both = _work(jax.make_jaxpr(there_and_back)(variables, x), variables)
    except Exception:  # a model without a derivative has no way back
        both = forward
    one_run = {mark: count for mark, count in both.items() if forward.get(mark, count) == count}
    one_run = one_run or dict(forward)  # ways forward and back that look alike count each
    if not one_run:
        return None
    try:
        done = _work(jax.make_jaxpr(explain)(variables, x, jax.random.key(0)), variables)
    except _Uncountable:
        return None
    return max(math.ceil(done[mark] / count) for mark, count in one_run.items())


def calls_python(logits_fn: LogitsFn, variables: Variables, x: Any) -> bool:
    """Whether a model calls back into Python. Args: as of `count_runs`."""
    work = _walk(jax.make_jaxpr(logits_fn)(variables, x).jaxpr, {})
    return any(mark[0] in _CALLBACKS for mark in work)


def _work(program: ClosedJaxpr, variables: Variables) -> Counter[Mark]:
    """How many numbers pass each kind of work on the weights; `variables` are the first arguments."""
    jaxpr = program.jaxpr
    marks: dict[Var, Mark] = {
        var: ("constant", getattr(value, "shape", ()), str(getattr(value, "dtype", "")))
        for var, value in zip(jaxpr.constvars, program.consts, strict=True)
    }
    leaves = len(jax.tree.leaves(variables))
    marks |= {var: ("weight", place) for place, var in enumerate(jaxpr.invars[:leaves])}
    return _walk(jaxpr, marks)


def _walk(jaxpr: Jaxpr, marks: Marks) -> Counter[Mark]:
    found: Counter[Mark] = Counter()
    known = dict(marks)
    jaxpr, _ = partial_eval.dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars), instantiate=True)
    for equation in jaxpr.eqns:
        name, operands = equation.primitive.name, equation.invars
        of_weight = [None if isinstance(one, Literal) else known.get(one) for one in operands]
        inner = programs_in(equation)
        if inner:
            counts = [_walk(each, _into(each, of_weight)) for each in inner]
            if name == "while" and any(counts):
                raise _Uncountable
            times = equation.params["length"] if name == "scan" else 1
            most = counts[0]
            for other in counts[1:]:
                # Of branches the longest; other calls have one program.
                most = most | other
            for mark, count in most.items():
                found[mark] += times * count
        elif name in _MOVES and of_weight[0] is not None:
            known[equation.outvars[0]] = of_weight[0]
        else:
            for mark, numbers in _passes(equation, of_weight):
                found[mark] += numbers
    return found


def _passes(equation: Any, of_weight: Sequence[Mark | None]) -> list[tuple[Mark, int]]:
    """What an equation does to the weights among its operands, and to how many numbers."""
    name, params = equation.primitive.name, equation.params
    if name in _CALLBACKS:
        return [((name,), sum(math.prod(var.aval.shape) for var in equation.outvars))]
    passes = []
    for place, mark in enumerate(of_weight):
        if mark is None or all(other is not None for other in of_weight):
            continue  # among weights alone: the same for every example
        others = [var for i, var in enumerate(equation.invars) if i != place]
        numbers = sum(math.prod(var.aval.shape) for var in others)
        along: Any = ""
        if name == "dot_general":
            along = params["dimension_numbers"][0][place]
        elif name == "conv_general_dilated":
            along = params["dimension_numbers"].rhs_spec
        passes.append(((name, mark, along), numbers))
    return passes


def programs_in(equation: Any) -> list[Jaxpr]:
    """The programs inside an equation: of a call, a loop, or branches."""
    found: list[Jaxpr] = []
    for value in equation.params.values():
        for one in value if isinstance(value, tuple | list) else (value,):
            if isinstance(one, ClosedJaxpr):
                found.append(one.jaxpr)
            elif isinstance(one, Jaxpr):
                found.append(one)
    return found


def _into(jaxpr: Jaxpr, of_weight: Sequence[Mark | None]) -> Marks:
    """The marks of an inner program's arguments, which are the last ones of its equation (a branch's index is not)."""
    given = of_weight[len(of_weight) - len(jaxpr.invars) :] if len(jaxpr.invars) <= len(of_weight) else ()
    return {var: mark for var, mark in zip(jaxpr.invars, given, strict=False) if mark is not None}
