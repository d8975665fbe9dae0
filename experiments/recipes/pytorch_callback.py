# %% [markdown]
# # A PyTorch network in `audit`
#
# JAX cannot trace PyTorch, but it can call it: `jax.pure_callback` for the logits, and a rule that asks PyTorch's
# own autograd for the gradient. All methods that need no more than logits and input gradients then apply. Those that
# re-interpret the network's operations (LRP, DeepLIFT, class activation maps) do not, and say so.
#
# The variables that `audit` handles are the numbers of the networks; PyTorch keeps the weights.

# %%
import jax
import jax.numpy as jnp
import numpy as np
import torch

import leakjax
from leakjax.auditing import Budget

MODELS, STEPS, RATE = 16, 150, 0.5
torch.set_num_threads(1)  # networks as small as these wait for each other's threads

points = leakjax.data.load("digits", points=400)
key = jax.random.key(0)
membership = np.asarray(leakjax.data.membership(key, np.arange(MODELS), len(points.x)))


# %%
def network(seed):
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10)
    )


def trained(seed, members):
    model = network(seed)
    x, y = torch.tensor(points.x[members]), torch.tensor(points.y[members], dtype=torch.long)
    for _ in range(STEPS):  # full batches, no optimiser: the point here is the audit
        model.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        with torch.no_grad():
            for weight in model.parameters():
                weight -= RATE * weight.grad
    return model.eval()


# The trained ones, and after them as many that saw nothing, for a control.
networks = [trained(model, members) for model, members in enumerate(membership)]
networks += [network(MODELS + model).eval() for model in range(MODELS)]

# %% [markdown]
# ## Logits and gradients by callback
#
# Inside the audit thousands of pairs of a network and an example come at once; each network runs on all of its own.


# %%
def by_network(number, x, run):
    """Runs `run(network, rows)` for each network on its rows of x: [..., features] -> [..., what it returns]."""
    number, x = np.broadcast_to(number, x.shape[: -len(points.x.shape[1:])]), np.asarray(x)
    flat, rows = number.reshape(-1), x.reshape(-1, *points.x.shape[1:])
    parts = {own: run(networks[own], np.flatnonzero(flat == own), rows) for own in np.unique(flat)}
    width = next(iter(parts.values())).shape[1:]
    found = np.empty((len(flat), *width), np.float32)
    for own, part in parts.items():
        found[flat == own] = part
    return found.reshape(*number.shape, *width)


def torch_logits(number, x):
    def run(model, rows, x):
        with torch.no_grad():
            return model(torch.tensor(x[rows])).numpy()

    return by_network(number, x, run)


def torch_gradient(number, x, cotangent):
    flat = np.asarray(cotangent).reshape(-1, points.classes)

    def run(model, rows, x):
        inputs = torch.tensor(x[rows], requires_grad=True)
        (gradient,) = torch.autograd.grad(model(inputs), inputs, torch.tensor(flat[rows]))
        return gradient.numpy()

    return by_network(number, x, run)


@jax.custom_vjp
def logits(number, x):
    shape = jax.ShapeDtypeStruct((points.classes,), jnp.float32)
    return jax.pure_callback(torch_logits, shape, number, x, vmap_method="broadcast_all")


def forward(number, x):
    return logits(number, x), (number, x)


def backward(kept, cotangent):
    number, x = kept
    shape = jax.ShapeDtypeStruct(x.shape, x.dtype)
    gradient = jax.pure_callback(torch_gradient, shape, number, x, cotangent, vmap_method="broadcast_all")
    return None, gradient


logits.defvjp(forward, backward)

# %%
report = leakjax.audit(
    logits,
    leakjax.shadow.from_arrays(np.arange(MODELS), membership),
    points,
    explainers=["gradient"],
    defenses=["none", "clip_norm(1.0)+gaussian_noise(0.25)"],
    key=jax.random.fold_in(key, 2),
    budget=Budget(untrained=MODELS + np.arange(MODELS)),
)
leakjax.report.publish(report, "runs/pytorch_callback")
leakjax.report.show(report, "runs/pytorch_callback")
