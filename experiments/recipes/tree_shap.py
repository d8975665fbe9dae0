# %% [markdown]
# # Forests and boosted trees with TreeSHAP
#
# JAX cannot trace a forest, and need not: `leakjax.score` takes the answers of models that were trained and explained
# elsewhere, for every model and every point. What is needed of each model is its log-probabilities and its SHAP values
# for all points, so that is what `fit` returns and what `fit_many` keeps.
#
# Three trainers below; the forest of scikit-learn runs, XGBoost and LightGBM where they are installed:
#
#     .venv/bin/pip install -q shap && .venv/bin/python -m experiments.recipes.tree_shap
#
# For your own table, `points = leakjax.data.load("csv:bank.csv", label="default")` has `points.x` and `points.y`, which
# stand for `x` and `y` here.

# %%
import importlib.util

import jax
import numpy as np
import shap
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier

import leakjax

MODELS = 16

x, y = load_breast_cancer(return_X_y=True)
x = x.astype(np.float32)
key = jax.random.key(0)
membership = np.asarray(leakjax.data.membership(key, np.arange(MODELS), len(x)))


# %%
def forest(own_x, own_y):
    return RandomForestClassifier(40, min_samples_leaf=2, random_state=0).fit(own_x, own_y)


def xgboost(own_x, own_y):
    from xgboost import XGBClassifier

    return XGBClassifier(n_estimators=40, max_depth=4, n_jobs=1).fit(own_x, own_y)


def lightgbm(own_x, own_y):
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=40, num_leaves=15, n_jobs=1, verbose=-1).fit(own_x, own_y)


def answers(model):
    """Log-probabilities [points, 2], and the SHAP values of the second class [points, features]."""
    values = np.asarray(shap.TreeExplainer(model).shap_values(x))
    values = values[..., 1] if values.ndim == 3 else values  # forests explain each class by itself
    return np.log(np.clip(model.predict_proba(x), 1e-6, 1)), values


# %% [markdown]
# ## Each trainer on every row of memberships, then the audit of what they answer

# %%
trainers = [forest]
trainers += [one for one in (xgboost, lightgbm) if importlib.util.find_spec(one.__name__)]

reports = {}
for trainer in trainers:
    found = leakjax.shadow.fit_many(
        lambda own_x, own_y, trainer=trainer: answers(trainer(own_x, own_y)),
        x,
        y,
        membership,
        workdir="runs/recipe-trees",
    )
    logits, attributions = (np.stack(leaves).astype(np.float32) for leaves in zip(*found, strict=True))
    # The explanation of the class that a model predicts: for two classes one is minus the other.
    sign = np.where(logits.argmax(axis=-1) == 1, 1.0, -1.0)[..., None]
    reports[trainer.__name__] = leakjax.score(
        {"member": membership, "logits": logits, "labels": y, "attributions_shap": sign * attributions},
        name=f"breast cancer, {trainer.__name__}",
        defenses=["none", *(f"normalize()+cosine_noise({cosine})" for cosine in (0.98, 0.8, 0.6))],
        key=jax.random.fold_in(key, 2),
    )
    print(reports[trainer.__name__])

report = reports["forest"]
leakjax.report.publish(report, "runs/trees")
leakjax.report.show(report, "runs/trees")
