"""Explainers by name with options, as flags and reports write them: smoothgrad(samples=8), lime(grid=4)."""

import contextlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from leakjax import _spec, _validate
from leakjax.evaluate.document import Output
from leakjax.explain import EXPLAINERS, Explainer, LogitsFn, Method
from leakjax.explain.segments import Segments, grid

# An option of every masking method here: on how many cells along each side of an image its segments lie.
GRID = "grid"
_CELLS = 4
# What stands for many methods, and how many runs of the model each of them may take.
LISTS = {"cheap": 10, "all": 10_000}
# More runs for one explanation are a slip of the pen: days of work, and counters that overflow.
_MOST_RUNS = 10_000_000
_WHAT = "explainers"
# What the audit passes to a factory, and text may not.
_GIVEN = ("logits_fn", "background")


class Named(NamedTuple):
    """A method with options.

    Attributes:
      name: canonical text; `parse` reads it back.
      method: the row of `EXPLAINERS`, or what a user's own factory was registered with.
      options: keyword arguments of its factory, and the grid.
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
          UsageError: an option out of its range, no background, or more runs of the model than can be waited for.
        """
        options = self._of_factory()
        if self.method.needs_background:
            if background is None:
                raise _validate.fail(_WHAT, self.name, "needs a background: points that are not audited")
            options["background"] = background
        explainer = self.method.factory(logits_fn, **options)
        cells = self._segments(shape)
        if cells is None:
            return explainer
        return lambda variables, x, target, *, key, segments=None: explainer(
            variables, x, target, key=key, segments=cells if segments is None else segments
        )

    def runs(self, shape: tuple[int, ...]) -> int:
        """Model evaluations for one explanation of an example of a shape."""
        cells = self._segments(shape)
        return self.method.runs(shape, None if cells is None else cells.count, **self._of_factory())

    def _of_factory(self) -> dict[str, Any]:
        return {option: value for option, value in self.options.items() if option != GRID}

    @property
    def output(self) -> Output:
        """Which output of the model is explained: the option, or the default of the factory, if it has one."""
        parameter = inspect.signature(self.method.factory).parameters.get("output")
        return self.options.get("output", parameter.default if parameter else "unstated")

    def _segments(self, shape: tuple[int, ...]) -> Segments | None:
        return grid(shape, self.options[GRID]) if GRID in self.options else None


def parse(text: str) -> Named:
    """Reads "name", "name(option=value, ...)" or "package.module:name(...)"; nothing is evaluated.

    Raises:
      UsageError: on any other text, an unknown name (with the list and the nearest), options that the method
        does not take or values that it refuses.
    """
    call = _spec.read(_WHAT, text)
    method = _method(call.name)
    options = _spec.bind(_WHAT, call, method.factory, given=_GIVEN, also=(GRID,) if method.masks else ())
    if options.get(GRID, 1) < 1:
        raise _validate.fail(_WHAT, text.strip(), f"{GRID}={options[GRID]} must be at least 1")
    named = Named(str(call._replace(options=options, arguments=())), method, options)
    try:
        # The factory's own checks, before anything is trained; a grid needs the data's shape.
        factory_alone = Named(named.name, method, {k: v for k, v in options.items() if k != GRID})
        factory_alone.make(lambda variables, x: x, (1,), np.zeros((1, 1), np.float32))
    except _validate.UsageError as error:
        raise _validate.fail(_WHAT, named.name, str(error)) from None
    runs = 0
    with contextlib.suppress(_validate.UsageError):  # of windows, which need the data's shape too
        runs = factory_alone.runs((1,))
    if runs > _MOST_RUNS:
        rule = f"takes {runs:,} runs of the model for one explanation; {_MOST_RUNS:,} are allowed"
        raise _validate.fail(_WHAT, named.name, rule)
    return named


def _method(name: str) -> Method:
    found = EXPLAINERS.find(name, LISTS)
    for method in EXPLAINERS.values():
        if found in (method, method.factory):
            return method
    rule = "must state its family and cost by @leakjax.explain.registered(family, runs=...) above it"
    raise _validate.fail(_WHAT, name, rule)


def describe() -> list[str]:
    """Every method with its options and their defaults, as --help lists them."""
    return [
        _spec.describe(name, method.factory, given=_GIVEN, also=(GRID,) if method.masks else ())
        for name, method in EXPLAINERS.items()
    ]


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
      variables: of one model; shapes and types alone are looked at.
      x: one example.
      background: as in `Named.make`.
      say: called with a line for each method that does not apply, and why.

    Returns:
      The methods, none twice.

    Raises:
      UsageError: a method that is named outright does not apply.
    """
    found: dict[str, Named] = {}
    for text in texts:
        if text not in LISTS:
            named = parse(text)
            _trace(named, logits_fn, variables, x, background)
            found[named.name] = named
            continue
        for name, method in EXPLAINERS.items():
            cells = (
                f"({GRID}={_CELLS})" if method.masks and x.ndim == 3 and min(x.shape[:2]) >= _CELLS else ""
            )
            named = parse(name + cells)
            try:
                if named.runs(x.shape) <= LISTS[text]:
                    _trace(named, logits_fn, variables, x, background)
                    found[named.name] = named
            except (_validate.UsageError, NotImplementedError) as error:
                say(f"{named.name} is left out: {error}")
    return list(found.values())


def _trace(
    named: Named, logits_fn: LogitsFn, variables: Any, x: np.ndarray, background: np.ndarray | None
) -> None:
    """Raises what the method has against the model, without running it."""
    explainer, key = named.make(logits_fn, x.shape, background), jax.random.key(0)
    jax.eval_shape(lambda variables, x: explainer(variables, x, 0, key=key), variables, x)
