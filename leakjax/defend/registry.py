"""Defenses by name, and chains of them as text: clip_norm(1.0)+gaussian_noise(0.1)."""

import ast
import inspect
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

from leakjax import _validate
from leakjax.defend.clip import clip_norm, clip_values
from leakjax.defend.defense import Defense, chain
from leakjax.defend.noise import gaussian_noise
from leakjax.defend.sparsify import keep_top_k

DEFENSES: Mapping[str, Callable[..., Defense]] = MappingProxyType(
    {
        "clip_norm": clip_norm,
        "clip_values": clip_values,
        "gaussian_noise": gaussian_noise,
        "keep_top_k": keep_top_k,
    }
)


def parse(text: str) -> Defense:
    """Reads a defense from text, as flags and `Defense.name` hold it.

    Args:
      text: "none", or calls of the names in DEFENSES joined by "+", of which the first applies first;
        arguments are numbers or inf, by position or name: "keep_top_k(10)+clip_norm(radius=1, norm=inf)".

    Returns:
      The defense; its `name` is canonical and parses to the same defense.

    Raises:
      UsageError: if the text is anything else (it is never evaluated), a name is unknown or an argument is
        wrong.
    """
    if text.strip() == "none":
        return chain()
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise _malformed(text) from None
    calls = []
    while isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add):
        calls.append(tree.right)
        tree = tree.left
    return chain(*(_stage(call, text) for call in [tree, *reversed(calls)]))


def _malformed(text: str) -> _validate.UsageError:
    example = "keep_top_k(10)+clip_norm(1.0, norm=2)"
    return _validate.fail("defense", text, f"must be 'none' or a sum of calls with numbers, as in {example}")


def _stage(call: ast.expr, text: str) -> Defense:
    """The stage that one call in `text` describes."""
    if isinstance(call, ast.Name):
        _validate.one_of("defense", call.id, [*DEFENSES, "none"])
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise _malformed(text)
    name = call.func.id
    _validate.one_of("defense", name, [*DEFENSES, "none"])
    if name == "none":
        raise _malformed(text)
    arguments = [_number(argument, text) for argument in call.args]
    named = {keyword.arg or "**": _number(keyword.value, text) for keyword in call.keywords}
    if len(named) < len(call.keywords):
        raise _malformed(text)
    try:
        inspect.signature(DEFENSES[name]).bind(*arguments, **named)
    except TypeError as error:
        usage = f"{name}({', '.join(inspect.signature(DEFENSES[name]).parameters)})"
        raise _validate.fail("defense", text, f"{error}; use {usage}") from None
    try:
        return DEFENSES[name](*arguments, **named)
    except _validate.UsageError as error:
        raise _validate.fail("defense", text, f"{name} has {error}") from None


def _number(argument: ast.expr, text: str) -> float:
    """A literal number or inf, with or without a sign."""
    if isinstance(argument, ast.UnaryOp) and isinstance(argument.op, ast.USub | ast.UAdd):
        value = _number(argument.operand, text)
        return -value if isinstance(argument.op, ast.USub) else value
    if isinstance(argument, ast.Name) and argument.id == "inf":
        return math.inf
    literal = argument.value if isinstance(argument, ast.Constant) else None
    if isinstance(literal, int | float) and not isinstance(literal, bool):
        return literal
    raise _malformed(text)
