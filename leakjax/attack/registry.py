"""An attack as a value: what it sees, how it reduces a point, learns and scores; and the attacks by name."""

import functools
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeVar, cast

import jax
import numpy as np

from leakjax import _spec, _validate
from leakjax.attack.replies import Replies, View

Protocol = Literal["shadows", "known_half"]


class Least(NamedTuple):
    """How many in- and how many out-models of known membership a score must rest on."""

    inside: int = 0
    outside: int = 0


class Lesson(NamedTuple):
    """What may be learned from before the targets of one group are scored. No target's membership is in it.

    Attributes:
      reduced: what `Attack.reduce` left of shadows in the role of targets, leaves [points, shadows, ...].
      member: bool [points, shadows].
      valid: bool [points, shadows]; the others must not be learned from.
      targets: what it left of the targets themselves, leaves [points, targets, ...], where `Attack.population` asks.
      key: of all randomness.
    """

    reduced: Any
    member: np.ndarray
    valid: np.ndarray
    targets: Any
    key: jax.Array


def learns_nothing(lesson: Lesson) -> None:
    """The `fit` of an attack that has nothing to learn."""


def as_reduced(fitted: Any, reduced: np.ndarray) -> np.ndarray:
    """The `score` of an attack whose `reduce` says it already."""
    return reduced


class Attack(NamedTuple):
    """A membership attack.

    Attributes:
      name: canonical text that `parse` reads back.
      views: what it looks at.
      reduce: (replies at one point, membership bool [models], known bool [pairs, models], scored int [pairs]) -> a
        tree with leaves [pairs, ...]. It runs on the device, and what it says of a pair may depend on no membership
        that is not `known` there: models of unknown membership enter with the weight zero, they are not subtracted.
      fit: from a `Lesson` to whatever `score` wants.
      score: (what was learned, a tree with leaves [points, targets, ...]) -> float [points, targets], higher = member;
        NaN where the target did not answer.
      needs: names of the parts of `Replies` that it looks at.
      least: models that a score must rest on; other points are dropped and counted.
      population: whether it learns from the targets' own replies at other points.
      protocol: "shadows" learns on shadows in the role of targets; "known_half" on one half of the target's own
        points, of which the attacker is given the membership, and scores the other half: never a headline.
    """

    name: str
    views: tuple[View, ...]
    reduce: Callable[[Replies, jax.Array, jax.Array, jax.Array], Any]
    fit: Callable[[Lesson], Any] = learns_nothing
    score: Callable[[Any, Any], np.ndarray] = as_reduced
    needs: tuple[str, ...] = ()
    least: Least = Least()
    population: bool = False
    protocol: Protocol = "shadows"


# What others call our attacks, for hints alone.
_ALIASES = {
    "shokri": "neural",
    "deepleak": "convolutional",
    "watson": "difference",
    "attackr": "attack_r",
    "varlrt": "map_ratio",
    "l1lrt": "map_ratio",
    "liu": "trajectories",
    "loss": "threshold",
    "confidence": "threshold",
    "attributionnorm": "threshold",
    "calibrateddifference": "difference",
}


class Streamed(NamedTuple):
    """An attack that a study runs itself while it explains, on every view and every release at once.

    Attributes:
      name: canonical text that `parse` reads back.
    """

    name: str


AnyAttack = Attack | Streamed
ATTACKS: _spec.Registry[Callable[..., AnyAttack]] = _spec.Registry("attacks", _ALIASES)
# What is reported by default; the first one leads.
DEFAULT_ATTACKS = (
    "stacked",
    "threshold(signal='loss')",
    "threshold(signal='confidence')",
    "threshold(signal='map_log_l1')",
)

Factory = TypeVar("Factory", bound=Callable[..., AnyAttack])


def registered(factory: Factory) -> Factory:
    """Registers the factory below it under its own name; what it makes is named as `parse` would name it."""

    @functools.wraps(factory)
    def named(**options: Any) -> AnyAttack:
        return factory(**options)._replace(name=str(_spec.Call(factory.__name__, (), options)))

    ATTACKS.add(factory.__name__, named)
    return cast(Factory, named)


def parse(text: str) -> AnyAttack:
    """Reads an attack from text, as flags and reports write it: "lira(online=False)", or "package.module:name".

    Raises:
      UsageError: the text is anything else, a name is unknown or an option is wrong.
    """
    call = _spec.read("attacks", text)
    factory = ATTACKS.find(call.name)
    options = _spec.bind("attacks", call, factory)
    found = factory(**options)
    if not isinstance(found, AnyAttack):
        raise _validate.fail("attacks", text, f"must return an Attack, not a {type(found).__name__}")
    return found._replace(name=str(_spec.Call(call.name, (), options)))


def describe() -> list[str]:
    """Every attack with its options and their defaults, as --help lists them."""
    return [_spec.describe(name, factory) for name, factory in ATTACKS.items()]
