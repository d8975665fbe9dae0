"""Explainers by name with options, as flags and reports write them: smoothgrad(samples=8), lime(grid=4)."""

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from leakjax import _validate
from leakjax.explain import EXPLAINERS, Explainer, LogitsFn, Method
from leakjax.explain.segments import Segments, grid

# An option of every masking method here: on how many cells along each side of an image its segments lie.
GRID = "grid"
_CELLS = 4
# What stands for many methods, and how many runs of the model each of them may take.
LISTS = {"cheap": 10, "all": 10_000}


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

    def make(self, logits_fn: LogitsFn, shape: tuple[int, ...], background: np.ndarray | None) -> Explainer:
        """The explainer of a model.

        Args:
          logits_fn: of one example.
          shape: of one example.
          background: [rows, ...], points that are not audited, for the methods that cannot do without.

        Raises:
          UsageError: an option that the method does not take, or no background.
        """
        options = {option: value for option, value in self.options.items() if option != GRID}
        if self.method.needs_background:
            if background is None:
                raise _validate.fail(
                    "explainers", self.name, "needs a background: points that are not audited"
                )
            options["background"] = background
        try:
            explainer = self.method.factory(logits_fn, **options)
        except TypeError as error:
            raise _validate.fail("explainers", self.name, str(error)) from None
        cells = self._segments(shape)
        if cells is None:
            return explainer
        return lambda variables, x, target, *, key, segments=None: explainer(
            variables, x, target, key=key, segments=cells if segments is None else segments
        )

    def runs(self, shape: tuple[int, ...]) -> int:
        """Model evaluations for one explanation of an example of a shape."""
        cells = self._segments(shape)
        options = {option: value for option, value in self.options.items() if option != GRID}
        return self.method.runs(shape, None if cells is None else cells.count, **options)

    def _segments(self, shape: tuple[int, ...]) -> Segments | None:
        if GRID not in self.options:
            return None
        if not self.method.masks:
            raise _validate.fail("explainers", self.name, f"takes no {GRID}: it masks nothing")
        return grid(shape, self.options[GRID])


def parse(text: str) -> Named:
    """Reads "name" or "name(option=value, ...)"; values are numbers or texts in quotes, nothing is evaluated.

    Raises:
      UsageError: on any other text, an unknown name (with the list and the nearest), options that the method
        does not take.
    """
    name, parenthesis, _ = text.strip().partition("(")
    _validate.one_of("explainers", name, EXPLAINERS)
    options: dict[str, Any] = {}
    if parenthesis:
        try:
            call = ast.parse(text.strip(), mode="eval").body
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
                raise ValueError
            if any(word.arg is None for word in call.keywords):
                raise ValueError
            options = {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
        except (SyntaxError, ValueError):
            raise _validate.fail("explainers", text, "options are written name(option=value, ...)") from None
    shown = ", ".join(f"{option}={value!r}" for option, value in options.items())
    named = Named(f"{name}({shown})" if shown else name, EXPLAINERS[name], options)
    # The factory's own checks, before anything is trained. A grid needs the data's shape.
    without = Named(named.name, named.method, {k: v for k, v in options.items() if k != GRID})
    without.make(lambda variables, x: x, (1,), np.zeros((1, 1), np.float32))
    return named


def expand(
    texts: Sequence[str],
    logits_fn: LogitsFn,
    variables: Any,
    x: np.ndarray,
    background: np.ndarray | None,
    say: Callable[[str], None],
) -> list[Named]:
    """The methods that a list of texts names, where "cheap" and "all" stand for those that apply to this model.

    Of images the masking methods then mask the cells of a grid.

    Args:
      texts: what `parse` reads, or "cheap": at most 10 runs of the model each, or "all": at most 10,000.
      logits_fn: of one example.
      variables: of one model.
      x: one example.
      background: as in `Named.make`.
      say: called with a line for each method that does not apply, and why.

    Returns:
      The methods, none twice.
    """
    found: dict[str, Named] = {}
    for text in texts:
        if text not in LISTS:
            named = parse(text)
            found[named.name] = named
            continue
        for name, method in EXPLAINERS.items():
            cells = (
                f"({GRID}={_CELLS})" if method.masks and x.ndim == 3 and min(x.shape[:2]) >= _CELLS else ""
            )
            named = parse(name + cells)
            try:
                if named.runs(x.shape) <= LISTS[text]:
                    explainer = named.make(logits_fn, x.shape, background)
                    key = jax.random.key(0)
                    jax.eval_shape(lambda v, x, f=explainer, k=key: f(v, x, 0, key=k), variables, x)
                    found[named.name] = named
            except (_validate.UsageError, NotImplementedError) as error:
                say(f"{named.name} is left out: {error}")
    return list(found.values())


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
