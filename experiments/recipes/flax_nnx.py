# %% [markdown]
# # A flax.nnx module
#
# An nnx model holds its own state. `nnx.split` takes it apart: the parameters, which are trained and stacked, and the
# rest, which all models share. `eval()` before the split turns dropout and batch norm to evaluation mode, and
# `copy=True` gives every merge a state of its own: without it a model that writes into its state while it runs, as a
# recurrent layer does, ends in flax's error. It silences flax's error of training mode too, so `eval()` comes first.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from flax import nnx

import leakjax

MODELS, STEPS = 16, 150

points = leakjax.data.load("digits", points=600)
key = jax.random.key(0)
membership = np.asarray(leakjax.data.membership(key, np.arange(MODELS), len(points.x)))


# %%
class Network(nnx.Module):
    def __init__(self, rngs):
        self.first = nnx.Linear(64, 32, rngs=rngs)
        self.dropout = nnx.Dropout(0.2)
        self.second = nnx.Linear(32, 10, rngs=rngs)

    def __call__(self, x, rngs=None):
        x = nnx.relu(self.first(x.reshape(-1)))
        return self.second(self.dropout(x, rngs=rngs))


example = Network(nnx.Rngs(0))
example.eval()
evaluating, _, rest = nnx.split(example, nnx.Param, ...)
example.train()
training, _, _ = nnx.split(example, nnx.Param, ...)


def logits_fn(parameters, x):
    return nnx.merge(evaluating, parameters, rest, copy=True)(x)


# %% [markdown]
# ## The training: all models in one program


# %%
@jax.jit
@jax.vmap
def train(key, members):
    x, y = jnp.asarray(points.x), jnp.asarray(points.y)

    def loss(parameters, key):
        def forward(x, key):
            return nnx.merge(training, parameters, rest, copy=True)(x, nnx.Rngs(dropout=key))

        logits = jax.vmap(forward)(x, jax.random.split(key, len(x)))
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, y)
        return jnp.sum(jnp.where(members, losses, 0.0)) / jnp.sum(members)

    def step(state, key):
        parameters, memory = state
        updates, memory = optimizer.update(jax.grad(loss)(parameters, key), memory)
        return (optax.apply_updates(parameters, updates), memory), None

    optimizer = optax.adam(1e-2)
    parameters = nnx.state(Network(nnx.Rngs(params=key)), nnx.Param)
    keys = jax.random.split(jax.random.fold_in(key, 1), STEPS)
    (parameters, _), _ = jax.lax.scan(step, (parameters, optimizer.init(parameters)), keys)
    return parameters


parameters = train(jax.random.split(jax.random.fold_in(key, 1), MODELS), membership)

# %% [markdown]
# ## One explanation: what the first model sees in the first point

# %%
first = jax.tree.map(lambda leaf: leaf[0], parameters)
found = leakjax.explain.lrp(logits_fn)(first, points.x[0], points.y[0])
leakjax.explain.show(points.x[0], found, axes=plt.subplots()[1], title=f"digit {points.y[0]}")

# %% [markdown]
# ## The audit

# %%
report = leakjax.audit(
    logits_fn,
    leakjax.shadow.from_arrays(parameters, membership),
    points,
    explainers=["gradient"],
    defenses=["none", "clip_norm(1.0)+gaussian_noise(0.25)"],
    key=jax.random.fold_in(key, 2),
)
leakjax.report.publish(report, "runs/flax_nnx")
leakjax.report.show(report, "runs/flax_nnx")
