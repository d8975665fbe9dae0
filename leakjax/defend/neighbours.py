"""Which two attributions a bound compares: any two, or two that are known to be near each other."""

import math
from typing import NamedTuple

from leakjax import _validate
from leakjax.defend.clip import NORMS
from leakjax.defend.defense import Defense, stages
from leakjax.defend.domain import Domain, Number


class Neighbours(NamedTuple):
    """The relation under which a sensitivity holds.

    Attributes:
      radius: raw attributions of neighbours differ by at most so much; inf: any two are neighbours.
      norm: 1, 2 or inf: how that difference is measured.
      proof: why it holds, in words (a theorem, a construction); "" where it is an assumption. A claim of
        differential privacy under an assumption is refused.
    """

    radius: Number = math.inf
    norm: float = 2
    proof: str = ""


ANY = Neighbours()


def within(radius: Number, *, norm: float = 2, proof: str = "") -> Neighbours:
    """Neighbours whose raw attributions differ by at most a radius.

    Args:
      radius: at least 0, in the unit of the attribution.
      norm: 1, 2 or inf.
      proof: why it holds for every pair; without it a sensitivity is conditional and no privacy follows.

    Returns:
      The relation.

    Raises:
      UsageError: if the radius is negative or not finite, or the norm is another.
    """
    _validate.at_least("radius", radius, 0)
    if norm not in NORMS:
        raise _validate.fail("norm", norm, "must be 1, 2 or inf")
    return Neighbours(radius, norm, proof)


def lipschitz(defense: Defense, shape: tuple[int, ...], *, norm: float = 2) -> Number:
    """By how much the part of a defense before any noise can stretch a distance.

    Args:
      defense: stages from the first noise on are left out.
      shape: of one attribution.
      norm: 1, 2 or inf: how distances are measured, before and after.

    Returns:
      An upper bound: the product of the stages' moduli; inf where a stage jumps (keep_top_k, drop_below,
      quantize, sign), divides by a norm that may be 0 (normalize), is lifted, or has none known in this norm.

    Raises:
      UsageError: if the norm is another.
    """
    if norm not in NORMS:
        raise _validate.fail("norm", norm, "must be 1, 2 or inf")
    domain, modulus = Domain(tuple(shape)), 1.0
    for stage in stages(defense):
        if stage.noise is not None:
            break
        if stage.lipschitz is None:
            return math.inf
        modulus = modulus * stage.lipschitz(domain, norm)
        domain = stage.domain(domain)
    return modulus


def moved(neighbours: Neighbours, defense: Defense, shape: tuple[int, ...], norm: float) -> Number:
    """How far releases of neighbours can be apart, by the modulus alone; inf where any two are neighbours."""
    if _validate.is_concrete(neighbours.radius) and math.isinf(neighbours.radius):
        return math.inf
    modulus = lipschitz(defense, shape, norm=norm)
    if _validate.is_concrete(modulus) and math.isinf(modulus):
        return math.inf
    # ||d||_p is at most size^(1/p - 1/q) ||d||_q for p < q, and at most ||d||_q otherwise.
    power = max(0.0, 1 / norm - 1 / neighbours.norm)
    return modulus * neighbours.radius * math.prod(shape) ** power
