r"""One image under every method, as one PNG.

Trains a small convolutional network on the handwritten digits that scikit-learn ships, explains one of them
by every row of EXPLAINERS, and writes the maps beside the digit: red speaks for the class, blue against it,
each on its own scale. The costly methods work on a 4 x 4 grid of segments.

  python -m experiments.gallery --output=gallery.png

About a minute on 2 cores.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import optax
from absl import flags
from sklearn.datasets import load_digits

from leakjax.explain import EXPLAINERS, grid

from . import _main

matplotlib.use("agg")
from matplotlib import pyplot as plt

POINT = 3  # a digit that is not trained on, nor in the background
TRAINED = slice(100, None)
STEPS = 300
BATCH = 128

_OUTPUT = flags.DEFINE_string("output", "gallery.png", "The PNG to write.")


class Net(nn.Module):
    """Two convolutions, a pooling and a dense layer."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Logits of one image or a batch."""
        hidden = nn.relu(nn.Conv(16, (3, 3))(x))
        hidden = nn.relu(nn.Conv(32, (3, 3))(hidden))
        hidden = nn.max_pool(hidden, (2, 2), (2, 2))
        return nn.Dense(10)(hidden.reshape(*hidden.shape[:-3], -1))


def trained(xs: np.ndarray, ys: np.ndarray) -> dict:
    """The network's variables after a short training."""
    model, optimiser = Net(), optax.adam(3e-3)
    variables = jax.jit(model.init)(jax.random.key(0), xs[0])

    def loss(variables: dict, x: jax.Array, y: jax.Array) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(model.apply(variables, x), y).mean()

    @jax.jit
    def step(variables: dict, state: optax.OptState, x: jax.Array, y: jax.Array) -> tuple:
        updates, state = optimiser.update(jax.grad(loss)(variables, x, y), state)
        return optax.apply_updates(variables, updates), state

    state = optimiser.init(variables)
    rng = np.random.default_rng(0)
    for _ in range(STEPS):
        rows = rng.choice(len(xs), BATCH)
        variables, state = step(variables, state, xs[rows], ys[rows])
    return variables


def maps_of(variables: dict, x: np.ndarray, target: int, background: np.ndarray) -> dict[str, np.ndarray]:
    """The attribution of one image by every method."""
    found = {}
    for name, method in EXPLAINERS.items():
        options = {"background": background} if method.needs_background else {}
        explain = method.factory(lambda variables, x: jnp.asarray(Net().apply(variables, x)), **options)
        segments = grid(x.shape, 4) if method.masks else None
        found[name] = np.asarray(
            jax.jit(
                lambda x, key, explain=explain, segments=segments: explain(
                    variables, x, target, key=key, segments=segments
                )
            )(x, jax.random.key(1))
        )
    return found


def main(values: flags.FlagValues) -> int:
    """Trains, explains and draws."""
    digits = load_digits()
    xs = (digits.images[..., None] / 16).astype(np.float32)
    variables = trained(xs[TRAINED], digits.target[TRAINED].astype(np.int32))
    x = xs[POINT]
    target = int(np.argmax(np.asarray(Net().apply(variables, x))))
    maps = maps_of(variables, x, target, xs[10:74])
    columns = 6
    figure, axes = plt.subplots(
        -(-(len(maps) + 1) // columns), columns, figsize=(11, 8.4), layout="constrained"
    )
    for axis in axes.flat:
        axis.axis("off")
    axes.flat[0].imshow(x[..., 0], cmap="gray")
    axes.flat[0].set_title(f"a digit, taken for {target}", fontsize=9)
    for axis, (name, found) in zip(axes.flat[1:], maps.items(), strict=False):
        most = np.abs(found).max()
        axis.imshow(found.sum(-1), cmap="RdBu_r", vmin=-most, vmax=most)
        axis.set_title(name, fontsize=9)
    figure.savefig(_OUTPUT.value, dpi=110)
    print(f"{len(maps)} methods in {_OUTPUT.value}")
    return _main.DONE


if __name__ == "__main__":
    _main.launch(main, devices=False)
