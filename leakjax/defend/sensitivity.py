"""How far apart two released explanations can be: the diameter of the set that a defense maps onto.

Sets are as `Domain` describes them. The closed forms rest on three facts about a set with 0 in its interval:

- Where the two arrays of a pair have the same sign, zeroing the smaller entry brings them no closer. So each
  entry pulls in one of two ways: the first array up (to `far`), the second down (to `near`), or in reverse.
- L1 distance is then the sum of two separate concave problems, largest when the entries are split evenly.
- Squared L2 distance is concave in the squares: without an L1 bound, entries of one kind are equal.
"""

import contextlib
import math
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from leakjax import _validate
from leakjax.defend.clip import NORMS
from leakjax.defend.defense import Defense, stages
from leakjax.defend.domain import Domain, Number, arithmetic
from leakjax.defend.neighbours import ANY, Neighbours, moved

# Stands in witnesses for an entry without bound: its square is a float32 and any clip moves it to its end.
HUGE = 1e15
# A witness attains a bound to so much, in float32.
_ATTAINED = 2e-5


class Sensitivity(NamedTuple):
    """The largest distance between two releases of a defense.

    Attributes:
      value: supremum over all pairs of inputs, or an upper bound of it; inf if there is none.
      exact: whether `value` is the supremum; False if it is an upper bound that may be too large.
      witness: float32 [2, ...], a pair of inputs; where `exact`, the distance of their releases is `value`,
        or grows without end as the pair is scaled up if `value` is inf.
    """

    value: Number
    exact: Number
    witness: jax.Array


def sensitivity(
    defense: Defense,
    shape: tuple[int, ...],
    *,
    norm: float = 2,
    x: jax.Array | None = None,
    neighbours: Neighbours = ANY,
) -> Sensitivity:
    """The supremum of the distance of D(x) and D(x'), over all pairs x, x', for the part D before any noise.

    Formal guarantees: `value` is never below the supremum. It equals it, and `exact` says so,

    - for all chains of clip_norm, keep_top_k and clip_values with low <= 0 <= high, in L1 and Linf distance;
    - for the same chains in L2 distance, unless an interval with 0 < -low != high binds together with an L1
      clip, or with an L2 clip that an odd number of entries shares;
    - for intervals without 0, unless a norm clip that binds follows, or what precedes (a norm clip,
      keep_top_k) keeps a part of the interval's box out of reach.

    Chains with other transforms (scale, absolute, normalize, sign, quantize, coarsen, project_out, ...) are exact
    where the witness, led back to a pair of raw attributions and released, attains the bound, to float32. Others may be
    loose. As one stage after a norm clip or an interval around 0 the bound is at most so many times the supremum:

    - quantize after a clip in L1 or L2: 2 (what rounding adds is bounded by its concave hull);
    - keep_top_k(signed=True) after an L2 clip: sqrt(2) in L2, 2 in Linf;
    - coarsen_segments of unequal sizes: sqrt(largest / smallest);
    - project_out of k directions of n values: sqrt(n / (n - k)) in L1 and Linf after an L2 clip, and in L2 after an
      interval (the exact value is a problem of number partitioning), where L1 has sqrt(2) n / (n - k) and Linf
      sqrt(n) n / (n - k).

    normalize after an interval without 0 is bounded by the signs alone, however narrow the interval is.

    A lifted function is never exact. Where a hyperparameter is traced the value has the precision of float32,
    else of float64, and `exact` means to that precision.

    Args:
      defense: the defense; stages from the first noise on are left out.
      shape: shape of one attribution.
      norm: 1, 2 or inf: how distance is measured.
      x: the query, of the attribution's shape, for chains with `project_out`; None: the supremum over queries.
      neighbours: which pairs are compared. Under `within(r)` the value is at most the modulus of the chain times r,
        an upper bound that holds on the condition that r does; the witness stays that of any two.

    Returns:
      The sensitivity, with a pair of inputs that attains it.

    Raises:
      UsageError: if the norm is another.
    """
    if norm not in NORMS:
        raise _validate.fail("norm", norm, "must be 1, 2 or inf")
    domain, entered = Domain(tuple(shape)), []
    for stage in stages(defense):
        if stage.noise is not None:
            break
        entered.append((stage, domain))
        domain = stage.domain(domain)
    bound = diameter(domain, norm=norm)
    if any(stage.preimage is not None for stage, _ in entered):
        bound = _led_back(bound, entered, tuple(shape), norm, x)
    near = moved(neighbours, defense, tuple(shape), norm)
    xp = arithmetic(near, bound.value, bound.exact)
    return bound._replace(value=xp.minimum(near, bound.value), exact=bound.exact & (near >= bound.value))


