"""A convolutional network on the raw map, in the manner of DeepLeak, learned on the maps of shadows.

Source: Ben Hmida, Sbeih, Hailemariam & Eshete, "DeepLeak" (arXiv 2601.03429). Their released code trains a MobileNetV2
with a sigmoid on attribution maps alone, of one shadow, and tests it on those of one target. Here the network is a
small one, and neither the choice of the epoch nor anything else looks at the target.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _validate
from leakjax.attack import networks
from leakjax.attack.registry import Attack, Lesson, Protocol, registered
from leakjax.attack.replies import Replies

_LAYERS = ("NHWC", "HWIO", "NHWC")


@registered
def convolutional(*, channels: int = 16, epochs: int = 8, protocol: Protocol = "shadows") -> Attack:
    """Three convolutions with strides, mean over places, one linear layer.

    Args:
      channels: of the first layer; the next have twice and four times as many.
      epochs: of training, the most; taken is the one that orders a held-out shadow best.
      protocol: see `Attack`.
    """
    _validate.at_least("channels", channels, 1)
    _validate.at_least("epochs", epochs, 1)

    def reduce(seen: Replies, membership: jax.Array, known: jax.Array, scored: jax.Array) -> jax.Array:
        return _as_image(seen.maps[scored])

    def init(key: jax.Array, maps: Any) -> dict[str, Any]:
        tall, wide, deep = maps.shape[1:]
        window = (min(3, tall), min(3, wide))
        depths = (deep, channels, 2 * channels, 4 * channels)
        keys = jax.random.split(key, len(depths))
        kernels = [
            jax.random.normal(k, (*window, a, b)) * jnp.sqrt(2 / (window[0] * window[1] * a))
            for k, a, b in zip(keys, depths[:-1], depths[1:], strict=False)
        ]
        last = networks.dense(keys[-1], (depths[-1], 1))
        return {"kernels": kernels, "biases": [jnp.zeros(depth) for depth in depths[1:]], "last": last}

    def apply(weights: dict[str, Any], maps: jax.Array) -> jax.Array:
        for place, (kernel, bias) in enumerate(zip(weights["kernels"], weights["biases"], strict=True)):
            strides = [2 if place and size > 1 else 1 for size in kernel.shape[:2]]
            maps = jax.lax.conv_general_dilated(maps, kernel, strides, "SAME", dimension_numbers=_LAYERS)
            maps = jax.nn.relu(maps + bias[None, None, None])
        return networks.forward(weights["last"], maps.mean(axis=(1, 2)))[:, 0]

    def fit(lesson: Lesson) -> networks.Trained:
        return networks.train(init, apply, lesson, epochs=epochs)

    def score(fitted: networks.Trained, reduced: Any) -> np.ndarray:
        return networks.say(apply, fitted, reduced)

    return Attack("convolutional", ("explanation",), reduce, fit, score, needs=("maps",), protocol=protocol)


def _as_image(maps: jax.Array) -> jax.Array:
    """[models, ...] as [models, height, width, channels]; features of no order lie side by side along the height."""
    if maps.ndim == 4:
        return maps
    return maps.reshape(*maps.shape[:2], 1, -1) if maps.ndim > 2 else maps.reshape(len(maps), -1, 1, 1)
