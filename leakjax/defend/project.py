"""Removing from a map what names a logit: its part along 1, the query, and functions of the query."""

import functools
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp

from leakjax import _validate
from leakjax.defend.clip import LARGEST
from leakjax.defend.defense import Defense
from leakjax.defend.domain import Domain, arithmetic
from leakjax.defend.length import length, slack, total
from leakjax.defend.registry import registered
from leakjax.defend.ties import dimensions, within
from leakjax.defend.ties import ties as ties_of

# A direction whose rest after the others is below this share of its length is in their span.
_RANK = 1e-5
# The directions by name, each a function of the flattened query.
DIRECTIONS: Mapping[str, Callable[[jax.Array], jax.Array]] = MappingProxyType(
    {
        "one": jnp.ones_like,
        "x": lambda x: x,
        "x2": lambda x: x**2,
        "positive": lambda x: (x > 0).astype(x.dtype),
    }
)


@registered
def project_out(directions: str = "one,x", ties: bool = False, share: float = 1.0) -> Defense:
    """Takes the span of some directions out of the array: what is left is orthogonal to each of them.

    The sum of a complete attribution (integrated gradients, DeepLIFT, Shapley values) is a difference of logits,
    and <gradient, x> is a derivative of one. Without the parts along 1 and x the map tells neither. It shortens in L2
    and, without ties, is linear; where nothing is left the result is 0. Directions that others span (x = 0, a constant
    x) are left out. In L2 the result is no longer than the array, in float64 too. Let it come first: no later stage
    brings back what is gone, but means over windows, taken before it, mix what names a logit into all that stays.

    Args:
      directions: names in `DIRECTIONS`, separated by commas: "one", "x", "x2", "positive" (where x > 0).
      ties: whether places of one value keep one value and places of 0 stay at 0: the directions are then those of the
        means over such places. What is left is orthogonal to the directions themselves, too.
      share: of the array's dimensions that may go at most, above 0, at most 1: as many directions are taken, in their
        order, but always one. With ties an array has as many dimensions as it has values other than 0.

    Returns:
      The defense; `apply` needs the query `x`, of the attribution's shape.

    Raises:
      UsageError: on an unknown direction, none, or one twice; where ties is not True or False; a share out of range.
    """
    names = tuple(name.strip() for name in directions.split(","))
    for name in names:
        _validate.one_of("directions", name, DIRECTIONS)
    if len(set(names)) < len(names):
        raise _validate.fail("directions", directions, "must name each direction once")
    if not isinstance(ties, bool):
        raise _validate.fail("ties", ties, "must be True or False")
    if not isinstance(share, int | float) or not 0 < share <= 1:
        raise _validate.fail("share", share, "must be a number above 0 and at most 1")

    def apply(
        attribution: jax.Array, domain: Domain, *, key: jax.Array, x: jax.Array | None = None
    ) -> jax.Array:
        if x is None:
            rule = (
                "project_out needs the query x: defend.apply(..., x=x); of answers by file, an array x in it"
            )
            raise _validate.fail("x", None, rule)
        _validate.same_shape("x", x.shape, attribution.shape, "the attribution")
        whole = jnp.clip(jnp.nan_to_num(jnp.ravel(attribution)), -LARGEST, LARGEST)
        largest = jnp.max(jnp.abs(whole), initial=0)
        whole = whole / jnp.where(largest > 0, largest, 1)  # so that squares neither overflow nor vanish
        flat, query = whole, jnp.ravel(jnp.asarray(x, attribution.dtype))
        if ties:
            pattern = ties_of(whole)
            found = basis(query, names, functools.partial(within, pattern), most=share * dimensions(pattern))
        else:
            found = basis(query, names, most=share * whole.size)
        for direction in found:
            flat = flat - direction * total(direction * flat)
        # Rounding must not make it longer than it was.
        longest = length(whole, 2) * (1 - 2 * slack(whole.size, whole.dtype))
        shrink = jnp.minimum(1, longest / jnp.maximum(length(flat, 2), 1e-30))
        return (flat * (shrink * largest)).reshape(attribution.shape)

    def out(domain: Domain) -> Domain:
        xp = arithmetic(*domain.numbers)
        far = xp.maximum(domain.high, -domain.low)
        # The projection is no longer than the array, whose length the box, the balls and the zeros bound.
        longest = xp.minimum(xp.minimum(domain.l2, domain.l1), far * xp.sqrt(1.0 * domain.nonzeros))
        return Domain(
            domain.shape, low=-longest, high=longest, l1=longest * math.sqrt(domain.size), l2=longest,
            nonzeros=domain.size, exact=False,
        )  # fmt: skip

    # Of one entry more than there are directions, some mixture is orthogonal to them: it has few values other than 0.
    def preimage(released: jax.Array, domain: Domain, x: jax.Array | None) -> jax.Array:
        flat = jnp.ravel(released)
        count = min(len(names) + 1, flat.size)
        query = jnp.ones_like(flat) if x is None else jnp.ravel(jnp.asarray(x, flat.dtype))
        mixtures = jnp.eye(count, dtype=flat.dtype)
        for direction in basis(query[:count], names):
            mixtures = mixtures - total(mixtures * direction[None])[:, None] * direction[None]
        lengths = jnp.sqrt(total(mixtures**2))
        longest = jnp.argmax(lengths)
        sign = jnp.where(flat[jnp.argmax(jnp.abs(flat))] < 0, -1.0, 1.0)
        unit = mixtures[longest] / jnp.maximum(lengths[longest], 1e-30)
        return jnp.zeros_like(flat).at[:count].set(sign * length(flat, 2) * unit).reshape(released.shape)

    def lipschitz(domain: Domain, norm: float) -> float:
        return 1.0 if norm == 2 else math.inf

    options = [repr(",".join(names)), *["ties=True"] * ties, *[f"share={share!r}"] * (share != 1)]
    name = f"project_out({', '.join(options)})"
    # Near a tie two arrays close to each other are projected along other directions.
    return Defense(name, apply, out, preimage=preimage, lipschitz=None if ties else lipschitz)


def basis(
    x: jax.Array,
    names: tuple[str, ...],
    shape: Callable[[jax.Array], jax.Array] = lambda direction: direction,
    *,
    most: jax.Array | float = math.inf,
) -> list[jax.Array]:
    """Orthonormal vectors that span the named directions of a flattened query; zeros for those that are left out.

    In the span of others are some; more than may be taken are others.

    Args:
      x: [features].
      names: in `DIRECTIONS`.
      shape: what is made of each direction first.
      most: how many are taken at most, rounded down; always one.

    Returns:
      One vector [features] a name.
    """
    found: list[jax.Array] = []
    taken = jnp.zeros((), int)
    size = jnp.max(jnp.abs(x), initial=0)
    x = x / jnp.where(size > 0, size, 1)  # spans the same, and its square neither overflows nor vanishes
    for name in names:
        direction = shape(DIRECTIONS[name](x))
        whole = length(direction, 2)
        for _ in range(2):  # once more: the first pass leaves rounding along the others
            for other in found:
                direction = direction - other * total(other * direction)
        rest = length(direction, 2)
        inside = (rest > _RANK * jnp.maximum(whole, 1e-30)) & (taken < jnp.maximum(jnp.floor(most), 1))
        taken = taken + inside
        found.append(jnp.where(inside, direction / jnp.where(inside, rest, 1), 0))
    return found
