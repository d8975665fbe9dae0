"""Which axis of an example each axis of a value follows, and which axis of the example holds channels."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.extend.core as jex

from leakjax._validate import fail
from leakjax.explain.elementwise import is_custom_function, is_elementwise
from leakjax.explain.jaxpr import CUSTOM, Flat, bodies_of, flat, primitives, variables_in

Labels = tuple[int | None, ...]
CONVOLUTION = "conv_general_dilated"
FEW = 4  # channels that an image without a convolution to tell them may have
SAME = {
    "pad",
    "rev",
    "slice",
    "dynamic_slice",
    "cumsum",
    "cumprod",
    "cummax",
    "cummin",
    "stop_gradient",
    "real",
    "imag",
}
SAME |= {
    "reduce_window_max",
    "reduce_window_min",
    "reduce_window_sum",
    "reduce_window",
    "sort",
    "split",
    "add_any",
}
SAME |= {
    "concatenate",
    "optimization_barrier",
    "dynamic_update_slice",
    "select_and_gather_add",
    "reduce_precision",
}


def laid_out(fn: Callable[[Any, jax.Array], Any], variables: Any, x: jax.Array) -> Flat:
    """A function laid out flat, custom derivatives whole where they hold no convolution and no tag, scans too."""

    def whole(equation: Any, inputs: list[Any]) -> bool:
        name = equation.primitive.name
        if name in CUSTOM:
            return is_custom_function(equation) or not _holds_maps(equation)
        return name == "scan" and not _holds_maps(equation)

    return flat(fn, variables, x, whole)


def _holds_maps(equation: Any) -> bool:
    return any(name in (CONVOLUTION, "name") for body, _ in bodies_of(equation) for name in primitives(body))


def axes_of(program: Flat) -> dict[Any, Labels]:
    """For each value that depends on the example, the axis of the example that each of its axes follows, or None."""
    found: dict[Any, Labels] = {program.example: tuple(range(len(program.example.aval.shape)))}
    for equation in program.equations:
        taken = [v for v in variables_in(equation) if v in found]
        if not taken:
            continue
        for output in equation.outvars:
            labels = _labels(equation, output, found, program)
            found[output] = (
                labels if len(labels) == len(output.aval.shape) else (None,) * len(output.aval.shape)
            )
    return found


def _labels(equation: Any, output: Any, found: dict[Any, Labels], program: Flat) -> Labels:
    name, params = equation.primitive.name, equation.params
    taken = [v for v in variables_in(equation) if v in found]
    first = equation.invars[0]
    labels = found.get(first) if not isinstance(first, jex.Literal) else None
    if (
        name in SAME
        or is_elementwise(equation, set(found))
        or (len(output.aval.shape) > 0 and name == "select_n")
    ):
        same = [found[v] for v in taken if len(found[v]) == len(output.aval.shape)]
        return tuple(_agreed(column) for column in zip(*same, strict=True)) if same else ()
    if name == "dot_general":
        return _of_product(equation, found, program)
    if labels is None:
        return ()
    if name == CONVOLUTION:
        numbers = params["dimension_numbers"]
        placed: list[int | None] = [None] * len(labels)
        for place, axis in zip(numbers.out_spec[2:], numbers.lhs_spec[2:], strict=True):
            placed[place] = labels[axis]
        placed[numbers.out_spec[0]] = labels[numbers.lhs_spec[0]]
        return tuple(placed)
    if name == "transpose":
        return tuple(labels[axis] for axis in params["permutation"])
    if name == "broadcast_in_dim":
        placed = [None] * len(params["shape"])
        for axis, place in enumerate(params["broadcast_dimensions"]):
            if first.aval.shape[axis] == params["shape"][place]:
                placed[place] = labels[axis]
        return tuple(placed)
    if name in ("squeeze", "expand_dims"):
        gone = params["dimensions"] if name == "squeeze" else ()
        return tuple(label for axis, label in enumerate(labels) if axis not in gone)
    if name.startswith("reduce_") or name in ("argmax", "argmin"):
        return tuple(label for axis, label in enumerate(labels) if axis not in params["axes"])
    if name == "reshape":
        return _reshaped(first.aval.shape, output.aval.shape, labels)
    if name == "gather":
        return _gathered(equation, labels)
    return ()


def _agreed(column: tuple[int | None, ...]) -> int | None:
    known = {label for label in column if label is not None}
    return known.pop() if len(known) == 1 else None


def _of_product(equation: Any, found: dict[Any, Labels], program: Flat) -> Labels:
    """Free axes keep what they follow; so does an axis that numbers alone mix, as a resize does."""
    (contracted, batch), sides = equation.params["dimension_numbers"], equation.invars
    known = [found.get(side, (None,) * len(side.aval.shape)) for side in sides]
    placed = [
        _agreed(tuple(known[side][batch[side][place]] for side in (0, 1))) for place in range(len(batch[0]))
    ]
    for side in (0, 1):
        free = [a for a in range(len(known[side])) if a not in contracted[side] and a not in batch[side]]
        mixed = [known[1 - side][axis] for axis in contracted[1 - side]]
        resized = len(free) == 1 and len(mixed) == 1 and sides[side] in program.numbers
        placed += mixed if resized else [known[side][axis] for axis in free]
    return tuple(placed)


def _reshaped(before: tuple[int, ...], after: tuple[int, ...], labels: Labels) -> Labels:
    """Axes that stay, and the outer part of one that is divided, follow what they did."""
    placed: list[int | None] = [None] * len(after)
    i = j = 0
    while i < len(before) and j < len(after):
        ours, theirs = [i], [j]
        i, j = i + 1, j + 1
        while (a := math.prod(before[k] for k in ours)) != (b := math.prod(after[k] for k in theirs)):
            if a < b:
                ours.append(i)
                i += 1
            else:
                theirs.append(j)
                j += 1
        wide = [k for k in ours if before[k] > 1] or ours
        target = [k for k in theirs if after[k] > 1] or theirs
        if len(wide) == 1 and target:
            placed[target[0]] = labels[wide[0]]
    return tuple(placed)


def _gathered(equation: Any, labels: Labels) -> Labels:
    """Axes that are taken whole, and one along which rows are picked by a list of numbers."""
    numbers, sizes = equation.params["dimension_numbers"], equation.params["slice_sizes"]
    shape, rank = equation.invars[0].aval.shape, len(equation.outvars[0].aval.shape)
    kept = [axis for axis in range(len(labels)) if axis not in numbers.collapsed_slice_dims]
    kept = [axis for axis in kept if axis not in getattr(numbers, "operand_batching_dims", ())]
    placed: list[int | None] = [None] * rank
    for place, axis in zip(numbers.offset_dims, kept, strict=True):
        placed[place] = labels[axis] if sizes[axis] == shape[axis] else None
    others = [place for place in range(rank) if place not in numbers.offset_dims]
    if len(others) == 1 and len(numbers.start_index_map) == 1:
        placed[others[0]] = labels[numbers.start_index_map[0]]
    return tuple(placed)


def channel_axis_of(
    shape: tuple[int, ...], given: int | str | None, program: Flat | None = None
) -> int | None:
    """Which axis of an example holds channels, or None.

    Args:
      shape: Of the example.
      given: An axis, None for none, or "auto": the one that the first convolution over the example takes for its
        features; without a convolution the last of three, if it is smaller than the others and at most 4.
      program: The model laid out flat; None where there is none to ask.

    Raises:
      UsageError: On an axis that is not one, and where an axis may be a channel or not.
    """
    if given is None or isinstance(given, int):
        if given is not None and not -len(shape) <= given < len(shape):
            raise fail("channel_axis", given, f"must be an axis of x, which has the shape {shape}, or None")
        return None if given is None else given % len(shape)
    if given != "auto":
        raise fail("channel_axis", given, 'must be an axis of x, None, or "auto"')
    if program is not None:
        found = _told(program)
        if found != "auto":
            return found
    if len(shape) < 3:
        return None
    if len(shape) == 3 and shape[2] <= FEW and shape[2] < min(shape[:2]):
        return 2
    raise fail(
        "channel_axis",
        given,
        f"cannot be told for x of shape {shape}; give the axis of its channels, -1 for the last, or None for none",
    )


def _told(program: Flat) -> Any:
    """The axis that the first convolution over the example takes for channels, or "auto" without one."""
    labels = axes_of(program)
    for equation in program.equations:
        if equation.primitive.name != CONVOLUTION or equation.invars[0] not in labels:
            continue
        known = labels[equation.invars[0]]
        batch, features, *spatial = (known[axis] for axis in equation.params["dimension_numbers"].lhs_spec)
        if any(axis is None for axis in spatial):
            return "auto"
        if features is not None:
            return features
        left = [axis for axis in range(len(program.example.aval.shape)) if axis not in (*spatial, batch)]
        return None if not left else left[0] if len(left) == 1 else "auto"
    return "auto"
