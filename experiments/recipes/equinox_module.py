# %% [markdown]
# # An Equinox module
#
# A module is a pytree of arrays and of what is not: `eqx.partition` takes them apart, the arrays of all models are
# stacked, and `eqx.combine` puts one model together again. `inference_mode` turns dropout off.

# %%
import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import leakjax

MODELS, STEPS = 16, 150

points = leakjax.data.load("digits", points=600)
key = jax.random.key(0)
membership = np.asarray(leakjax.data.membership(key, np.arange(MODELS), len(points.x)))


# %%
class Network(eqx.Module):
    first: eqx.nn.Linear
    dropout: eqx.nn.Dropout
    second: eqx.nn.Linear

    def __init__(self, key):
        first, second = jax.random.split(key)
        self.first = eqx.nn.Linear(64, 32, key=first)
        self.dropout = eqx.nn.Dropout(0.2)
        self.second = eqx.nn.Linear(32, 10, key=second)

    def __call__(self, x, key=None):
        return self.second(self.dropout(jax.nn.relu(self.first(x.reshape(-1))), key=key))


_, training = eqx.partition(Network(key), eqx.is_array)
_, evaluating = eqx.partition(eqx.nn.inference_mode(Network(key)), eqx.is_array)


def logits_fn(arrays, x):
    return eqx.combine(arrays, evaluating)(x)


# %% [markdown]
# ## The training: all models in one program


# %%
@jax.jit
@jax.vmap
def train(key, members):
    x, y = jnp.asarray(points.x), jnp.asarray(points.y)

    def loss(arrays, key):
        logits = jax.vmap(eqx.combine(arrays, training))(x, jax.random.split(key, len(x)))
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, y)
        return jnp.sum(jnp.where(members, losses, 0.0)) / jnp.sum(members)

    def step(state, key):
        arrays, memory = state
        updates, memory = optimizer.update(jax.grad(loss)(arrays, key), memory)
        return (optax.apply_updates(arrays, updates), memory), None

    optimizer, arrays = optax.adam(1e-2), eqx.filter(Network(key), eqx.is_array)
    keys = jax.random.split(jax.random.fold_in(key, 1), STEPS)
    (arrays, _), _ = jax.lax.scan(step, (arrays, optimizer.init(arrays)), keys)
    return arrays


arrays = train(jax.random.split(jax.random.fold_in(key, 1), MODELS), membership)

# %% [markdown]
# ## One explanation: what the first model sees in the first point

# %%
first = jax.tree.map(lambda leaf: leaf[0], arrays)
found = leakjax.explain.lrp(logits_fn)(first, points.x[0], points.y[0])
leakjax.explain.show(points.x[0], found, axes=plt.subplots()[1], title=f"digit {points.y[0]}")

# %% [markdown]
# ## The audit

# %%
report = leakjax.audit(
    logits_fn,
    leakjax.shadow.from_arrays(arrays, membership),
    points,
    explainers=["gradient"],
    defenses=["none", "clip_norm(1.0)+gaussian_noise(0.25)"],
    key=jax.random.fold_in(key, 2),
)
leakjax.report.publish(report, "runs/equinox_module")
leakjax.report.show(report, "runs/equinox_module")
