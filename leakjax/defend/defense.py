"""A defense: pure functions over one attribution array, and how defenses compose."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax

from leakjax.defend.domain import Domain, Number


class Noise(NamedTuple):
    """The randomness of one stage.

    Attributes:
      kind: "gaussian" or "laplace" noise on every value; "mask": values are left out at random; "ties": noise that
        follows what the attribution repeats, of which no claim is made; "local": a mechanism whose releases'
        probabilities under any two arrays differ by a factor of e^epsilon at most.
      scale: scale(Domain) -> the standard deviation (gaussian), the scale (laplace) or the length of all noise (ties),
        in the unit of the attribution, given the set that enters; the epsilon of a local one; unused by a mask.
    """

    kind: str
    scale: Callable[[Domain], Number]


class Apply(Protocol):
    """What a defense does."""

    def __call__(
        self, attribution: jax.Array, domain: Domain, /, *, key: jax.Array, x: jax.Array | None = None
    ) -> jax.Array:
        """One attribution as it may be shown.

        Args:
          attribution: one attribution, any shape.
          domain: the set that it is known to lie in.
          key: a typed key, of this attribution alone.
          x: the query that is explained, for the transforms that need it.
        """


class Explains(Protocol):
    """An explainer of one example, as `leakjax.explain.Explainer` says."""

    def __call__(
        self, variables: Any, x: jax.Array, target: Any, /, *, key: jax.Array, segments: Any = None
    ) -> jax.Array:
        """The attribution of one example."""


class Defense(NamedTuple):
    """What is done to one attribution before anybody sees it.

    Attributes:
      name: canonical text; `parse` reads it back if all hyperparameters have values and nothing is lifted.
      apply: apply(attribution, domain, *, key, x=None) -> attribution; `domain` is the set that can come in, `x`
        the query that is explained, for the transforms that need it.
      domain: domain(Domain) -> Domain, the set that can come out, given the set that can come in.
      noise: what randomness it draws, None if none: a sensitivity is that of the stages before the first that does.
      stages: what a chain runs, first to last; None for a single stage.
      preimage: preimage(released, domain, x) -> attribution that this stage turns into `released`, as nearly as there
        is one; it leads a witness of a sensitivity back to raw attributions. None where each array that can come
        out is its own preimage.
      lipschitz: lipschitz(domain, norm) -> by how much it stretches a distance in the norm at most; None where there
        is no bound, or none is known.
    """

    name: str
    apply: Apply
    domain: Callable[[Domain], Domain]
    noise: Noise | None = None
    stages: tuple["Defense", ...] | None = None
    preimage: Callable[[jax.Array, Domain, jax.Array | None], jax.Array] | None = None
    lipschitz: Callable[[Domain, float], Number] | None = None


def stages(defense: Defense) -> tuple[Defense, ...]:
    """The single stages of a defense, first to last; none for the identity."""
    return (defense,) if defense.stages is None else defense.stages


def chain(*defenses: Defense) -> Defense:
    """Composes defenses; the first listed applies first.

    Chains inside chains are flattened and the identity vanishes: `chain(chain(a, b), c)` draws the noise of
    `chain(a, b, c)`, and `chain(a)` is `a`.

    Args:
      *defenses: the stages; none gives the identity.

    Returns:
      The composition. Stage number i gets the key folded with i and the domain that stages 0..i-1 leave.
    """
    parts = tuple(stage for defense in defenses for stage in stages(defense))
    if len(parts) == 1:
        return parts[0]

    def apply(
        attribution: jax.Array, domain: Domain, *, key: jax.Array, x: jax.Array | None = None
    ) -> jax.Array:
        for number, stage in enumerate(parts):
            attribution = stage.apply(attribution, domain, key=jax.random.fold_in(key, number), x=x)
            domain = stage.domain(domain)
        return attribution

    def out(domain: Domain) -> Domain:
        for stage in parts:
            domain = stage.domain(domain)
        return domain

    name = "+".join(stage.name for stage in parts) or "none"
    noise = next((stage.noise for stage in parts if stage.noise is not None), None)
    return Defense(name, apply, out, noise=noise, stages=parts)


def identity() -> Defense:
    """The defense that releases the attribution as it is."""
    return chain()


def lift(
    name: str, fn: Callable[[jax.Array], jax.Array], domain: Callable[[Domain], Domain] | None = None
) -> Defense:
    """Makes a defense of a plain function of one attribution.

    Args:
      name: how reports call it.
      fn: attribution -> attribution, traceable; it may change the shape.
      domain: the set that can come out, given the set that comes in; without it, anything may come out.
        Either way no later bound is claimed to be exact, since it is not known which inputs reach it.

    Returns:
      The defense.
    """

    def anything(entering: Domain) -> Domain:
        return Domain(jax.eval_shape(fn, jax.ShapeDtypeStruct(entering.shape, "float32")).shape)

    def out(entering: Domain) -> Domain:
        return dataclasses.replace((domain or anything)(entering), exact=False)

    return Defense(name, lambda attribution, domain, *, key, x=None: fn(attribution), out)
