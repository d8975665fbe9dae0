"""Segment maps: which features a masking method hides together."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from leakjax._validate import at_least, fail, is_concrete
from leakjax.explain.axes import channel_axis_of


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Segments:
    """An integer map that gives each feature its segment.

    Attributes:
      map: Segment of each feature, integers 0 to count - 1 of x's shape or, for all channels at once, with
        1 in place of their axis ([height, width, 1] for an image); a batch of maps
        [batch, ...] goes beside a batch of examples.
      count: How many segments there are, a static number. A segment may be empty.
    """

    map: jax.Array | np.ndarray
    count: int = field(metadata={"static": True})


def each_feature(shape: tuple[int, ...]) -> Segments:
    """Every feature a segment of its own.

    Args:
      shape: Shape of one example.
    """
    return Segments(np.arange(np.prod(shape), dtype=np.int32).reshape(shape), int(np.prod(shape)))


def by_columns(names: Sequence[str], *, shape: tuple[int, ...] | None = None) -> Segments:
    """The features of one column together, as the indicators of one category are.

    Args:
      names: The column of each feature, as `leakjax.data.Points.columns`, in the order of the features.
      shape: Shape of one example; one row by default.

    Returns:
      One segment a column, in the order in which they first stand.

    Raises:
      UsageError: Unless there is one name for each feature.
    """
    shape = (len(names),) if shape is None else shape
    if len(names) != np.prod(shape):
        raise fail("names", len(names), f"must be one for each feature of an example, {int(np.prod(shape))}")
    places = {name: place for place, name in enumerate(dict.fromkeys(names))}
    return Segments(np.array([places[name] for name in names], np.int32).reshape(shape), len(places))


def grid(
    shape: tuple[int, ...], cells: int | tuple[int, ...], *, channel_axis: int | str | None = "auto"
) -> Segments:
    """A grid of rectangles over an image, or of blocks over a series or a volume, all channels together.

    Args:
      shape: Shape of one example, [height, width, channels] for an image.
      cells: Cells along each axis but that of channels, or one number for all.
      channel_axis: The axis that holds channels, None for none, or "auto": the last of three, if it is smaller than the
        others and at most 4.

    Raises:
      UsageError: On channels that cannot be told, or more cells than places along a side.
    """
    axis = channel_axis_of(tuple(shape), channel_axis)
    sides = [side for place, side in enumerate(shape) if place != axis]
    counts = (cells,) * len(sides) if isinstance(cells, int) else tuple(cells)
    fits = len(counts) == len(sides) and all(
        1 <= count <= side for count, side in zip(counts, sides, strict=True)
    )
    if not sides or not fits:
        raise fail(
            "cells", counts, f"must be between 1 and the sides of x without its channels, {tuple(sides)}"
        )
    along = [np.arange(side) * count // side for side, count in zip(sides, counts, strict=True)]
    cell = np.ravel_multi_index(np.meshgrid(*along, indexing="ij"), counts).astype(np.int32)
    return Segments(cell if axis is None else np.expand_dims(cell, axis), int(np.prod(counts)))


def slic(images: np.ndarray, count: int, *, compactness: float = 10.0) -> Segments:
    """Superpixels of each image of a batch, computed on the host.

    Args:
      images: Images [batch, height, width, channels], channels 1 or 3.
      count: Most segments an image may have; where SLIC finds more, the last ones are merged.
      compactness: Weight of closeness in space against closeness in colour.

    Returns:
      The maps [batch, height, width, 1].

    Source: Achanta et al. 2012, "SLIC Superpixels"; the implementation is scikit-image's.
    """
    at_least("count", count, 1)
    if images.ndim != 4:
        raise fail("images", images.shape, "must be [batch, height, width, channels]")
    from skimage.segmentation import slic as superpixels  # slow to import, and needed by this function alone

    labels = [
        superpixels(image, count, compactness=compactness, start_label=0, channel_axis=-1)
        for image in np.asarray(images)
    ]
    return Segments(np.minimum(np.stack(labels), count - 1)[..., None].astype(np.int32), count)


def segments_for(x: jax.Array, segments: Segments | None) -> Segments:
    """The segments of one example, each feature by itself where none are given, with the map in x's shape.

    Raises:
      UsageError: On a map that is no integer map of x's shape, or that names a segment outside the count.
    """
    if segments is None:
        return each_feature(x.shape)
    shape = tuple(np.shape(segments.map))
    ones = sum(ours != theirs for ours, theirs in zip(shape, x.shape, strict=False))
    if len(shape) != x.ndim or any(a not in (b, 1) for a, b in zip(shape, x.shape, strict=True)) or ones > 1:
        raise fail("segments.map", shape, f"must have x's shape {x.shape}, or 1 in place of the channels")
    if not jnp.issubdtype(jnp.result_type(segments.map), jnp.integer):
        raise fail("segments.map", str(jnp.result_type(segments.map)), "must be of an integer type")
    if is_concrete(segments.map):
        low, high = int(np.min(segments.map)), int(np.max(segments.map))
        if low < 0 or high >= segments.count:
            raise fail("segments.map", (low, high), f"must lie in 0 to {segments.count - 1}, by its count")
    return Segments(jnp.broadcast_to(jnp.asarray(segments.map), x.shape), segments.count)
