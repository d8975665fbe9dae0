"""A method with options and without a model yet, as texts, lists and reports name it: lime(samples=100, grid=4)."""

import contextlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _spec, _validate
from leakjax.explain.segments import Segments, by_columns, grid
from leakjax.explain.types import OUTPUTS, Explainer, LogitsFn, Method

# An option of every masking method here: on how many cells along each side of an image its segments lie.
GRID = "grid"
# An option of every method that compares with a baseline and may with examples: with how many of those given to `make`.
BACKGROUND = "background"
# What whoever makes an explainer passes to its factory, and text may not.
GIVEN = ("logits_fn", BACKGROUND)
UNSTATED = "unstated"
# More runs for one explanation are a slip of the pen: days of work, and counters that overflow.
_MOST_RUNS = 10_000_000
_WHAT = "explainers"


class Named(NamedTuple):
    """A method with options.

    Attributes:
      name: canonical text; that of a registered method reads back.
      method: its row of `EXPLAINERS`, or of a user's own.
      options: keyword arguments of its factory, and the grid; of a background how many rows it has.
      columns: the source column of each feature: what a method masks, it masks by columns; empty for by features.
      parts: the methods whose explanations are shown together, see `joined`; none for a method that stands alone.
    """

    name: str
    method: Method
    options: Mapping[str, Any]
    columns: Sequence[str] = ()
    parts: tuple["Named", ...] = ()

    def make(self, logits_fn: LogitsFn, shape: tuple[int, ...], background: np.ndarray | None) -> Explainer:
        """The explainer of a model.

        Args:
          logits_fn: of one example.
          shape: of one example.
          background: [rows, ...], points that are not audited, for the methods that cannot do without and for those
            that ask for some of them.

        Raises:
          UsageError: an option out of its range, or no background, or too small a one.
        """
        if self.parts:
            made = [
                part._replace(columns=self.columns).make(logits_fn, shape, background) for part in self.parts
            ]
            return _together(made)
        options = self._of_factory()
        rows = self.background(background)
        if rows is not None:
            options[BACKGROUND] = rows
        explainer = self.method.factory(logits_fn, **options)
        cells = self.segments(shape)
        if cells is None:
            return explainer

        def on_cells(
            variables: Any, x: jax.Array, target: Any, *, key: jax.Array, segments: Any = None
        ) -> jax.Array:
            return explainer(variables, x, target, key=key, segments=cells if segments is None else segments)

        return on_cells

    def runs(self, shape: tuple[int, ...]) -> int:
        """Model evaluations for one explanation of an example of a shape.

        Raises:
          UsageError: they were neither stated nor counted.
        """
        if self.parts:
            return sum(part._replace(columns=self.columns).runs(shape) for part in self.parts)
        cells = self.segments(shape)
        options = self._of_factory()
        if self._rows is not None:
            options[BACKGROUND] = range(self._rows)
        return self.method.runs(shape, None if cells is None else cells.count, **options)

    @property
    def counted(self) -> bool:
        """Whether its cost is known."""
        if self.parts:
            return all(part.counted for part in self.parts)
        return self.method.runs is not unstated

    def of_runs(self, runs: int) -> "Named":
        """The same method, at a known cost."""
        return self._replace(method=self.method._replace(runs=_always(runs)))

    def background(self, given: Any) -> Any:
        """The rows [rows, ...] of a background that it compares with; None where it has no use for one.

        Raises:
          UsageError: it needs more rows than are given.
        """
        if self._rows is None and not self.method.needs_background:
            return None
        if given is None:
            raise _validate.fail(_WHAT, self.name, "needs a background: points that are not audited")
        if len(given) < (self._rows or 1):
            raise _validate.fail(
                _WHAT, self.name, f"needs {self._rows} rows of a background that has {len(given)}"
            )
        return given[: self._rows]

    def over(self, count: int) -> "Named":
        """The same method, compared with so many rows of a background."""
        needs = self.method.needs_background  # it takes all that there are
        return self if needs else self._replace(options={**self.options, BACKGROUND: count})

    @property
    def _rows(self) -> int | None:
        return self.options.get(BACKGROUND)

    def _of_factory(self) -> dict[str, Any]:
        return {option: value for option, value in self.options.items() if option not in (GRID, BACKGROUND)}

    @property
    def output(self) -> Any:
        """Which output of the model is explained: the option, or the default of the factory, if it has one."""
        if self.parts:
            outputs = {part.output for part in self.parts}
            return outputs.pop() if len(outputs) == 1 else UNSTATED
        parameter = inspect.signature(self.method.factory).parameters.get("output")
        return self.options.get("output", parameter.default if parameter else UNSTATED)

    def segments(self, shape: tuple[int, ...]) -> Segments | None:
        """Which features it masks together, where it does and that is not each by itself: cells, or columns."""
        if GRID in self.options:
            return grid(shape, self.options[GRID])
        if not (self.columns and self.method.masks):
            return None
        return by_columns(self.columns, shape=shape)


