"""A small vision transformer."""

import jax
from flax import linen as nn

from leakjax._validate import at_least, fail
from leakjax.models.model import Model, from_flax
from leakjax.models.registry import registered


class Vit(nn.Module):
    """Patches, learned positions, blocks of attention and two dense layers, and the mean over the patches."""

    classes: int
    patch: int
    width: int
    depth: int
    heads: int
    dropout: float

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Maps images [batch, height, width, channels] to logits [batch, classes]."""
        if x.ndim != 4 or x.shape[1] % self.patch or x.shape[2] % self.patch:
            rule = f"vit needs images whose sides are multiples of patch={self.patch}"
            raise fail("x.shape", x.shape[1:], rule)
        x = nn.Conv(self.width, (self.patch,) * 2, (self.patch,) * 2)(x)
        x = x.reshape(len(x), -1, self.width)
        positions = self.param("positions", nn.initializers.normal(0.02), (1, *x.shape[1:]))
        x = self._thinned(x + positions, train)
        for _ in range(self.depth):
            x = x + self._thinned(nn.MultiHeadDotProductAttention(self.heads)(nn.LayerNorm()(x)), train)
            inner = nn.gelu(nn.Dense(4 * self.width)(nn.LayerNorm()(x)))
            x = x + self._thinned(nn.Dense(self.width)(inner), train)
        return nn.Dense(self.classes)(nn.LayerNorm()(x).mean(1))

    def _thinned(self, x: jax.Array, train: bool) -> jax.Array:
        return nn.Dropout(self.dropout, deterministic=not train)(x) if self.dropout else x


@registered
def vit(
    classes: int, *, patch: int = 4, width: int = 64, depth: int = 4, heads: int = 4, dropout: float = 0.0
) -> Model:
    """A small vision transformer (Dosovitskiy et al. 2021), its patches averaged instead of a class token.

    Args:
      classes: number of logits, at least 2.
      patch: side of a patch in pixels.
      width: numbers of a patch, a multiple of `heads`.
      depth: blocks.
      heads: of an attention.
      dropout: share of a block's output that is left out in training, in [0, 1).

    Returns:
      The model, for images whose sides are multiples of `patch`.

    Raises:
      UsageError: an argument out of its range; when it is applied, an image of other sides.
    """
    at_least("classes", classes, 2)
    for name, value in (("patch", patch), ("width", width), ("depth", depth), ("heads", heads)):
        at_least(name, value, 1)
    if width % heads:
        raise fail("width", width, f"must be a multiple of heads={heads}")
    if not 0 <= dropout < 1:
        raise fail("dropout", dropout, "must be in [0, 1)")
    return from_flax(Vit(classes, patch, width, depth, heads, dropout))
