# %% [markdown]
# # A Haiku module
#
# `hk.transform` makes pure functions of a module; the one for evaluation needs no randomness.

# %%
import haiku as hk
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
def forward(x, *, train):
    x = jax.nn.relu(hk.Linear(32)(x.reshape(-1)))
    if train:
        x = hk.dropout(hk.next_rng_key(), 0.2, x)
    return hk.Linear(10)(x)


network = hk.transform(forward)


def logits_fn(parameters, x):
    return network.apply(parameters, None, x, train=False)


# %% [markdown]
# ## The training: all models in one program


# %%
@jax.jit
@jax.vmap
def train(key, members):
    x, y = jnp.asarray(points.x), jnp.asarray(points.y)

    def loss(parameters, key):
        logits = jax.vmap(lambda x, key: network.apply(parameters, key, x, train=True))(
            x, jax.random.split(key, len(x))
        )
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, y)
        return jnp.sum(jnp.where(members, losses, 0.0)) / jnp.sum(members)

    def step(state, key):
        parameters, memory = state
        updates, memory = optimizer.update(jax.grad(loss)(parameters, key), memory)
        return (optax.apply_updates(parameters, updates), memory), None

    optimizer, parameters = optax.adam(1e-2), network.init(key, x[0], train=False)
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
leakjax.report.publish(report, "runs/haiku_module")
leakjax.report.show(report, "runs/haiku_module")