def also(method: Method) -> tuple[str, ...]:
    """The whole-number options that a method takes beside those of its factory."""
    optional = BACKGROUND in inspect.signature(method.factory).parameters and not method.needs_background
    return (*((GRID,) if method.masks else ()), *((BACKGROUND,) if optional else ()))


def named_of(call: _spec.Call, method: Method) -> Named:
    """A method with the options of a call, checked against the signature of its factory and by the factory itself.

    Raises:
      UsageError: options that the method does not take, or values that it refuses.
    """
    options = _spec.bind(_WHAT, call, method.factory, given=GIVEN, also=also(method))
    for option in (GRID, BACKGROUND):
        if options.get(option, 1) < 1:
            raise _validate.fail(_WHAT, str(call), f"{option}={options[option]} must be at least 1")
    named = Named(str(call._replace(options=options, arguments=())), method, options)
    try:
        # The factory's own checks, before anything is trained; a grid needs the data's shape.
        factory_alone = Named(named.name, method, {k: v for k, v in options.items() if k != GRID})
        rows = np.zeros((options.get(BACKGROUND, 1), 1), np.float32)
        factory_alone.make(lambda variables, x: x, (1,), rows)
    except _validate.UsageError as error:
        raise _validate.fail(_WHAT, named.name, str(error)) from None
    runs = 0
    with contextlib.suppress(
        _validate.UsageError
    ):  # not stated, or of windows, which need the data's shape too
        runs = factory_alone.runs((1,))
    if runs > _MOST_RUNS:
        rule = f"takes {runs:,} runs of the model for one explanation; {_MOST_RUNS:,} are allowed"
        raise _validate.fail(_WHAT, named.name, rule)
    return named


def joined(parts: Sequence[Named]) -> Named:
    """Several methods whose explanations of a point are shown together.

    Args:
      parts: two or more, each at a known cost.

    Returns:
      A method whose explainer answers [parts, ...].

    Raises:
      UsageError: one is given twice.
    """
    _validate.distinct(_WHAT, [part.name for part in parts])
    method = Method("joint", _no_factory, any(part.method.stochastic for part in parts), unstated)
    return Named("+".join(part.name for part in parts), method, {}, parts=tuple(parts))


def _no_factory(logits_fn: LogitsFn) -> Explainer:
    raise _validate.UsageError("factory: methods that are shown together are made one by one")


def _together(explainers: Sequence[Explainer]) -> Explainer:
    def explain(
        variables: Any, x: jax.Array, target: Any, *, key: jax.Array, segments: Any = None
    ) -> jax.Array:
        keys = jax.random.split(key, len(explainers))
        made = [one(variables, x, target, key=own) for one, own in zip(explainers, keys, strict=True)]
        return jnp.stack(made)

    return explain


def own(
    explainer: Explainer, *, name: str | None = None, runs: int | None = None, output: str = UNSTATED
) -> Named:
    """A user's own explainer, with what a report says of it.

    Args:
      explainer: of one example.
      name: how reports call it; its attribute `name`, or its function's name, when None.
      runs: runs of the model for one explanation; counted in the traced program when None.
      output: which output of the model it explains, as every method's option `output`, if that can be said.

    Returns:
      The method.

    Raises:
      UsageError: it is no function, or has no name.
    """
    if not callable(explainer):
        rule = "must be an explainer: a function (variables, x, target, *, key) -> attribution, or a name"
        raise _validate.fail(_WHAT, explainer, rule)
    called = name or getattr(explainer, "name", None) or getattr(explainer, "__name__", "<lambda>")
    if not isinstance(called, str) or called == "<lambda>":
        rule = "must have a name; def it, or use leakjax.explain.own(explainer, name=...)"
        raise _validate.fail(_WHAT, explainer, rule)
    _validate.one_of("output", output, (*OUTPUTS, UNSTATED))
    stated = output

    def factory(logits_fn: LogitsFn, *, output: str = stated) -> Explainer:
        return explainer

    if runs is not None:
        _validate.at_least("runs", runs, 0)
    cost = unstated if runs is None else _always(runs)
    return Named(called, Method("custom", factory, stochastic=True, runs=cost), {})


def unstated(shape: tuple[int, ...], segments: int | None = None, /, **options: Any) -> int:
    """The `runs` of a method that states none, so that they are counted in its traced program. Raises UsageError."""
    raise _validate.UsageError("runs: are not stated, and were not counted")


def _always(runs: int) -> Callable[..., int]:
    def always(shape: tuple[int, ...], segments: int | None = None, /, **options: Any) -> int:
        return runs

    return always