def _led_back(
    bound: Sensitivity,
    entered: list[tuple[Defense, Domain]],
    shape: tuple[int, ...],
    norm: float,
    x: jax.Array | None,
) -> Sensitivity:
    """A bound with its witness led back to raw attributions, exact if they are released at its distance."""

    def raw(pair: jax.Array) -> jax.Array:
        for stage, domain in reversed(entered):
            if stage.preimage is not None:
                pair = jnp.stack([stage.preimage(one, domain, query) for one in pair])
        return pair.astype("float32")

    def distance(pair: jax.Array) -> Any:
        ends = []
        for end in pair:
            for stage, domain in entered:
                end = stage.apply(end, domain, key=jax.random.key(0), x=query)
            ends.append(end)
        return _length(jnp, jnp.ravel(ends[0] - ends[1]), norm)

    query = jnp.ones(shape, "float32") if x is None else jnp.asarray(x, "float32")
    concrete = _validate.is_concrete(bound.value) and _validate.is_concrete(query)
    with jax.ensure_compile_time_eval() if concrete else contextlib.nullcontext():
        pair = raw(bound.witness)
        attained = distance(pair)
        unbounded = jnp.isinf(bound.value)
        close = attained >= bound.value * (1 - _ATTAINED)
        exact = jnp.where(unbounded, bound.exact, close)
    return Sensitivity(bound.value, bool(exact) if concrete else exact, pair)


def diameter(domain: Domain, *, norm: float = 2) -> Sensitivity:
    """The largest distance between two members of a set; arguments and result are as in `sensitivity`."""
    xp = arithmetic(*domain.numbers)
    size = domain.size
    count = domain.nonzeros
    # Mirrored so that the farther end is positive; `near` is negative where 0 is outside the interval.
    far = xp.maximum(domain.high, -domain.low)
    near = xp.minimum(domain.high, -domain.low)
    sign = xp.where(domain.high >= -domain.low, 1.0, -1.0)
    unbounded = xp.isinf(far) & xp.isinf(domain.l1) & xp.isinf(domain.l2)
    l1, l2 = xp.minimum(domain.l1, HUGE * size), xp.minimum(domain.l2, HUGE * math.sqrt(size))
    most = xp.minimum(HUGE, xp.minimum(l1, l2))
    hull = _Hull(xp, size, count, xp.minimum(far, most), xp.clip(near, 0, most), l1, l2)
    value, pair = {1: hull.l1_diameter, 2: hull.l2_diameter, math.inf: hull.linf_diameter}[norm]()
    attained = _length(xp, pair[0] - pair[1], norm)
    tight = attained >= value * (1 - (1e-9 if xp is not jnp else 1e-4))

    # Without 0 the two supports of `count` entries must share `shared`, and there the distance is far + near.
    shared = xp.maximum(0, 2 * count - size)
    alone = count - shared
    index = xp.arange(size)
    first = xp.where(index < count, HUGE, 0.0)
    second = xp.where(index >= size - alone, HUGE, 0.0)
    gap = xp.minimum(far, HUGE) + xp.clip(near, -HUGE, HUGE)
    if norm == math.inf:
        apart = xp.where(alone > 0, xp.minimum(far, HUGE), gap)
    else:
        apart = (2 * alone * xp.minimum(far, HUGE) ** norm + shared * gap**norm) ** (1 / norm)

    has_zero = near >= 0
    value = xp.where(has_zero, value, xp.minimum(value, apart))
    witness = xp.where(has_zero, pair, xp.stack([first, second])) * sign
    return Sensitivity(
        value=xp.where(unbounded, math.inf, value),
        exact=domain.exact & (xp.logical_not(has_zero) | unbounded | tight),
        witness=jnp.asarray(witness, "float32").reshape(2, *domain.shape),
    )


