# %% [markdown]
# # A PyTorch network by its answers
#
# The quick way for any framework: train, predict and explain there, then hand the arrays to `leakjax.score`. Nothing
# of PyTorch is traced; the explanation may come from captum, from shap, or as here from autograd.

# %%
import jax
import numpy as np
import torch

import leakjax

MODELS, STEPS, RATE = 16, 150, 0.5
torch.set_num_threads(1)  # networks as small as these wait for each other's threads

points = leakjax.data.load("digits", points=600)
key = jax.random.key(0)
membership = np.asarray(leakjax.data.membership(key, np.arange(MODELS), len(points.x)))
inputs = torch.tensor(points.x)


# %%
def fit(x, y):
    """Logits [points, classes], and the gradient of the predicted class's [points, height, width, 1]."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10)
    )
    x, y = torch.tensor(x), torch.tensor(y, dtype=torch.long)
    for _ in range(STEPS):  # full batches, no optimiser: the point here is the audit
        network.zero_grad()
        torch.nn.functional.cross_entropy(network(x), y).backward()
        with torch.no_grad():
            for weight in network.parameters():
                weight -= RATE * weight.grad
    explained = inputs.clone().requires_grad_()
    logits = network.eval()(explained)
    (gradient,) = torch.autograd.grad(logits.max(dim=-1).values.sum(), explained)
    return logits.detach().numpy(), gradient.numpy()


found = leakjax.shadow.fit_many(fit, points.x, points.y, membership)
logits, gradients = (np.stack(leaves) for leaves in zip(*found, strict=True))

# %%
report = leakjax.score(
    {"member": membership, "logits": logits, "labels": points.y, "attributions_gradient": gradients},
    name="digits, PyTorch",
    key=jax.random.fold_in(key, 2),
)
leakjax.report.publish(report, "runs/pytorch_scored")
leakjax.report.show(report, "runs/pytorch_scored")
