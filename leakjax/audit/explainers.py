"""Explainers by name with options, as flags and reports write them: smoothgrad(samples=8)."""

import ast
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from leakjax import _validate
from leakjax.explain import EXPLAINERS, Explainer, LogitsFn, Method


class Named(NamedTuple):
    """A method of `EXPLAINERS` with options.

    Attributes:
      name: canonical text; `parse` reads it back.
      method: the row of `EXPLAINERS`.
      options: keyword arguments of its factory.
    """

    name: str
    method: Method
    options: Mapping[str, Any]

    def make(self, logits_fn: LogitsFn) -> Explainer:
        """The explainer of a model."""
        try:
            return self.method.factory(logits_fn, **self.options)
        except TypeError as error:
            raise _validate.fail("explainers", self.name, str(error)) from None

    def evaluations(self, shape: tuple[int, ...]) -> int:
        """Model evaluations for one explanation of an example of a shape."""
        return self.method.evaluations(shape, **self.options)


def parse(text: str) -> Named:
    """Reads "name" or "name(option=value, ...)"; values are numbers or texts in quotes, nothing is evaluated.

    Raises:
      UsageError: on any other text, an unknown name (with the list and the nearest).
    """
    name, _, rest = text.strip().partition("(")
    _validate.one_of("explainers", name, EXPLAINERS)
    options: dict[str, Any] = {}
    if rest:
        try:
            call = ast.parse(text.strip(), mode="eval").body
            if not isinstance(call, ast.Call) or call.args:
                raise ValueError
            options = {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
        except (SyntaxError, ValueError):
            raise _validate.fail("explainers", text, "options are written name(option=value, ...)") from None
    shown = ", ".join(f"{option}={value!r}" for option, value in options.items())
    return Named(f"{name}({shown})" if shown else name, EXPLAINERS[name], options)


def split(text: str) -> list[str]:
    """The parts of a list that is separated by commas outside parentheses.

    Raises:
      UsageError: the list is empty.
    """
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    named = [part.strip() for part in parts if part.strip()]
    if not named:
        raise _validate.fail("list", text, "must name at least one")
    return named


def family(name: str) -> str:
    """The family of an explainer by its canonical name; "custom" for one that is not in `EXPLAINERS`."""
    base = name.partition("(")[0]
    return EXPLAINERS[base].family if base in EXPLAINERS else "custom"


def made(given: Sequence[str] | Mapping[str, Explainer], logits_fn: LogitsFn) -> dict[str, Explainer]:
    """Explainers by canonical name, from texts, or a user's own as they are."""
    if isinstance(given, Mapping):
        explainers = dict(given)
    else:
        explainers = {named.name: named.make(logits_fn) for named in map(parse, given)}
    if not explainers:
        raise _validate.fail("explainers", given, "must name at least one")
    return explainers