class _Hull(NamedTuple):
    """A set with 0 in its interval: entries in [-near, far], 0 <= near <= far, every bound finite."""

    xp: ModuleType
    size: int
    count: Number
    far: Number
    near: Number
    l1: Number
    l2: Number

    def linf_diameter(self) -> tuple[Number, Any]:
        """One entry goes from end to end."""
        tip = self.xp.where(self.xp.arange(self.size) < 1, 1.0, 0.0)
        return self.far + self.near, self.xp.stack([tip * self.far, -tip * self.near])

    def l1_diameter(self) -> tuple[Number, Any]:
        """Each array fills its entries to a common level, where the caps allow it."""
        xp, half = self.xp, self.size // 2
        first, one = self._level(half)
        second, other = self._level(self.size - half)
        up = xp.where(xp.arange(self.size) < half, 1.0, -1.0)
        return first + second, xp.stack([up * one, -up * other[::-1]])

    def _level(self, ups: int) -> tuple[Number, Any]:
        """The largest L1 norm with cap `far` on the first `ups` entries, `near` on others, and its array."""
        xp = self.xp
        high = xp.minimum(ups, self.count)
        low = self.count - high
        level = self.l2 / xp.sqrt(xp.maximum(1.0 * self.count, 1.0))
        steep = xp.sqrt(xp.maximum(self.l2**2 - low * self.near**2, 0) / xp.maximum(high, 1))
        level = xp.where(level <= self.near, level, xp.maximum(self.near, steep))
        high_level, low_level = xp.minimum(self.far, level), xp.minimum(self.near, level)
        total = high * high_level + low * low_level
        index = xp.arange(self.size)
        entries = xp.where(index < self.count, xp.where(index < ups, high_level, low_level), 0)
        scale = xp.minimum(1, self.l1 / xp.maximum(total, 1e-37))
        return total * scale, entries * scale

    def l2_diameter(self) -> tuple[Number, Any]:
        """The least of three upper bounds, and the farthest of three pairs."""
        xp = self.xp
        half = self.size // 2
        longest, _ = self._greedy(self.far, self.count)
        one, up = self._greedy(self.far, xp.minimum(half, self.count))
        other, down = self._greedy(self.far, xp.minimum(self.size - half, self.count))
        disjoint = xp.where(self.near > 0, math.inf, xp.sqrt(one**2 + other**2))
        _, even = self._greedy(self.near, self.count)
        shared, overlapping = self._overlap()
        value = xp.minimum(xp.minimum(2 * longest, disjoint), shared)
        pairs = xp.stack([xp.stack([up, down[::-1]]), xp.stack([even, -even]), overlapping])
        return value, pairs[xp.argmax(_length(xp, pairs[:, 0] - pairs[:, 1], 2))]

    def _greedy(self, cap: Number, count: Number) -> tuple[Number, Any]:
        """The largest L2 norm of `count` entries of at most `cap`, and its array: few, as large as can be."""
        xp = self.xp
        index = xp.arange(self.size)
        entries = xp.where(index < count, xp.clip(self.l1 - cap * index, 0, cap), 0)
        length = _length(xp, entries, 2)
        scale = xp.minimum(1, self.l2 / xp.maximum(length, 1e-37))
        return length * scale, entries * scale

    def _overlap(self) -> tuple[Number, Any]:
        """The bound without L1: both arrays on `shared` entries, each alone on others.

        A shared entry has magnitudes s and t, s^2 + t^2 = 2 e: its part (s + t)^2 of the squared distance
        grows by more than 2 per unit of e, and two entries alone grow by 2 together; so shared entries are
        filled first.
        """
        xp = self.xp
        index = xp.arange(self.size)
        shared = xp.arange(self.size + 1.0)
        allowed = (shared >= 2 * self.count - self.size) & (shared <= self.count)
        budget = self.l2**2
        full = (self.far**2 + self.near**2) / 2
        mean = xp.minimum(full, budget / xp.maximum(shared, 1))
        small = xp.minimum(self.near, xp.sqrt(mean))
        large = xp.sqrt(xp.maximum(2 * mean - small**2, 0))
        rest = xp.maximum(budget - shared * mean, 0)
        alone = xp.minimum(self.far, xp.sqrt(rest / xp.maximum(self.count - shared, 1)))
        squared = shared * (small + large) ** 2 + 2 * (self.count - shared) * alone**2
        best = xp.argmax(xp.where(allowed, squared, -1))

        here, only = shared[best], self.count - shared[best]
        up = index % 2 == 0
        both = index < here
        first = xp.where(
            both, xp.where(up, large[best], -small[best]), xp.where(index < here + only, alone[best], 0)
        )
        lone = (index >= here + only) & (index < here + 2 * only)
        second = xp.where(both, xp.where(up, -small[best], large[best]), xp.where(lone, alone[best], 0))
        # An odd number shared may leave one array too long by the difference, and an L1 bound both.
        pair = xp.stack([first, second])
        balls = ((self.l1, 1), (self.l2, 2))
        shrink = [xp.minimum(1, bound / xp.maximum(_length(xp, pair, p), 1e-37)) for bound, p in balls]
        return xp.sqrt(squared[best]), pair * xp.minimum(*shrink)[:, None]


def _length(xp: ModuleType, entries: Any, norm: float) -> Any:
    """The norm along the last axis."""
    if norm == 2:
        return xp.sqrt(xp.sum(entries**2, axis=-1))
    return xp.sum(xp.abs(entries), axis=-1) if norm == 1 else xp.max(xp.abs(entries), axis=-1)
