# %% [markdown]
# # A flax.linen module
#
# `apply` is a pure function of variables and input already; what remains is to give it ONE example and to turn
# dropout and batch statistics to evaluation mode.

# %%
import flax.linen as nn
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
class Network(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        x = nn.relu(nn.Dense(32)(x.reshape(-1)))
        x = nn.Dropout(0.2, deterministic=not train)(x)
        return nn.Dense(10)(x)


network = Network()


def logits_fn(variables, x):
    return network.apply(variables, x, train=False)  # members and others alike


# %% [markdown]
# ## The training: all models in one program


# %%
@jax.jit
@jax.vmap
def train(key, members):
    x, y = jnp.asarray(points.x), jnp.asarray(points.y)

    def loss(variables, key):
        forward = lambda x, key: network.apply(variables, x, train=True, rngs={"dropout": key})
        losses = optax.softmax_cross_entropy_with_integer_labels(
            jax.vmap(forward)(x, jax.random.split(key, len(x))), y
        )
        return jnp.sum(jnp.where(members, losses, 0.0)) / jnp.sum(members)

    def step(state, key):
        variables, memory = state
        updates, memory = optimizer.update(jax.grad(loss)(variables, key), memory)
        return (optax.apply_updates(variables, updates), memory), None

    optimizer, variables = optax.adam(1e-2), network.init(key, x[0], train=False)
    keys = jax.random.split(jax.random.fold_in(key, 1), STEPS)
    (variables, _), _ = jax.lax.scan(step, (variables, optimizer.init(variables)), keys)
    return variables


variables = train(jax.random.split(jax.random.fold_in(key, 1), MODELS), membership)

# %% [markdown]
# ## One explanation: what the first model sees in the first point

# %%
first = jax.tree.map(lambda leaf: leaf[0], variables)
found = leakjax.explain.lrp(logits_fn)(first, points.x[0], points.y[0])
leakjax.explain.show(points.x[0], found, axes=plt.subplots()[1], title=f"digit {points.y[0]}")

# %% [markdown]
# ## The audit

# %%
report = leakjax.audit(
    logits_fn,
    leakjax.shadow.from_arrays(variables, membership),
    points,
    explainers=["gradient"],
    defenses=["none", "clip_norm(1.0)+gaussian_noise(0.25)"],
    key=jax.random.fold_in(key, 2),
)
leakjax.report.publish(report, "runs/flax_linen")
leakjax.report.show(report, "runs/flax_linen")
