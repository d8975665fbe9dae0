"""Settings as chains, the cheap attack against a NumPy loop, and a search that finds the planted way out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax import defend
from leakjax.defend import presets
from leakjax.hardening import cheap_attack, search
from leakjax.hardening.settings import Family, Setting, averaged, defense_of, families
from leakjax.hardening.world import World

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("family", families((8, 8, 1), (8, 8, 1)), ids=lambda family: family.name)
def test_a_setting_is_a_chain_that_reads_back_and_may_be_traced(family):
    chain = defense_of(family, Setting(0.3, 0.9))
    again = defend.parse(chain.name)
    x, maps = RNG.normal(size=(2, 8, 8, 1)).astype(np.float32)
    out = defend.apply(again, jnp.asarray(maps), key=KEY, x=jnp.asarray(x))
    traced = jax.jit(
        lambda share, cosine: defend.apply(
            defense_of(family, Setting(share, cosine)), jnp.asarray(maps), key=KEY, x=jnp.asarray(x)
        )
    )(0.3, 0.9)
    np.testing.assert_allclose(traced, out, atol=1e-6)


def test_no_family_projects_and_coarsens_and_maps_of_another_shape_are_not_projected():
    of = lambda *shape, query=None: families(shape, query or shape)
    assert not [family for family in of(8, 8, 1) if family.project and family.window > 1]
    assert {family.window for family in of(8, 8, 1)} == {1, 2}
    assert {family.window for family in of(28, 28, 1)} == {1, 2, 4}
    assert {family.window for family in of(30)} == {1}
    assert not [family for family in of(8, 8, 1, query=(8, 8, 3)) if family.project]


def test_the_presets_are_settings_of_the_search():
    found = {
        defense_of(family, Setting(1.0, cosine)).name
        for family in families((30,), (30,))
        for cosine in (0.95, 0.98, 0.99, 1.0)
    }
    assert {defend.parse(chain).name for chain in presets.PRESETS.values()} <= found


@pytest.mark.parametrize("repeats", [1, 50])
def test_the_mean_of_many_answers_has_the_law_of_one_with_less_noise(repeats):
    family, setting = Family("", 1, False), Setting(1.0, 0.6)
    plain = RNG.normal(size=40).astype(np.float32)

    def draws(setting, keys):
        one = lambda key: defend.apply(defense_of(family, setting), jnp.asarray(plain), key=key)
        return np.asarray(jax.jit(jax.vmap(one))(keys), float)

    means = draws(setting, jax.random.split(KEY, 200 * repeats)).reshape(200, repeats, 40).mean(axis=1)
    once = draws(averaged(setting, repeats), jax.random.split(jax.random.key(1), 200))
    unit = plain / np.linalg.norm(plain)
    for found in (means, once):
        noise = ((found - unit) ** 2).mean() * 40 * repeats
        assert abs(noise / (1 / 0.6**2 - 1) - 1) < 5 * (2 / 8000) ** 0.5


def test_of_a_share_of_one_all_values_are_kept():
    whole = defense_of(Family("one", 1, False), Setting(1.0, 1.0))
    assert whole.name == "project_out('one')+normalize(norm=2)"
    part = defense_of(Family("", 1, True), Setting(0.25, 0.98))
    assert part.name == "keep_top_share(0.25)+sign()+normalize(norm=2)+cosine_noise(0.98)"


def test_ratios_against_a_loop():
    values, membership = RNG.normal(size=(9, 5, 3)), RNG.random((9, 5)) < 0.5
    membership[:3], membership[3:6] = True, False
    found = cheap_attack.ratios(jnp.asarray(values, "float32"), jnp.asarray(membership))
    for m in range(9):
        others = np.arange(9) != m
        for p in range(5):
            a, b = (values[others & (membership[:, p] == side), p] for side in (True, False))
            spread = ((a - a.mean(0)) ** 2).sum(0) + ((b - b.mean(0)) ** 2).sum(0)
            variance = spread / 6
            variance = 0.5 * variance + 0.5 * variance.mean()
            expected = (a.mean(0) - b.mean(0)) * (values[m, p] - (a.mean(0) + b.mean(0)) / 2) / variance
            np.testing.assert_allclose(found[m, p], expected, rtol=1e-3, atol=1e-4)


def test_a_models_own_membership_changes_none_of_its_ratios():
    values, membership = RNG.normal(size=(9, 5, 3)).astype(np.float32), RNG.random((9, 5)) < 0.5
    flipped = membership.copy()
    flipped[4] = ~flipped[4]
    one, other = (cheap_attack.ratios(jnp.asarray(values), jnp.asarray(m))[4] for m in (membership, flipped))
    np.testing.assert_allclose(one, other, atol=1e-5)
    right = jnp.asarray(RNG.random((9, 5)) < 0.7)
    one, other = (cheap_attack.label_ratio(right, jnp.asarray(m))[4] for m in (membership, flipped))
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_members_caught_count_ties_by_their_expectation():
    scores = jnp.array([[3.0, 2.0, 2.0, 2.0, 1.0, 0.0]])
    membership = jnp.array([[True, True, False, False, True, False]])
    # Two of three non-members are allowed: the threshold is the third.
    np.testing.assert_allclose(cheap_attack.caught(scores, membership, 2 / 3 + 1e-6), 1.0, rtol=1e-3)
    # At a third, half of the tie is.
    np.testing.assert_allclose(
        cheap_attack.caught(scores, membership, 1 / 3 + 1e-6), 1 / 3 + 1 / 6, rtol=1e-3
    )
    np.testing.assert_allclose(
        cheap_attack.caught(jnp.zeros((4, 500)), RNG.random((4, 500)) < 0.5), 0.01, rtol=1e-3
    )


def world(leak):
    """Linear models whose maps hold the weights, and leak membership in their sum."""
    models, points, features = 24, 300, 16
    w = RNG.normal(size=(models, features)) * 0.3 + RNG.normal(size=features)
    x = RNG.normal(size=(points, features))
    membership = RNG.random((models, points)) < 0.5
    maps = w[:, None] + leak * (membership[..., None] - 0.5) * np.ones(features)
    return World(
        jnp.asarray(maps, "float32"),
        jnp.asarray(x, "float32"),
        jnp.asarray(RNG.random((models, points)) < 0.9),
        jnp.asarray(membership),
        jnp.asarray(w, "float32"),
        linear,
        jnp.ones((models, points), int),
        "local_correlation",
        KEY,
    )


def linear(w, x):
    return jnp.stack([jnp.zeros(()), jnp.vdot(w, x)])


def test_the_cheap_attack_finds_a_planted_leak_and_nothing_where_there_is_none():
    for leak, low, high in ((0.0, -0.01, 0.01), (0.3, 0.2, 1.0)):
        one = world(leak)
        found = cheap_attack.attack(one.maps, one.x, one.correct, one.membership)
        assert low < float(found.excess) < high
        assert abs(float(found.label) - 0.01) < 0.01


@pytest.mark.slow
def test_the_search_finds_the_projection_that_removes_a_leak_in_the_sum_and_the_policy_without_one():
    worlds = {"predicted": world(0.3), "true": world(0.3)}
    tried = search.search(worlds, trials=80, seed=0)
    assert len(tried) == 80
    assert {one.policy for one in tried} == set(worlds)
    best = search.recommended(tried, most_lost=0.3)
    assert best.family.project
    assert best.excess < 0.03
    front = search.front(tried)
    for one in tried:
        assert any(o.excess <= one.excess and o.lost <= one.lost for o in front)
    assert search.search(worlds, trials=80, seed=0) == tried
    silent = search.search({"predicted": world(0.3), "true": world(0.0)}, trials=20, seed=0)
    assert search.recommended(silent).policy == "true"


def test_the_front_and_the_recommendation():
    make = lambda excess, lost: search.Tried(
        "true", Family("", 1, False), Setting(1.0, 1.0), excess, lost, 0.0
    )
    tried = [make(0.10, 0.0), make(0.05, 0.02), make(0.06, 0.025), make(0.01, 0.2)]
    assert search.front(tried) == [tried[0], tried[1], tried[3]]
    assert search.recommended(tried) == tried[1]
    assert search.recommended(tried, most_lost=0.5) == tried[3]
    assert search.recommended(tried[3:]) == tried[3]
    assert search.along(tried, 2) == [tried[0], tried[3]]
    assert search.along(tried, 9) == search.front(tried)
    assert [search.read(search.plain(one)) for one in tried] == tried
