"""Noise whose scale follows from what enters it, so that a claim of differential privacy can be checked."""

import jax
import jax.numpy as jnp

from leakjax import _validate
from leakjax.defend.defense import Defense, Noise
from leakjax.defend.domain import Domain, Number
from leakjax.defend.hyperparameter import real
from leakjax.defend.noise import noisy
from leakjax.defend.registry import registered
from leakjax.defend.sensitivity import diameter


@registered
def gaussian_mechanism(epsilon: float, delta: float) -> Defense:
    """Adds Gaussian noise, calibrated to the set of arrays that enters: (epsilon, delta)-differential privacy.

    Formal guarantee, for one release of the ideal mechanism: any two arrays that can enter are neighbours (this is
    *local* differential privacy of the explanation, whatever the training data are). sigma is the least one by the
    analytic Gaussian mechanism (Balle & Wang, arXiv 1805.06530), as dp-accounting computes it, times the L2 diameter
    of the entering set.

    Args:
      epsilon: above 0.
      delta: in (0, 1).

    Returns:
      The defense. Where its stage is applied, the entering set must be bounded: put clip_norm(1.0) before it.

    Raises:
      UsageError: if epsilon or delta is out of range; when it is applied, if the entering set is unbounded.
    """
    import dp_accounting  # here, for it takes as long as jax

    epsilon, delta = checked_epsilon(epsilon), checked_delta(delta)
    multiplier = float(dp_accounting.get_sigma_gaussian(epsilon, delta))
    name = f"gaussian_mechanism({epsilon!r}, {delta!r})"
    return claiming(noisy(name, Noise("gaussian", lambda domain: multiplier * _bounded(name, domain, 2))))


@registered
def laplace_mechanism(epsilon: float) -> Defense:
    """Adds Laplace noise, calibrated to the set of arrays that enters: epsilon-differential privacy.

    Formal guarantee, for one release of the ideal mechanism: as for `gaussian_mechanism`, with delta = 0. The scale is
    the L1 diameter of the entering set over epsilon (Dwork et al. 2006).

    Args:
      epsilon: above 0.

    Returns:
      The defense. Where its stage is applied, the entering set must be bounded: put clip_norm(1.0, norm=1) before it.

    Raises:
      UsageError: if epsilon is out of range; when it is applied, if the entering set is unbounded.
    """
    epsilon = checked_epsilon(epsilon)
    name = f"laplace_mechanism({epsilon!r})"
    return claiming(noisy(name, Noise("laplace", lambda domain: _bounded(name, domain, 1) / epsilon)))


def _bounded(name: str, domain: Domain, norm: float) -> Number:
    """The diameter of the entering set."""
    value = diameter(domain, norm=norm).value
    if _validate.is_concrete(value) and not value < float("inf"):
        raise _validate.fail("defense", name, "what enters it is unbounded: put clip_norm(1.0) before it")
    return value


def claiming(defense: Defense) -> Defense:
    """A mechanism that refuses attributions of less than float32, whose rounding no claim of privacy survives."""

    def apply(
        attribution: jax.Array, domain: Domain, *, key: jax.Array, x: jax.Array | None = None
    ) -> jax.Array:
        check_precision(defense, attribution)
        return defense.apply(attribution, domain, key=key, x=x)

    return defense._replace(apply=apply)


def check_precision(defense: Defense, attribution: jax.Array) -> None:
    """UsageError where an attribution of less than float32 enters what claims differential privacy."""
    if jnp.finfo(attribution.dtype).bits < 32:
        rule = f"{defense.name} claims differential privacy: convert the attribution to float32 before it"
        raise _validate.fail("attribution.dtype", str(attribution.dtype), rule)


def checked_epsilon(epsilon: float) -> float:
    """A budget above 0 that has a value; UsageError otherwise."""
    epsilon = real("epsilon", epsilon)
    if not _validate.is_concrete(epsilon):
        raise _validate.fail(
            "epsilon", "?", "must have a value when it is compiled: noise is calibrated before"
        )
    _validate.positive("epsilon", epsilon)
    return float(epsilon)


def checked_delta(delta: float) -> float:
    """A probability in (0, 1) that has a value; UsageError otherwise."""
    delta = real("delta", delta)
    if not _validate.is_concrete(delta) or not 0 < delta < 1:
        raise _validate.fail("delta", delta, "must be between 0 and 1, both excluded")
    return float(delta)
