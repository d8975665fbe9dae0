"""Fewer values: means over windows or segments, and the way back to the size of the input."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _validate
from leakjax.defend.defense import Defense
from leakjax.defend.domain import Domain, arithmetic
from leakjax.defend.length import slack, total
from leakjax.defend.registry import registered


@registered
def coarsen(window: int | tuple[int, ...]) -> Defense:
    """Means over windows that do not overlap.

    Args:
      window: side of the window along the first axis, or the first two of an array of two axes or more (its
        channels are kept apart); or one side an axis, for the first axes of the array.

    Returns:
      The defense; its results have the first axes divided by the window.

    Raises:
      UsageError: if a side is no whole number of at least 1; when it is applied, if a side does not divide its axis.
    """
    for side in _sides(window):
        _whole("window", side)

    def apply(
        attribution: jax.Array, domain: Domain, *, key: jax.Array, x: jax.Array | None = None
    ) -> jax.Array:
        means, split, axes = _cells(attribution.shape, window)
        values = jnp.moveaxis(jnp.nan_to_num(attribution).reshape(split), axes, range(len(means), len(split)))
        values = values.reshape(*means, -1)
        return total(values) / values.shape[-1]

    def out(domain: Domain) -> Domain:
        shape, _, _ = _cells(domain.shape, window)
        return mean_of(domain, shape, domain.size // math.prod(shape))

    # As many values of each window as may differ from 0 share its mean.
    def preimage(released: jax.Array, domain: Domain, x: jax.Array | None) -> jax.Array:
        sides = _sides_of(domain.shape, window)
        count = math.prod(sides)
        used = jnp.minimum(domain.nonzeros, count)
        place = np.tile(np.arange(count).reshape(sides), released.shape)
        return jnp.where(place < used, repeated(released, domain.shape) * (count / used), 0)

    def lipschitz(domain: Domain, norm: float) -> float:
        return math.prod(_sides_of(domain.shape, window)) ** (-1 / norm)

    return Defense(f"coarsen({window!r})", apply, out, preimage=preimage, lipschitz=lipschitz)


@registered
def upsample(window: int | tuple[int, ...]) -> Defense:
    """Repeats every value over a window: the way back from `coarsen(window)` to the size of the input.

    Args:
      window: as for `coarsen`.

    Returns:
      The defense. The set that it leaves is described as if the repeats could differ: a sensitivity is the supremum
      in Linf, and in L2 or L1 if the set that enters is one that both arrays of a pair fill to a common level.

    Raises:
      UsageError: if a side is no whole number of at least 1.
    """
    for side in _sides(window):
        _whole("window", side)

    def whole_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
        sides = _sides_of(shape, window)
        return tuple(length * side for length, side in zip(shape, sides, strict=True))

    def apply(
        attribution: jax.Array, domain: Domain, *, key: jax.Array, x: jax.Array | None = None
    ) -> jax.Array:
        return repeated(jnp.nan_to_num(attribution), whole_shape(attribution.shape))

    def out(domain: Domain) -> Domain:
        xp = arithmetic(*domain.numbers)
        shape = whole_shape(domain.shape)
        times = math.prod(shape) // domain.size
        largest = xp.minimum(domain.l1, domain.l2)
        return Domain(
            shape, xp.maximum(domain.low, -largest), xp.minimum(domain.high, largest),
            l1=domain.l1 * times, l2=domain.l2 * math.sqrt(times),
            nonzeros=xp.minimum(domain.nonzeros * times, math.prod(shape)), exact=False,
        )  # fmt: skip

    def preimage(released: jax.Array, domain: Domain, x: jax.Array | None) -> jax.Array:
        _, split, axes = _cells(released.shape, window)
        return jnp.mean(released.reshape(split), axis=axes)

    def lipschitz(domain: Domain, norm: float) -> float:
        return (math.prod(whole_shape(domain.shape)) / domain.size) ** (1 / norm)

    return Defense(f"upsample({window!r})", apply, out, preimage=preimage, lipschitz=lipschitz)


def coarsen_segments(labels: Sequence[int] | np.ndarray) -> Defense:
    """Means over segments, for instance superpixels or the one-hot columns of one category.

    Args:
      labels: of the attribution's shape, the segment of every value, whole numbers from 0 without a gap.

    Returns:
      The defense; its results are [segments]. The set that it leaves is exact in L2 where all segments are of one
      size, and a bound by the smallest segment otherwise.

    Raises:
      UsageError: if labels are no such numbers; when it is applied, if their shape is another.
    """
    segment = np.asarray(labels)
    if segment.size == 0 or not np.issubdtype(segment.dtype, np.integer):
        raise _validate.fail("labels", segment.dtype.name, "must be whole numbers, one for every value")
    sizes = np.bincount(segment.ravel()) if segment.min() >= 0 else np.zeros(1, int)
    if (sizes == 0).any():
        raise _validate.fail(
            "labels", sorted(set(segment.ravel().tolist())), "must be 0, 1, 2, ... without a gap"
        )
    # Where each segment's values are, short rows filled with a place past the end.
    places = np.full((len(sizes), sizes.max()), segment.size)
    for label, count in enumerate(sizes):
        places[label, :count] = np.flatnonzero(segment.ravel() == label)

    def apply(
        attribution: jax.Array, domain: Domain, *, key: jax.Array, x: jax.Array | None = None
    ) -> jax.Array:
        _validate.same_shape("labels", segment.shape, attribution.shape, "the attribution")
        values = jnp.append(jnp.ravel(jnp.nan_to_num(attribution)), 0)
        return total(values[places]) / jnp.asarray(sizes, values.dtype)

    def out(domain: Domain) -> Domain:
        return mean_of(domain, (len(sizes),), int(sizes.min()), largest=int(sizes.max()))

    def preimage(released: jax.Array, domain: Domain, x: jax.Array | None) -> jax.Array:
        return released[segment.ravel()].reshape(segment.shape)

    return Defense(
        f"coarsen_segments(<{len(sizes)} segments>)",
        apply,
        out,
        preimage=preimage,
        lipschitz=lambda domain, norm: float(sizes.min()) ** (-1 / norm),
    )


def mean_of(domain: Domain, shape: tuple[int, ...], count: int, *, largest: int | None = None) -> Domain:
    """A set that holds the means of a set's arrays over cells.

    Args:
      domain: the set.
      shape: of the means.
      count: values in the smallest cell.
      largest: values in the largest cell; `count` if None.

    Returns:
      The set. A mean of s values other than 0 is at most s / count of the largest, and its square at most
      s / count^2 of the sum of their squares.
    """
    xp = arithmetic(*domain.numbers)
    full = xp.minimum(domain.nonzeros, largest or count)
    part = xp.minimum(1.0, full / count)
    sparse = domain.nonzeros < domain.size
    return Domain(
        shape,
        low=xp.where(sparse, xp.minimum(domain.low, 0), domain.low) * xp.where(domain.low < 0, part, 1.0),
        high=xp.where(sparse, xp.maximum(domain.high, 0), domain.high) * xp.where(domain.high > 0, part, 1.0),
        l1=domain.l1 / count,
        l2=domain.l2 * xp.sqrt(xp.minimum(1.0 * full, 1.0 * count)) / count,
        nonzeros=xp.minimum(domain.nonzeros, math.prod(shape)),
        exact=False,
    ).grown(slack(largest or count))


def repeated(values: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Every value repeated along each axis until the array has a shape whose axes are multiples of its own."""
    for axis, length in enumerate(shape):
        values = jnp.repeat(values, length // values.shape[axis], axis=axis)
    return values


def _sides(window: int | tuple[int, ...]) -> tuple[int, ...]:
    return window if isinstance(window, tuple) else (window,)


def _whole(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _validate.fail(name, value, "must be a whole number of at least 1")


def _sides_of(shape: tuple[int, ...], window: int | tuple[int, ...]) -> tuple[int, ...]:
    """The side along every axis."""
    given = window if isinstance(window, tuple) else (window,) * (2 if len(shape) > 1 else 1)
    if len(given) > len(shape):
        raise _validate.fail("window", window, f"has more sides than the attribution has axes, {shape}")
    return given + (1,) * (len(shape) - len(given))


def _cells(
    shape: tuple[int, ...], window: int | tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """The shape of the means, the shape that splits every axis in two, and the axes inside a window."""
    sides = _sides_of(shape, window)
    for length, side in zip(shape, sides, strict=True):
        if length % side:
            raise _validate.fail("window", window, f"must divide the attribution's axes, {shape}")
    means = tuple(length // side for length, side in zip(shape, sides, strict=True))
    split = tuple(part for pair in zip(means, sides, strict=True) for part in pair)
    return means, split, tuple(range(1, 2 * len(shape), 2))
