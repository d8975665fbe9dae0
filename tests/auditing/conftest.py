"""The models and points of `world`, and the one audit of them that many tests look at."""

import functools

import jax
import numpy as np
import pytest

import leakjax
from leakjax.auditing import Run
from leakjax.data import Points
from leakjax.shadow import Ensemble
from leakjax.shadow.ensemble import History
from tests.auditing.world import CLASSES, CLIP, EXPLAINERS, FEATURES, HARDENED, MODELS, POINTS, logits_fn
from tests.settings import during


@pytest.fixture(scope="session")
def cheaply(tmp_path_factory):
    """A context: audits of one size share their programs, which are too small to be worth optimising."""
    return functools.partial(
        during,
        jax_compilation_cache_dir=str(tmp_path_factory.mktemp("compiled")),
        jax_persistent_cache_min_compile_time_secs=0,
        jax_persistent_cache_min_entry_size_bytes=0,
        jax_disable_most_optimizations=True,
    )


# A module at a time, for what other rooms compile is theirs.
@pytest.fixture(scope="module", autouse=True)
def cheap_compilation(cheaply):
    """Every test of this room."""
    with cheaply():
        yield


@pytest.fixture(scope="session")
def points():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(POINTS, FEATURES))
    y = (x[:, 0] + rng.normal(size=POINTS) > 0).astype(np.int32)
    x = np.column_stack([x, np.arange(POINTS)]).astype(np.float32)
    groups = {"side": np.where(rng.random(POINTS) < 0.3, "left", "right")}
    names = [f"measure {place}" for place in range(FEATURES)] + ["number"]
    return Points(x, y, CLASSES, "small", 1000 + np.arange(POINTS, dtype=np.int32), 2, groups, names)


@pytest.fixture(scope="session")
def ensemble(points):
    """Each model is a ridge regression on its own half."""
    rng = np.random.default_rng(4)
    membership = rng.random((MODELS, POINTS)) < 0.5
    weights, offsets = [], []
    for rows in membership:
        design = np.column_stack([points.x[rows, :-1], np.ones(rows.sum())])
        answer = 4.0 * np.eye(CLASSES)[points.y[rows]]
        found = np.linalg.solve(design.T @ design + 0.1 * np.eye(design.shape[1]), design.T @ answer)
        weights.append(found[:-1])
        offsets.append(found[-1])
    variables = {"w": np.stack(weights), "b": np.stack(offsets), "membership": membership}
    variables = {name: np.asarray(leaf, np.float32) for name, leaf in variables.items()}
    none = np.zeros((MODELS, 0), np.float32)
    return Ensemble(variables, membership, np.arange(MODELS, dtype=np.int32), History(none, none))


@pytest.fixture(scope="session")
def run(ensemble, points):
    """The audit of this world, with what a test wants otherwise."""

    def run(**options):
        given = {"explainers": EXPLAINERS, "defenses": ("none", CLIP, HARDENED), "run": Run(group="side")}
        return leakjax.audit(logits_fn, ensemble, points, **{"key": jax.random.key(7), **given, **options})

    return run


@pytest.fixture(scope="session")
def report(run, cheaply):
    with cheaply():
        return run()
