"""Policies: what decides an answer, whom it may depend on, and what one record can move."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from leakjax import defend
from leakjax._validate import UsageError
from leakjax.defend import policies, teachers

SECRET = bytes(range(16))
RNG = np.random.default_rng(0)
KEY = jax.random.key(4)


def test_explained_classes():
    logits = np.array([[0.1, 2.0, 1.0], [3.0, 0.0, 1.0]])
    reference = np.array([[[5.0, 0, 0], [0, 1, 0]], [[0, 1, 0], [0, 2, 1]], [[0, 1, 0.5], [3, 0, 0]]])
    np.testing.assert_array_equal(policies.explained_class("predicted", logits=logits), [1, 0])
    np.testing.assert_array_equal(policies.explained_class("true", labels=np.array([2, 2])), [2, 2])
    np.testing.assert_array_equal(policies.explained_class("asked", asked=np.array([0, 2])), [0, 2])
    # The vote counts heads, not logits.
    np.testing.assert_array_equal(policies.explained_class("reference", reference=reference), [1, 1])
    # Of a tied vote, the larger mean.
    np.testing.assert_array_equal(policies.explained_class("reference", reference=reference[:2]), [0, 1])
    with pytest.raises(UsageError, match="labels=None"):
        policies.explained_class("true", logits=logits)
    with pytest.raises(UsageError, match="explained_class='loss'"):
        policies.explained_class("loss")


def test_folds_depend_on_the_values_and_the_secret_alone_and_are_even():
    x = RNG.normal(size=(20_000, 3)).astype(np.float32)
    fold = policies.folds_of(x, 5, secret=SECRET)
    order = RNG.permutation(len(x))
    np.testing.assert_array_equal(policies.folds_of(x[order], 5, secret=SECRET), fold[order])
    np.testing.assert_array_equal(policies.folds_of(x.astype(np.float64), 5, secret=SECRET), fold)
    assert stats.chisquare(np.bincount(fold)).pvalue > 1e-3
    other = policies.folds_of(x, 5, secret=SECRET[::-1])
    assert abs((other == fold).mean() - 0.2) < 5 * np.sqrt(0.16 / len(x))
    zero = np.zeros((1, 3), np.float32)
    assert policies.folds_of(zero, 97, secret=SECRET) == policies.folds_of(-zero, 97, secret=SECRET)
    moved = policies.folds_of(x + np.float32(1e-3), 5, secret=SECRET)
    assert (moved != fold).mean() > 0.7  # a perturbed query goes to another sub-model


def test_out_of_fold_answers_do_not_depend_on_the_point_and_others_do():
    """Ridge regressions in closed form: the sub-model's answer at a point, with and without that point."""
    x, y = RNG.normal(size=(60, 4)), RNG.normal(size=60)
    fold = policies.folds_of(x, 3, secret=SECRET)

    def fitted(there):
        rows = policies.fold_membership(fold, 3) & there
        return np.stack([np.linalg.solve(x[m].T @ x[m] + np.eye(4), x[m].T @ y[m]) for m in rows])

    whole = fitted(np.ones(60, bool))
    for point in range(10):
        without = fitted(np.arange(60) != point)
        maps, less = (np.broadcast_to(w[:, None], (3, 60, 4)) for w in (whole, without))
        np.testing.assert_array_equal(
            policies.out_of_fold(maps, fold)[point], policies.out_of_fold(less, fold)[point]
        )
        others = fold != fold[point]
        assert (
            np.abs(policies.out_of_fold(maps, fold)[others] - policies.out_of_fold(less, fold)[others]).max()
            > 1e-6
        )


def test_near_duplicates_against_a_loop():
    x = RNG.normal(size=(80, 5)) + 100
    x[40:60] = x[:20] + 1e-3 * RNG.normal(size=(20, 5))
    x[60:70] = x[:10]
    fold = RNG.integers(0, 3, 80)
    for radius in (0.0, 0.01, 2.0):
        expected = sum(
            any(np.linalg.norm(x[i] - x[j]) <= radius and fold[i] != fold[j] for j in range(80))
            for i in range(80)
        )
        assert policies.near_duplicates(x, fold, radius=radius) == expected


def test_selective_release_withholds_the_unsure_and_says_whose_they_are():
    logits = RNG.normal(size=(4, 1000, 3)) * np.linspace(0.1, 5, 1000)[None, :, None]
    group = (np.arange(1000) < 200).astype(int)
    found = policies.selective(logits, share=0.1, group=group)
    assert found.withheld.sum() == pytest.approx(100, abs=1)
    assert found.by_group[1] > 5 * found.by_group[0]
    probability = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    sure = probability.max(axis=-1).mean(axis=0)
    assert sure[found.withheld].max() < sure[~found.withheld].min()
    assert policies.selective(logits, share=0.0).withheld.sum() == 0
    assert policies.selective(logits, share=1.0).withheld.all()
    half = policies.selective(logits[:, :500], share=0.5, among=logits)
    assert half.withheld.mean() > 0.7  # the threshold is that of all points
    with pytest.raises(UsageError, match=r"share=1\.1"):
        policies.selective(logits, share=1.1)


def test_one_record_moves_the_mean_of_teachers_as_far_as_said():
    defense = defend.chain(defend.clip_norm(1.0), defend.coarsen(2))
    maps = RNG.normal(size=(10, 8)).astype(np.float32)
    run = jax.vmap(lambda m: defend.apply(defense, m, key=KEY))
    witness = defend.sensitivity(defense, (8,)).witness
    for relation, changed in teachers.RELATIONS.items():
        bound = teachers.aggregate_sensitivity(defense, (8,), teachers=10, relation=relation)
        one, other = jnp.asarray(maps), jnp.asarray(maps)
        for i in range(changed):
            one, other = one.at[i].set(witness[0]), other.at[i].set(witness[1])
        moved = np.linalg.norm(np.asarray(run(one).mean(axis=0) - run(other).mean(axis=0)))
        np.testing.assert_allclose(moved, bound, rtol=1e-4)
    # Many explanations of one model: all of them move.
    whole = defend.sensitivity(defense, (8,)).value
    assert teachers.aggregate_sensitivity(defense, (8,), teachers=1, relation="add or remove") == whole


def test_the_aggregate_has_the_noise_of_its_claim_and_its_relation_in_it():
    defense = defend.clip_norm(1.0)
    maps = jnp.ones((20, 40_000))
    released, claim = teachers.aggregate(
        maps, defense, epsilon=1.0, delta=1e-5, relation="replace in its slot", key=KEY
    )
    np.testing.assert_allclose(claim.sensitivity, 2 / 20)
    noise = np.asarray(released) - 1 / 200
    sigma = (
        3.730632 * 0.1
    )  # the analytic Gaussian's multiplier at epsilon 1 and delta 1e-5 (Balle & Wang 2018)
    assert abs(noise.std() / sigma - 1) < 5 / np.sqrt(2 * 40_000)
    assert "replace in its slot" in str(claim)
    with pytest.raises(UsageError, match="unbounded"):
        teachers.aggregate(maps, defend.identity(), epsilon=1, delta=1e-5, relation="add or remove", key=KEY)
    with pytest.raises(UsageError, match="relation='swap'"):
        teachers.aggregate(maps, defense, epsilon=1, delta=1e-5, relation="swap", key=KEY)
