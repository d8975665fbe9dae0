# %% [markdown]
# # Models of scikit-learn whose weights are arrays
#
# A linear model or an `MLPClassifier` is a few matrices: `fit_many` trains one for each row of memberships, and a
# few lines of JAX say what scikit-learn computes with them. Every explainer then applies. A forest has no such form:
# it is scored by its answers.
#
# With `workdir=` a fit that is finished is never done again.

# %%
import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import scale

import leakjax

MODELS = 16

x, y = load_breast_cancer(return_X_y=True)
points = leakjax.data.in_order(scale(x).astype(np.float32), y, classes=2, name="breast cancer")
key = jax.random.key(0)
membership = np.asarray(leakjax.data.membership(key, np.arange(MODELS), len(points.x)))


# %%
def trained(x, y):
    network = MLPClassifier((16,), solver="lbfgs", alpha=1e-2, max_iter=500, random_state=0)
    return network.fit(x, y)


def fit(x, y):
    network = trained(x, y)
    return {"w": tuple(network.coefs_), "b": tuple(network.intercepts_)}


def logits_fn(variables, x):
    hidden = jax.nn.relu(x @ variables["w"][0] + variables["b"][0])
    (output,) = hidden @ variables["w"][1] + variables["b"][1]
    return jnp.stack([jnp.zeros_like(output), output])  # two classes: one logit, against 0


fitted = leakjax.shadow.fit_many(fit, points.x, points.y, membership, workdir="runs/recipe-fits")
ensemble = leakjax.shadow.from_models(fitted, membership)

# %% [markdown]
# The same as scikit-learn computes:

# %%
own = jax.tree.map(lambda leaf: leaf[0], ensemble.variables)
ours = jax.nn.softmax(jax.vmap(logits_fn, (None, 0))(own, points.x))
theirs = trained(points.x[membership[0]], points.y[membership[0]]).predict_proba(points.x)
np.testing.assert_allclose(ours, theirs, atol=1e-4)

# %%
report = leakjax.audit(
    logits_fn,
    ensemble,
    points,
    explainers=["gradient", "integrated_gradients"],
    defenses=["none", "clip_norm(1.0)+gaussian_noise(0.25)"],
    key=jax.random.fold_in(key, 2),
)
leakjax.report.publish(report, "runs/scikit_learn")
leakjax.report.show(report, "runs/scikit_learn")
