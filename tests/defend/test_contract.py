"""What every transform, every mechanism and every policy owes, a row each: a new one without a row fails here."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax import defend
from leakjax.defend import DEFENSES, Domain, Sticky, chain, clip_norm, policies, teachers

KEY = jax.random.key(3)
RNG = np.random.default_rng(8)
SIZE = 12
ROWS = {
    "absolute": defend.absolute(),
    "clip_norm": clip_norm(0.5),
    "clip_norm, L1": clip_norm(0.5, 1),
    "clip_norm, largest": clip_norm(0.5, np.inf),
    "clip_values": defend.clip_values(-0.1, 0.3),
    "coarsen": defend.coarsen(3),
    "coarsen_segments": defend.coarsen_segments([0, 0, 0, 1, 1, 2, 2, 2, 2, 2, 3, 3]),
    "cosine_noise": defend.cosine_noise(0.9),
    "cosine_noise, ties": defend.cosine_noise(0.9, ties=True),
    "deepleak": defend.deepleak(),
    "drop_below": defend.drop_below(0.1),
    "gaussian_mechanism": defend.gaussian_mechanism(1.0, 1e-5),
    "gaussian_noise": defend.gaussian_noise(1.0),
    "identity": defend.identity(),
    "keep_top_k": defend.keep_top_k(3),
    "keep_top_k, signed": defend.keep_top_k(3, signed=True),
    "keep_top_share": defend.keep_top_share(0.5),
    "laplace_mechanism": defend.laplace_mechanism(1.0),
    "laplace_noise": defend.laplace_noise(1.0),
    "noisy_top_k": defend.noisy_top_k(1.0, 2),
    "normalize": defend.normalize(),
    "normalize, L1": defend.normalize(1),
    "privunit": defend.privunit(1.0),
    "project_out": defend.project_out(),
    "project_out, ties": defend.project_out("one", ties=True),
    "quantize": defend.quantize(0.1),
    "random_mask": defend.random_mask(0.5),
    "randomized_response": defend.randomized_response(1.0),
    "rectify": defend.rectify(),
    "round_to": defend.round_to(2),
    "scale": defend.scale(-2.0),
    "sign": defend.sign(),
    "threshold_mechanism": defend.threshold_mechanism(1.0, 2),
    "upsample": defend.upsample(2),
}
ODD = [np.zeros(SIZE), np.full(SIZE, np.nan), np.full(SIZE, np.inf), np.array([np.nan, -np.inf, 3e38] * 4)]


def released(defense):
    return jax.jit(jax.vmap(lambda e, x, key: defend.apply(defense, e, key=key, x=x)))


def bounded(name):
    return chain(clip_norm(1.0), ROWS[name])  # mechanisms need it


def test_every_registered_defense_has_a_row():
    assert {name.partition(",")[0] for name in ROWS} == {*DEFENSES, "identity", "coarsen_segments"}


@pytest.mark.parametrize("name", ROWS)
def test_an_array_is_released_as_it_is_alone_and_within_the_set_that_is_claimed(name):
    defense = bounded(name)
    arrays = (RNG.normal(size=(40, SIZE)) * 10.0 ** RNG.uniform(-3, 3, (40, 1))).astype(np.float32)
    arrays[::3] *= RNG.random((14, SIZE)) < 0.3
    queries, keys = RNG.random((40, SIZE)).astype(np.float32), jax.random.split(KEY, 40)
    found = np.asarray(released(defense)(arrays, queries, keys))
    for row in range(3):
        alone = defend.apply(defense, jnp.asarray(arrays[row]), key=keys[row], x=jnp.asarray(queries[row]))
        np.testing.assert_allclose(found[row], alone, rtol=1e-5, atol=1e-6)
    domain = defense.domain(Domain((SIZE,)))
    assert found.shape[1:] == domain.shape
    exactly, little = found.astype(np.float64), 1 + 1e-6
    assert exactly.min() >= domain.low - 1e-6 * abs(domain.low)
    assert exactly.max() <= domain.high * little
    assert np.abs(exactly).sum(axis=1).max() <= domain.l1 * little
    assert np.linalg.norm(exactly, axis=1).max() <= domain.l2 * little
    assert np.count_nonzero(exactly, axis=1).max() <= domain.nonzeros


@pytest.mark.parametrize("name", ROWS)
def test_what_is_not_finite_does_not_come_out(name):
    odd = np.asarray(ODD, np.float32)
    found = released(bounded(name))(odd, np.ones_like(odd), jax.random.split(KEY, len(odd)))
    assert np.isfinite(np.asarray(found)).all()


@pytest.mark.parametrize("name", [name for name in ROWS if name != "coarsen_segments"])
def test_the_name_reads_back(name):
    again = defend.parse(bounded(name).name)
    assert again.name == bounded(name).name
    e, x = jnp.asarray(RNG.normal(size=(2, SIZE)), jnp.float32)
    shown = [defend.apply(one, e, key=KEY, x=x) for one in (bounded(name), again)]
    np.testing.assert_array_equal(*shown)


QUERIES, CLASSES, FOLDS = 20, 3, 4
LOGITS = RNG.normal(size=(FOLDS, QUERIES, CLASSES))
X, SECRET = RNG.normal(size=(QUERIES, SIZE)).astype(np.float32), bytes(range(16))


def explained_class(policy, rows):
    return policies.explained_class(
        policy,
        logits=LOGITS[0, rows],
        labels=LOGITS[1, rows].argmax(-1),
        asked=LOGITS[2, rows].argmax(-1),
        reference=LOGITS[:, rows],
    )


def aggregate(row):
    maps, given = jnp.asarray(LOGITS[:, row], jnp.float32), {"epsilon": 1.0, "delta": 1e-5}
    key = jax.random.fold_in(KEY, row)
    return teachers.aggregate(maps, clip_norm(1.0), **given, relation="add or remove", key=key)[0]


# What a policy decides, given the numbers of some queries.
POLICIES = {
    **{
        f"explained_class, {policy}": functools.partial(explained_class, policy)
        for policy in policies.EXPLAINED_CLASSES
    },
    "folds_of": lambda rows: policies.folds_of(X[rows], FOLDS, secret=SECRET),
    "fold_membership": lambda rows: policies.fold_membership(rows % FOLDS, FOLDS).T,
    "out_of_fold": lambda rows: policies.out_of_fold(LOGITS[:, rows], rows % FOLDS),
    "selective": lambda rows: policies.selective(LOGITS[:, rows], share=0.3, among=LOGITS).withheld,
    "aggregate": lambda rows: np.stack([aggregate(row) for row in rows]),
    "Sticky": lambda rows: np.stack([Sticky(SECRET, 0.5).canonical(x) for x in X[rows]]),
}


def test_every_policy_has_a_row():
    functions = inspect.getmembers(policies, inspect.isfunction)
    own = {name for name, one in functions if one.__module__ == policies.__name__ and name[0] != "_"}
    rows = {name.partition(",")[0] for name in POLICIES}
    assert rows == (own - {"near_duplicates"}) | {"aggregate", "Sticky"}  # which counts, and decides nothing


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_decides_of_a_query_as_it_does_alone_and_in_any_order(name):
    every, order = POLICIES[name](np.arange(QUERIES)), RNG.permutation(QUERIES)
    np.testing.assert_array_equal(POLICIES[name](order), every[order])
    for row in (0, 7, 19):
        np.testing.assert_array_equal(POLICIES[name](np.array([row])), every[[row]])
    assert len(np.unique(every, axis=0)) > 1
