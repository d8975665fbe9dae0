"""Named numbers of a reply: loss, confidence and entropy of a prediction, norms of a map, and any of the user's own."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from leakjax.attack.map_signals import MAP_SIGNALS, map_signals
from leakjax.attack.replies import Replies, View


class Reader(NamedTuple):
    """How one number is read off the replies at one point.

    Attributes:
      needs: names of the parts of `Replies` that it looks at; a number of maps is needed under its own name.
      view: what it belongs to.
      sign: whether training makes it larger (1) or smaller (-1).
      read: from the replies at one point to [models]; NaN where a reply has no such number.
    """

    needs: tuple[str, ...]
    view: View
    sign: float
    read: Callable[[Replies], jax.Array]


def named_class(replies: Replies) -> jax.Array:
    """The class that the attacker takes for the true one: int [models], the predicted one where it is not known."""
    predicted = jnp.argmax(replies.log_probabilities, axis=-1)
    return predicted if replies.label is None else jnp.broadcast_to(replies.label, predicted.shape)


def log_probability(logs: jax.Array, classes: jax.Array) -> jax.Array:
    """The log-probability [...] of `classes` int [...] among `logs` [..., classes]."""
    return jnp.take_along_axis(logs, classes[..., None], axis=-1)[..., 0]


def log_odds(logs: jax.Array, classes: jax.Array) -> jax.Array:
    """log(p / (1 - p)) of `classes` int [...] among log-probabilities [..., classes], stable where p rounds to 1."""
    own = jax.nn.one_hot(classes, logs.shape[-1], dtype=bool)
    return log_probability(logs, classes) - jax.nn.logsumexp(jnp.where(own, -jnp.inf, logs), axis=-1)


def _entropy(replies: Replies) -> jax.Array:
    logs = replies.log_probabilities
    return -jnp.sum(jnp.where(jnp.isneginf(logs), 0.0, jnp.exp(logs) * logs), axis=-1)


def _correct(replies: Replies) -> jax.Array:
    logs = replies.log_probabilities
    right = jnp.argmax(logs, axis=-1) == named_class(replies)
    return jnp.where(jnp.isnan(logs).any(axis=-1), jnp.nan, right.astype(logs.dtype))


def _confidence(replies: Replies) -> jax.Array:
    # Ordered as probabilities are, and apart where they round to 1.
    logs = replies.log_probabilities
    return log_odds(logs, jnp.argmax(logs, axis=-1))


def _of_map(place: int) -> Callable[[Replies], jax.Array]:
    def read(replies: Replies) -> jax.Array:
        if replies.maps is None:
            return (replies.signals or {})[OF_MAPS[place]]
        x = jnp.zeros((1, 0)) if replies.x is None else replies.x[None]
        return map_signals(replies.maps[:, None], x)[:, 0, place]

    return read


# Names of the numbers of a map. Whoever has read them off the maps may give them as signals in place of these.
OF_MAPS = tuple(f"map_{name}" for name in MAP_SIGNALS)
_LOGS, _LABEL = "log_probabilities", "label"
_READERS = {
    "odds": Reader(
        (_LOGS,), "prediction", 1, lambda seen: log_odds(seen.log_probabilities, named_class(seen))
    ),
    "loss": Reader(
        (_LOGS,), "prediction", -1, lambda seen: -log_probability(seen.log_probabilities, named_class(seen))
    ),
    "confidence": Reader((_LOGS,), "prediction", 1, _confidence),
    "entropy": Reader((_LOGS,), "prediction", -1, _entropy),
    "correct": Reader((_LOGS, _LABEL), "prediction", 1, _correct),
} | {
    # Shokri, Strobel & Zick find norms and the variance of gradients smaller for members (section 4.3).
    name: Reader((name,), "explanation", -1, _of_map(place))
    for place, name in enumerate(OF_MAPS)
}
SIGNALS = tuple(_READERS)


def reader(name: str) -> Reader:
    """The reader of a named number; a name that is not in `SIGNALS` is one of `Replies.signals`, taken for larger."""
    if name in _READERS:
        return _READERS[name]
    return Reader(
        (f"signals[{name}]",),
        "prediction",
        1,
        lambda seen: seen.signals[name],  # type: ignore[index]  # `run` has looked
    )
