"""Segment maps: which features a masking method hides together."""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from leakjax._validate import at_least, fail, is_concrete


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Segments:
    """An integer map that gives each feature its segment.

    Attributes:
      map: Segment of each feature, integers 0 to count - 1 of x's shape or, for all channels of an image at
        once, [height, width, 1]; a batch of maps [batch, ...] goes beside a batch of examples.
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


def grid(shape: tuple[int, ...], cells: int | tuple[int, int]) -> Segments:
    """A grid of rectangles over an image, all channels together.

    Args:
      shape: Shape of one image, [height, width, channels].
      cells: Rectangles down and across, or one number for both.

    Raises:
      UsageError: On a shape that is no image's, or more rectangles than pixels along a side.
    """
    if len(shape) != 3:
        raise fail("shape", tuple(shape), "must be [height, width, channels]")
    down, across = (cells, cells) if isinstance(cells, int) else cells
    height, width, _ = shape
    if not (1 <= down <= height and 1 <= across <= width):
        raise fail("cells", (down, across), f"must be between 1 and the image's sides, {(height, width)}")
    rows = np.arange(height) * down // height
    columns = np.arange(width) * across // width
    return Segments((rows[:, None] * across + columns)[:, :, None].astype(np.int32), down * across)


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
    if shape not in (x.shape, (*x.shape[:-1], 1)):
        raise fail("segments.map", shape, f"must have x's shape {x.shape}, or 1 in place of the channels")
    if not jnp.issubdtype(jnp.result_type(segments.map), jnp.integer):
        raise fail("segments.map", str(jnp.result_type(segments.map)), "must be of an integer type")
    if is_concrete(segments.map):
        low, high = int(np.min(segments.map)), int(np.max(segments.map))
        if low < 0 or high >= segments.count:
            raise fail("segments.map", (low, high), f"must lie in 0 to {segments.count - 1}, by its count")
    return Segments(jnp.broadcast_to(jnp.asarray(segments.map), x.shape), segments.count)
