"""Which values can come out of a defense: the set that calibrated noise and sensitivities are read from."""

import dataclasses
import functools
import math
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _validate

Number = Any  # a Python, NumPy or JAX scalar; a JAX scalar may be traced


def arithmetic(*numbers: Number) -> ModuleType:
    """NumPy (float64) if every number has a value, so that bounds stay readable under jit; else jax.numpy."""
    return np if all(_validate.is_concrete(number) for number in numbers) else jnp


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=["low", "high", "l1", "l2", "nonzeros", "exact"],
    meta_fields=["shape"],
)
@dataclasses.dataclass(frozen=True)
class Domain:
    """A set of arrays, the same under every permutation of their entries.

    Where `low <= 0 <= high`: all arrays with at most `nonzeros` entries other than 0, entries in [low, high],
    L1 norm at most `l1` and L2 norm at most `l2`. Whoever shrinks a member entry by entry towards 0 stays in
    the set. So clipping, scaling and zeroing, in any order and however often, only intersect such sets, and
    leave the members of the intersection as they are.

    Where 0 is outside [low, high]: exactly `nonzeros` entries in [low, high], the others 0, the same norms.

    Attributes:
      shape: shape of one array.
      low: least value of an entry (see above).
      high: largest value of an entry.
      l1: bound of the L1 norm.
      l2: bound of the L2 norm.
      nonzeros: how many entries may differ from 0; at most the size.
      exact: whether each array of the set can come out, up to closure; False if the set is only large enough.
    """

    shape: tuple[int, ...]
    low: Number = -math.inf
    high: Number = math.inf
    l1: Number = math.inf
    l2: Number = math.inf
    nonzeros: Number = None
    exact: Number = True

    def __post_init__(self) -> None:
        if self.nonzeros is None:
            object.__setattr__(self, "nonzeros", self.size)

    @property
    def size(self) -> int:
        """Number of entries of one array."""
        return math.prod(self.shape)

    @property
    def numbers(self) -> tuple[Number, ...]:
        """All leaves, in the order of the fields."""
        return (self.low, self.high, self.l1, self.l2, self.nonzeros, self.exact)

    def grown(self, share: float) -> "Domain":
        """The set with each bound moved outwards by a share of itself, for what rounding can add."""
        xp = arithmetic(*self.numbers)
        return dataclasses.replace(
            self,
            low=self.low * xp.where(self.low < 0, 1 + share, 1 - share),
            high=self.high * xp.where(self.high > 0, 1 + share, 1 - share),
            l1=self.l1 * (1 + share),
            l2=self.l2 * (1 + share),
        )

    def clip_values(self, low: Number, high: Number) -> "Domain":
        """The set after every entry is clipped to [low, high]."""
        xp = arithmetic(low, high, *self.numbers)
        has_zero = (low <= 0) & (high >= 0)
        sparse = self.nonzeros < self.size
        # Entries that are 0 stay 0 if the interval has it, and become its end that is nearest to 0 otherwise.
        lifted = sparse & xp.logical_not(has_zero)
        least = xp.clip(xp.where(lifted, xp.minimum(self.low, 0), self.low), low, high)
        most = xp.clip(xp.where(lifted, xp.maximum(self.high, 0), self.high), low, high)
        # Without 0 the result is the whole box if its corner farthest from 0 was in the set, else a part.
        far = xp.where(low > 0, most, -least)
        whole = (
            xp.logical_not(sparse) & (far * self.size <= self.l1) & (far * math.sqrt(self.size) <= self.l2)
        )
        return Domain(
            shape=self.shape,
            low=least,
            high=most,
            l1=xp.where(has_zero, self.l1, math.inf),
            l2=xp.where(has_zero, self.l2, math.inf),
            nonzeros=xp.where(has_zero, self.nonzeros, self.size),
            exact=self.exact & (has_zero | whole | (least == most)),
        )

    def clip_norm(self, radius: Number, norm: float) -> "Domain":
        """The set after every array is scaled onto the ball of a radius (norm is 1, 2 or inf)."""
        xp = arithmetic(radius, *self.numbers)
        has_zero = (self.low <= 0) & (self.high >= 0)
        # Without 0, an entry is scaled most where it is near 0 and all others are far, and least in reverse.
        near = xp.where(has_zero, 1, xp.where(self.low > 0, self.low, -self.high))
        far = xp.where(has_zero, 1, xp.where(self.low > 0, self.high, -self.low))
        nearest = _scaled(xp, near, far, self.nonzeros, radius, norm)
        farthest = _scaled(xp, far, near, self.nonzeros, radius, norm)
        inert = far * self.nonzeros ** (1 / norm) <= radius
        cap = radius if norm == math.inf else math.inf
        return Domain(
            shape=self.shape,
            low=xp.where(has_zero, xp.maximum(self.low, -cap), xp.where(self.low > 0, nearest, -farthest)),
            high=xp.where(has_zero, xp.minimum(self.high, cap), xp.where(self.low > 0, farthest, -nearest)),
            l1=xp.minimum(self.l1, radius) if norm == 1 else self.l1,
            l2=xp.minimum(self.l2, radius) if norm == 2 else self.l2,
            nonzeros=self.nonzeros,
            exact=self.exact & (has_zero | inert),
        )

    def keep_top_k(self, k: Number) -> "Domain":
        """The set after all but the k entries of largest magnitude are zeroed."""
        xp = arithmetic(k, *self.numbers)
        has_zero = (self.low <= 0) & (self.high >= 0)
        # Where all entries are equal the tie-break chooses: one array comes out, and not one for each choice.
        tied = (self.low == self.high) & (k < self.nonzeros)
        return dataclasses.replace(
            self,
            nonzeros=xp.minimum(self.nonzeros, k),
            exact=self.exact & (has_zero | xp.logical_not(tied)),
        )


def _scaled(
    xp: ModuleType, one: Number, others: Number, count: Number, radius: Number, norm: float
) -> Number:
    """What scaling onto the ball leaves of `one` of `count` entries, the `others` equal; all above 0."""
    ratio = xp.where(count > 1, others / one, 0)
    length = xp.maximum(1, ratio) if norm == math.inf else (1 + (count - 1) * ratio**norm) ** (1 / norm)
    return xp.minimum(one, radius / length)
