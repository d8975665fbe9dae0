"""The attack network of Shokri, Strobel & Zick: a sub-network for each thing that the attacker sees, joined.

Source: "On the Privacy Risks of Model Explanations" (AIES 2021, arXiv 1907.00164), section 4.2 and appendix A, figure
11. They train it on half of the target's own points; here it learns on shadows unless "known_half" is asked for.
"""

from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _validate
from leakjax.attack import networks
from leakjax.attack.registry import Attack, Lesson, Protocol, registered
from leakjax.attack.replies import Replies, View

Information = Literal["label", "explanation", "prediction", "both", "explanation_and_label"]
# What each information set holds beside the predicted label, and the view that it is.
_SETS: dict[str, tuple[tuple[str, ...], View]] = {
    "label": ((), "prediction"),
    "explanation": (("map",), "explanation"),
    "prediction": (("vector",), "prediction"),
    "both": (("vector", "map"), "both"),
    "explanation_and_label": (("true_label", "map"), "both"),
}
_NARROW, _WIDE = (512, 64), (1024, 512, 64)
_HIDDEN = {"predicted_label": _NARROW, "true_label": _NARROW, "vector": _WIDE, "map": _WIDE}
_NEEDS = {"true_label": "label", "map": "maps"}


@registered
def neural(*, information: Information = "both", protocol: Protocol = "shadows", epochs: int = 15) -> Attack:
    """The attack network on one of the five information sets.

    Args:
      information: what is seen beside the predicted label: nothing ("label"), the "explanation", the vector of the
        "prediction", "both", or the "explanation_and_label", the true one.
      protocol: see `Attack`.
      epochs: of training, the most; taken is the one that orders a held-out shadow best.
    """
    _validate.at_least("epochs", epochs, 1)
    also, view = _SETS[information]
    parts = ("predicted_label", *also)

    def reduce(seen: Replies, membership: jax.Array, known: jax.Array, scored: jax.Array) -> Any:
        logs = seen.log_probabilities[scored]
        classes = logs.shape[-1]
        told = jnp.isfinite(logs).any(axis=-1, keepdims=True)
        made: dict[str, Any] = {
            "predicted_label": jnp.where(told, jax.nn.one_hot(jnp.argmax(logs, axis=-1), classes), jnp.nan)
        }
        if "true_label" in parts:
            of_point = jax.nn.one_hot(seen.label, classes)
            made["true_label"] = jnp.broadcast_to(of_point[None], logs.shape)
        if "vector" in parts:
            made["vector"] = jnp.exp(logs)
        if "map" in parts:
            made["map"] = seen.maps[scored].reshape(len(scored), -1)
        return made

    def init(key: jax.Array, inputs: dict[str, Any]) -> dict[str, networks.Layers]:
        keys = dict(zip((*parts, "joined"), jax.random.split(key, len(parts) + 1), strict=True))
        sub = {part: networks.dense(keys[part], (inputs[part].shape[-1], *_HIDDEN[part])) for part in parts}
        # 256 where all four are there: 64 of each.
        return {**sub, "joined": networks.dense(keys["joined"], (64 * len(parts), 64, 1))}

    def apply(weights: dict[str, networks.Layers], inputs: dict[str, Any]) -> jax.Array:
        each = [jax.nn.relu(networks.forward(weights[part], inputs[part])) for part in parts]
        return networks.forward(weights["joined"], jnp.concatenate(each, axis=-1))[:, 0]

    def fit(lesson: Lesson) -> networks.Trained:
        return networks.train(init, apply, lesson, epochs=epochs)

    def score(fitted: networks.Trained, reduced: Any) -> np.ndarray:
        return networks.say(apply, fitted, reduced)

    needs = ("log_probabilities", *(_NEEDS[part] for part in also if part in _NEEDS))
    return Attack("neural", (view,), reduce, fit, score, needs=needs, protocol=protocol)
