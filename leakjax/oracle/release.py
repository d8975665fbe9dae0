"""The release policy of a service: what it shows of a prediction, and which explanations beside it."""

import dataclasses
import re
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from leakjax import _validate

PREDICTIONS = ("none", "label", "top(k)", "confidence(digits)", "vector")
EXPLAINED_CLASSES = ("predicted", "true", "asked", "reference")
DEFAULT = ("label", "confidence(1)", "vector")
_MOST_DIGITS = 6


class PredictionPart(NamedTuple):
    """What is shown of a prediction.

    Attributes:
      kind: "none", "label", "top", "confidence" or "vector".
      number: of classes for "top", of decimals for "confidence", else 0.
    """

    kind: str
    number: int = 0

    @property
    def name(self) -> str:
        """As flags and reports write it."""
        return f"{self.kind}({self.number})" if self.kind in ("top", "confidence") else self.kind


def prediction_part(text: str) -> PredictionPart:
    """Reads the prediction part of a release.

    Args:
      text: one of `PREDICTIONS`, with numbers, as in "top(3)" or "confidence(1)".

    Returns:
      The part.

    Raises:
      UsageError: the text is anything else.
    """
    bare = text.strip()
    if bare in ("none", "label", "vector"):
        return PredictionPart(bare)
    found = re.fullmatch(r"(top|confidence)\(\s*(\d+)\s*\)", bare)
    if not found:
        raise _validate.fail("releases", text, f"must be one of {', '.join(PREDICTIONS)}")
    part = PredictionPart(found[1], int(found[2]))
    _validate.at_least(part.kind, part.number, 1)
    if part.kind == "confidence" and part.number > _MOST_DIGITS:
        raise _validate.fail(
            "releases", text, f"confidence has at most {_MOST_DIGITS} decimals; use vector for all"
        )
    return part


@dataclasses.dataclass(frozen=True)
class ExplanationPart:
    """One explanation that is shown beside a prediction.

    Attributes:
      explainer: its name, or an explainer of one example.
      explained_class: whose output is explained. "predicted" by each model itself; the "true" one; "asked": all
        classes, each a query; "reference": the vote of models that are not the target.
      defense: what the map passes through before it is shown, a text or a `Defense`.
    """

    explainer: Any
    explained_class: str = "predicted"
    defense: Any = "none"

    def __post_init__(self) -> None:
        _validate.one_of("explained_class", self.explained_class, EXPLAINED_CLASSES)


@dataclasses.dataclass(frozen=True)
class Release:
    """What a service lets out for one query.

    Attributes:
      prediction: one of `PREDICTIONS`.
      explanations: one or several explanations; none: predictions alone.
      explained_by: the models that answer explanations, where that is not the target: variables, leaves [models, ...].
    """

    prediction: str = "vector"
    explanations: tuple[ExplanationPart, ...] = ()
    explained_by: Any = None

    def __post_init__(self) -> None:
        _ = self.part
        if self.explained_by is not None and not self.explanations:
            raise _validate.fail("explained_by", "given", "means nothing without an explanation")

    @property
    def part(self) -> PredictionPart:
        """The prediction part, read."""
        return prediction_part(self.prediction)

    @property
    def queries(self) -> int:
        """How many explanations one query answers, beside the prediction (an "asked" one counts once a class)."""
        return len(self.explanations)


class Shown(NamedTuple):
    """What is shown of one prediction; all of it is empty for "none".

    Attributes:
      classes: int32 [shown], most probable first; one class but for "top" and "vector".
      probabilities: [shown]; rounded for "confidence", empty for "label". Of "vector" log-probabilities of every
        class in the order of the classes, so that none is lost by rounding.
    """

    classes: jax.Array
    probabilities: jax.Array


def show(part: PredictionPart, logits: jax.Array) -> Shown:
    """What a service shows of one prediction, and nothing else of it.

    Args:
      part: the prediction part of its release.
      logits: [classes].

    Returns:
      `Shown`.
    """
    log_probability = jax.nn.log_softmax(logits)
    nothing = jnp.zeros((0,), log_probability.dtype)
    predicted = jnp.argmax(logits)[None].astype(jnp.int32)
    match part.kind:
        case "none":
            return Shown(jnp.zeros((0,), jnp.int32), nothing)
        case "label":
            return Shown(predicted, nothing)
        case "confidence":
            steps = 10**part.number
            return Shown(predicted, jnp.round(jnp.exp(log_probability.max()) * steps)[None] / steps)
        case "top":
            values, classes = jax.lax.top_k(log_probability, min(part.number, len(logits)))
            return Shown(classes.astype(jnp.int32), jnp.exp(values))
        case _:
            return Shown(jnp.arange(len(logits), dtype=jnp.int32), log_probability)
