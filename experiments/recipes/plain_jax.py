# %% [markdown]
# # A network in plain JAX
#
# `leakjax.audit` asks for two things: a function from one model's variables and ONE example to logits, and the
# variables of at least 16 models, each trained on its own random half of the points, stacked along a first axis.
#
# Run it as it stands, `python -m experiments.recipes.plain_jax`, or open it in Jupyter, cell by cell.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import leakjax

MODELS, STEPS = 16, 150

points = leakjax.data.load("digits", points=600)
key = jax.random.key(0)
# A fair coin for every model and point says who is trained on what.
membership = np.asarray(leakjax.data.membership(key, np.arange(MODELS), len(points.x)))

# %% [markdown]
# ## The network


# %%
def start(key):
    first, second = jax.random.split(key)
    return {
        "first": {"w": jax.random.normal(first, (64, 32)) / 8, "b": jnp.zeros(32)},
        "second": {"w": jax.random.normal(second, (32, 10)) / 6, "b": jnp.zeros(10)},
    }


def logits_fn(variables, x):
    hidden = jax.nn.relu(x.reshape(-1) @ variables["first"]["w"] + variables["first"]["b"])
    return hidden @ variables["second"]["w"] + variables["second"]["b"]


# %% [markdown]
# ## The training: all models in one program


# %%
@jax.jit
@jax.vmap
def train(key, members):
    def loss(variables):
        logits = jax.vmap(logits_fn, (None, 0))(variables, jnp.asarray(points.x))
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.asarray(points.y))
        return jnp.sum(jnp.where(members, losses, 0.0)) / jnp.sum(members)

    def step(state, _):
        variables, memory = state
        updates, memory = optimizer.update(jax.grad(loss)(variables), memory)
        return (optax.apply_updates(variables, updates), memory), None

    optimizer, variables = optax.adam(1e-2), start(key)
    (variables, _), _ = jax.lax.scan(step, (variables, optimizer.init(variables)), length=STEPS)
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
leakjax.report.publish(report, "runs/plain_jax")
leakjax.report.show(report, "runs/plain_jax")
