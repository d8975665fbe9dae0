"""The explainers of an audit: texts, methods and functions in one list, tried on the model before anything runs."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from leakjax import _spec, _validate
from leakjax.auditing import door
from leakjax.evaluate.document import LeftOut
from leakjax.explain import EXPLAINERS, Explainer, LogitsFn, Method, Named, own
from leakjax.explain.cost import count_runs
from leakjax.explain.named import GIVEN, GRID, also, joined, named_of, unstated

# On how many cells along each side of an image the masking methods of a list of several work.
_CELLS = 4
# What stands for many methods, and how many runs of the model each of them may take.
LISTS = {"cheap": 10, "all": 10_000}
_WHAT = "explainers"


class Chosen(NamedTuple):
    """The explainers of an audit.

    Attributes:
      methods: each at a known cost, no name twice.
      attributions: the form of an attribution of each, by its name.
      left_out: what "cheap" or "all" would have held and does not apply to the model.
    """

    methods: list[Named]
    attributions: dict[str, jax.ShapeDtypeStruct]
    left_out: list[LeftOut]


def parse(text: str) -> Named:
    """Reads "name", "name(option=value, ...)" or "package.module:name(...)"; nothing is evaluated.

    Of "one+another" the explanations are shown together.

    A user's own name stands for a factory `(logits_fn, **options) -> explainer`, or for an explainer itself.

    Raises:
      UsageError: on any other text, an unknown name (with the list and the nearest), options that the method
        does not take or values that it refuses.
    """
    calls = _spec.read_chain(_WHAT, text)
    if len(calls) > 1:
        return joined([parse(str(call)) for call in calls])
    (call,) = calls
    found = EXPLAINERS.find(call.name, LISTS)
    if isinstance(found, Method):
        return named_of(call, found)
    factory = inspect.unwrap(found)
    registered = [method for method in EXPLAINERS.values() if inspect.unwrap(method.factory) is factory]
    if registered:
        return named_of(call, registered[0])
    if "key" in inspect.signature(factory).parameters:
        if call.arguments or call.options:
            raise _validate.fail(_WHAT, text.strip(), "is an explainer and takes no options; name it alone")
        return own(factory, name=call.name)
    return named_of(call, Method("custom", factory, stochastic=True, runs=unstated))


def describe() -> list[str]:
    """Every method with its options and their defaults, as --help lists them."""
    return [
        _spec.describe(name, method.factory, given=GIVEN, also=also(method))
        for name, method in EXPLAINERS.items()
    ]


def choose(
    given: Sequence[str | Named | Explainer] | Mapping[str, Explainer],
    logits_fn: LogitsFn,
    variables: Any,
    x: np.ndarray,
    background: np.ndarray | None,
    say: Callable[[str], None],
    columns: Sequence[str] = (),
) -> Chosen:
    """The explainers that a list means, where "cheap" and "all" stand for those that apply to this model.

    Of images the masking methods of these two then mask the cells of a grid.

    Args:
      given: texts that `parse` reads; "cheap": at most 10 runs of the model each; "all": at most 10,000; methods
        without a model, as `lime(samples=100)`; the user's own explainers of one example, by name or in the list.
      logits_fn: of one example.
      variables: of one model; shapes and types alone are looked at.
      x: one example.
      background: as in `Named.make`.
      say: called with a line for each method that does not apply, and why.
      columns: of each feature, as in `Named`.

    Returns:
      The methods, those of one text once, and what was left out.

    Raises:
      UsageError: an item that is none of these or does not apply to the model, two of one name, none at all.
    """
    if isinstance(given, Mapping):
        items: list[Any] = [own(explainer, name=name) for name, explainer in given.items()]
    else:
        items = door.listed(_WHAT, given)
    found: dict[str, Named] = {}
    attributions: dict[str, jax.ShapeDtypeStruct] = {}
    left_out: list[LeftOut] = []

    def take(named: Named) -> None:
        """Traces a method on the model, without running it; raises what either has against the other."""
        explainers, forms = [], []
        try:
            for part in named.parts or (named,):
                explainers.append(part._replace(columns=named.columns).make(logits_fn, x.shape, background))
                forms.append(door.check_explainer(part.name, explainers[-1], variables, x))
        except _validate.UsageError as error:
            said = "" if str(error).startswith(f"{_WHAT}=") else f"{_WHAT}={named.name!r}: "
            raise _validate.UsageError(f"{said}{error}") from error
        if len({form.shape for form in forms}) > 1:
            shapes = ", ".join(str(form.shape) for form in forms)
            rule = f"have maps of different shapes, {shapes}; show them as explanations of their own"
            raise _validate.fail(_WHAT, named.name, rule)
        attributions[named.name] = forms[0]
        counted = [
            part if part.counted else _counted(part, explainer, logits_fn, variables, x)
            for part, explainer in zip(named.parts or (named,), explainers, strict=True)
        ]
        found[named.name] = named._replace(parts=tuple(counted)) if named.parts else counted[0]

    for item in items:
        if isinstance(item, str) and item in LISTS:
            for named in _of_list(item, x):
                named = named._replace(columns=columns)
                try:
                    if named.runs(x.shape) <= LISTS[item]:
                        take(named)
                except Exception as error:  # whatever a user's model raises under a method
                    why = " ".join(str(error).split()) or type(error).__name__
                    left_out.append(LeftOut(name=named.name, why=why))
                    say(f"{named.name} is left out: {why}")
            continue
        named = parse(item) if isinstance(item, str) else item if isinstance(item, Named) else own(item)
        if named.name in found and not isinstance(item, str):
            rule = "is the name of two; give one another by leakjax.explain.own(explainer, name=...)"
            raise _validate.fail(_WHAT, named.name, rule)
        take(named._replace(columns=columns))
    if not found:
        given = list(given)
        raise _validate.fail(_WHAT, given, "must name at least one that applies to the model")
    return Chosen(list(found.values()), attributions, left_out)


def _of_list(name: str, x: np.ndarray) -> list[Named]:
    on_cells = x.ndim == 3 and min(x.shape[:2]) >= _CELLS
    return [
        parse(f"{method}({GRID}={_CELLS})" if on_cells and EXPLAINERS[method].masks else method)
        for method in EXPLAINERS
    ]


def _counted(named: Named, explainer: Explainer, logits_fn: LogitsFn, variables: Any, x: np.ndarray) -> Named:
    runs = count_runs(explainer, logits_fn, variables, x)
    if runs is None:
        rule = "its runs of the model cannot be counted; state them: leakjax.explain.own(explainer, runs=...)"
        raise _validate.fail(_WHAT, named.name, rule)
    return named.of_runs(runs)
