"""What a number of releases through a defense spends, by privacy-loss distributions.

Every claim here is about the explanation channel alone, for the ideal mechanism (real numbers), where any two
attributions are neighbours: it is local differential privacy of the released explanation. Predictions shown beside
it are not covered. Releases of one explained query with fresh noise each count; answers that repeat the same noise
do not.
"""

import math
from typing import TYPE_CHECKING

from leakjax import _validate
from leakjax.defend.defense import Defense, chain, stages
from leakjax.defend.domain import Domain
from leakjax.defend.exact import added_delta
from leakjax.defend.mechanisms import checked_delta
from leakjax.defend.neighbours import ANY, Neighbours, moved
from leakjax.defend.sensitivity import diameter

if TYPE_CHECKING:  # importing it takes as long as importing jax, and few programs ask for an epsilon
    from dp_accounting.pld.privacy_loss_distribution import PrivacyLossDistribution

_MOST_RELEASES = 10_000_000
# Distances between the values of a privacy loss in the discrete distribution; each release adds at most so much.
_INTERVAL = 1e-4


def privacy_spent(
    defense: Defense,
    shape: tuple[int, ...],
    *,
    releases: int = 1,
    delta: float,
    neighbours: Neighbours = ANY,
    sampler: str = "ideal",
) -> float:
    """The epsilon that so many releases spend at a delta, rounded up.

    Args:
      defense: a chain whose noise follows bounded stages; what follows the first noise is post-processing.
      shape: of one attribution.
      releases: how many explanations are released, each with noise of its own, at least 1.
      delta: in (0, 1).
      neighbours: ANY (local privacy), or `within(r, proof=...)`: a radius without a proof gives no privacy.
      sampler: "ideal", or "exact", whose own delta is taken off first.

    Returns:
      epsilon, inf where the noise has scale 0.

    Raises:
      UsageError: no noise in the chain, an unbounded set before it, numbers out of range, neighbours without a
        proof.
    """
    _validate.at_least("releases", releases, 1)
    if releases != int(releases):
        raise _validate.fail("releases", releases, "must be a whole number")
    delta = checked_delta(delta)
    if math.isfinite(neighbours.radius) and not neighbours.proof:
        rule = "is an assumption: differential privacy needs within(r, proof=...), or neighbours=ANY"
        raise _validate.fail("neighbours", neighbours, rule)
    kind, multiplier = _multiplier(defense, shape, neighbours)
    if multiplier == 0:
        return math.inf
    if multiplier == math.inf:  # one array alone can enter: nothing is told
        return 0.0
    # A coarse grid where the loss of one release is large, so that the distribution stays small.
    interval = max(_INTERVAL, 1e-3 / multiplier)
    composed = _loss(kind, multiplier, interval).self_compose(int(releases))
    spent = float(composed.get_epsilon_for_delta(delta))
    if sampler != "exact":
        return spent
    # The sampler's part grows with epsilon: one a little larger leaves room for it.
    rest = delta - releases * added_delta(math.prod(shape), spent + 1)
    exact = float(composed.get_epsilon_for_delta(rest)) if rest > 0 else math.inf
    return exact if exact <= spent + 1 else math.inf


def releases_allowed(defense: Defense, shape: tuple[int, ...], *, epsilon: float, delta: float) -> int:
    """How many releases keep within an epsilon at a delta.

    Args:
      defense: as for `privacy_spent`.
      shape: of one attribution.
      epsilon: above 0.
      delta: in (0, 1).

    Returns:
      The largest number, 0 if a single release spends more.

    Raises:
      UsageError: as for `privacy_spent`.
    """
    _validate.positive("epsilon", epsilon)

    def fits(count: int) -> bool:
        return privacy_spent(defense, shape, releases=count, delta=delta) <= epsilon

    if not fits(1):
        return 0
    low, high = 1, 2
    while high <= _MOST_RELEASES and fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _loss(kind: str, multiplier: float, interval: float) -> "PrivacyLossDistribution":
    """The privacy loss of one release; of a local randomizer the largest that an epsilon of 1 / multiplier allows."""
    from dp_accounting.pld import privacy_loss_distribution as pld
    from dp_accounting.pld.common import DifferentialPrivacyParameters

    match kind:
        case "gaussian":
            return pld.from_gaussian_mechanism(multiplier, value_discretization_interval=interval)
        case "laplace":
            return pld.from_laplace_mechanism(multiplier, value_discretization_interval=interval)
        case _:
            spends = DifferentialPrivacyParameters(1 / multiplier, 0.0)
            return pld.from_privacy_parameters(spends, value_discretization_interval=interval)


def _multiplier(defense: Defense, shape: tuple[int, ...], neighbours: Neighbours) -> tuple[str, float]:
    """The kind of a chain's first noise and its scale over the sensitivity before it; 1 / epsilon of a local one."""
    domain, before = Domain(tuple(shape)), []
    for stage in stages(defense):
        noise = stage.noise
        if noise is None or noise.kind == "mask":
            domain = stage.domain(domain)
            # Neighbours under one and the same mask are no farther apart than without it.
            before += [stage] if noise is None else []
            continue
        if noise.kind == "ties":
            rule = f"no loss of privacy is known of {stage.name}: what an attribution repeats is told by its noise"
            raise _validate.fail("defense", defense.name, rule)
        if noise.kind == "local":
            return noise.kind, 1 / float(noise.scale(domain))
        norm = 2 if noise.kind == "gaussian" else 1
        size = min(diameter(domain, norm=norm).value, moved(neighbours, chain(*before), shape, norm))
        if not size < math.inf:
            raise _validate.fail(
                "defense",
                defense.name,
                f"what enters {stage.name} is unbounded: put clip_norm(1.0) before it",
            )
        return noise.kind, math.inf if size == 0 else float(noise.scale(domain)) / float(size)
    raise _validate.fail("defense", defense.name, "draws no noise, so it spends without bound")
