"""Explanations by examples and rules: ProtoDash and Anchors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq, nnls

from leakjax._validate import UsageError
from leakjax.explain import EXAMPLE_EXPLAINERS, Segments, anchors, protodash
from leakjax.explain.examples.bandit import explore, kl_bounds
from leakjax.explain.examples.protodash import choose

KEY = jax.random.key(0)
ROWS = np.random.default_rng(1).normal(size=(40, 5)).astype(np.float32)


def both_first(variables, x):
    """Class 1 where the first two features are positive, else class 0."""
    inside = (x[0] > 0) & (x[1] > 0)
    return jnp.where(inside, jnp.array([0.0, 1.0]), jnp.array([1.0, 0.0]))


def linear(variables, x):
    return x @ variables


def test_the_greedy_choice_is_that_of_the_algorithm():
    rng = np.random.default_rng(2)
    factors = rng.normal(size=(12, 12))
    alike = factors @ factors.T / 12 + 0.5 * np.eye(12)
    near = rng.uniform(size=12)
    chosen, weights = [], np.zeros(12)
    for _ in range(4):
        gain = near - alike @ weights
        gain[chosen] = -np.inf
        chosen.append(int(np.argmax(gain)))
        # max near' w - w' K w / 2 over w >= 0 is least squares with the Cholesky factor of K.
        root = np.linalg.cholesky(alike[np.ix_(chosen, chosen)]).T
        weights = np.zeros(12)
        weights[chosen] = nnls(root, np.linalg.solve(root.T, near[chosen]))[0]
    found, found_weights = jax.jit(choose, static_argnums=2)(
        alike.astype(np.float32), near.astype(np.float32), 4
    )
    np.testing.assert_array_equal(found, chosen)
    np.testing.assert_allclose(found_weights, weights, atol=1e-5)


def test_a_candidate_explains_itself():
    weights = np.random.default_rng(3).normal(size=(5, 3)).astype(np.float32)
    for space in ("logits", "input"):
        explain = jax.jit(
            lambda v, x, space=space: protodash(linear, background=ROWS, space=space)(v, x, 0, key=KEY)
        )
        found = explain(weights, ROWS[17])
        assert found.indices[0] == 17
        assert len(set(np.asarray(found.indices).tolist())) == 5
        np.testing.assert_allclose(found.weights, [1, 0, 0, 0, 0], atol=1e-3)


def test_the_anchor_is_the_rule_of_the_model():
    x = np.array([1.0, 1.0, -1.0, 0.5, 2.0], np.float32)
    explain = jax.jit(
        jax.vmap(lambda x, target: anchors(both_first, background=ROWS)(None, x, target, key=KEY))
    )
    found = explain(np.stack([x, -x]), np.array([1, 0]))
    np.testing.assert_array_equal(found.held[0], [True, True, False, False, False])
    assert found.found.all()
    assert found.precision[0] == 1
    # One of the two features is enough to decide against class 1.
    assert found.held[1].sum() == 1
    assert found.held[1, :2].any()
    edges = np.quantile(ROWS, [0.25, 0.5, 0.75], axis=0)
    same = (edges[:, None] <= ROWS).sum(0) == (edges <= x).sum(0)
    assert found.coverage[0] == pytest.approx(same[:, :2].all(1).mean())


def test_an_anchor_that_is_not_there_is_said():
    coin = lambda variables, x: jnp.stack([jnp.sin(40 * x.sum()), 0.0])
    found = jax.jit(lambda x: anchors(coin, background=ROWS, most=1, samples=50)(None, x, 0, key=KEY))(
        ROWS[0] + 1
    )
    assert not found.found
    assert found.held.sum() <= 1


def test_anchors_hold_segments():
    segments = Segments(np.array([0, 0, 1, 1, 2], np.int32), 3)
    x = np.array([1.0, 1.0, -1.0, 0.5, 2.0], np.float32)
    found = jax.jit(lambda x: anchors(both_first, background=ROWS)(None, x, 1, key=KEY, segments=segments))(x)
    np.testing.assert_array_equal(found.held, [True, False, False])


def divergence(p, q):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nansum([p * np.log(p / q), (1 - p) * np.log((1 - p) / (1 - q))])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kl_bounds_are_the_roots(x64, dtype):
    means, levels = (a.ravel() for a in np.meshgrid([0, 0.02, 0.5, 0.9, 0.999, 1], [1e-3, 0.05, 0.7, 5]))
    low, high = kl_bounds(jnp.asarray(means, dtype), jnp.asarray(levels, dtype))
    assert low.dtype == dtype
    for mean, level, below, above in zip(means, levels, np.asarray(low), np.asarray(high), strict=True):
        over = lambda q, mean=mean, level=level: divergence(mean, q) - level
        edge = 1e-300, 1 - 1e-16
        expected_low = 0 if mean == 0 or over(edge[0]) < 0 else brentq(over, edge[0], mean, xtol=1e-15)
        expected_high = 1 if mean == 1 or over(edge[1]) < 0 else brentq(over, mean, edge[1], xtol=1e-15)
        # In float32 the divergence itself is known to some 1e-7, which counts where it is flat.
        atol = 2e-5 if dtype == np.float32 else 1e-9
        np.testing.assert_allclose([below, above], [expected_low, expected_high], atol=atol)


def throw(shares, key, **options):
    """The bandit on coins of known shares."""
    shares = jnp.asarray(shares, jnp.float32)

    def draw(arms, numbers):
        alone = lambda arm, number: jax.random.fold_in(jax.random.fold_in(key, arm), number)
        return jax.vmap(jax.random.uniform)(jax.vmap(alone)(arms, numbers)) < shares[arms]

    settings = {"top": 2, "threshold": 0.5, "delta": 0.1, "tolerance": 0.05, "batch": 8, "samples": 400}
    settings |= {"population": 10**8, "alive": jnp.ones(shares.shape, bool)} | options
    return explore(draw, settings.pop("alive"), **settings)


def test_the_bandit_finds_the_best_arms_and_draws_where_they_are_close():
    shares = np.array([0.2, 0.9, 0.3, 0.8, 0.6, 0.1, 0.25, 0.97])
    keys = jax.random.split(KEY, 200)
    alive = jnp.arange(8) != 7
    arms, runs = jax.jit(jax.vmap(lambda key: throw(shares, key, alive=alive)))(keys)
    best = np.sort(jax.vmap(lambda arms: arms.leaders(2))(arms), axis=1)
    assert (best == [1, 3]).all(1).mean() >= 0.9
    draws = np.asarray(arms.draws)
    assert (draws[:, 7] == 0).all()
    assert (draws[:, :7] >= 8).all()
    # The close ones, 0.8 and 0.6, need more than those far below.
    assert draws[:, [3, 4]].mean(0).min() > 4 * draws[:, [0, 2, 5, 6]].mean()
    assert (draws.sum(1) <= runs).all()
    assert (runs <= 7 * 400).all()
    held = (np.asarray(arms.low) <= shares) & (shares <= np.asarray(arms.high))
    assert held.all(1).mean() >= 0.9
    # It ends when followers may be better than leaders by no more than the tolerance.
    followers, leaders = np.asarray(arms.high)[:, [0, 2, 4, 5, 6]], np.asarray(arms.low)[:, [1, 3]]
    assert (followers.max(1) - leaders.min(1) <= 0.05).mean() >= 0.9


@pytest.mark.parametrize(("share", "least", "most"), [(0.899, 0, 0.1), (0.97, 0.95, 1)])
def test_a_leader_is_judged_with_the_confidence_however_often_it_is_looked_at(share, least, most):
    judge = lambda key: throw([share], key, top=1, threshold=0.9, samples=2000)[0].low[0] >= 0.9
    accepted = jax.jit(jax.vmap(judge))(jax.random.split(KEY, 400)).mean()
    assert least <= accepted <= most


def test_arms_that_are_drawn_out_are_known_exactly_and_budgets_end_the_search():
    arms, runs = jax.jit(lambda key: throw([0.5, 0.5, 0.5], key, population=20, tolerance=1e-6))(KEY)
    exact = np.asarray(arms.draws) == 20
    assert exact[np.asarray(arms.leaders(2))].any()
    np.testing.assert_array_equal(np.asarray(arms.low)[exact], np.asarray(arms.wins, np.float32)[exact] / 20)
    np.testing.assert_array_equal(np.asarray(arms.high)[exact], np.asarray(arms.low)[exact])
    arms, runs = jax.jit(lambda key: throw([0.5, 0.5, 0.5], key, tolerance=1e-6, samples=40))(KEY)
    assert 3 * 40 - 16 < runs <= 3 * 40


BACKGROUND = np.random.default_rng(4).normal(size=(300, 6)).astype(np.float32)
WEIGHTS = np.random.default_rng(5).normal(size=(6, 2)).astype(np.float32) * np.array(
    [[3], [2], [1], [1], [0.3], [0.3]]
)


def wavy(variables, x):
    return jnp.tanh(x @ variables) + 0.5 * jnp.sin(2 * x[:2])


def precision_of(held, x, target):
    """Over the whole background, in NumPy: rows that are not in x's quarter of a feature held take x's value."""
    edges = np.quantile(BACKGROUND, [0.25, 0.5, 0.75], axis=0)
    quarter = lambda values: (edges[:, None] <= values).sum(0)
    alike = quarter(BACKGROUND) == quarter(x[None])
    mixed = np.where(held & ~alike, x, BACKGROUND).astype(np.float64)
    return (np.argmax(np.tanh(mixed @ WEIGHTS) + 0.5 * np.sin(2 * mixed[:, :2]), axis=1) == target).mean()


def test_rules_said_to_be_precise_are():
    xs = np.random.default_rng(6).normal(size=(100, 6)).astype(np.float32)
    weights = WEIGHTS.astype(np.float32)
    targets = np.argmax(jax.vmap(lambda x: wavy(weights, x))(xs), axis=1)
    explain = anchors(wavy, background=BACKGROUND, threshold=0.9, confidence=0.8)
    keys = jax.random.split(KEY, 100)
    found = jax.jit(jax.vmap(lambda x, target, key: explain(weights, x, target, key=key)))(xs, targets, keys)
    exact = np.array([precision_of(*one) for one in zip(np.asarray(found.held), xs, targets, strict=True)])
    said = np.asarray(found.found)
    assert said.mean() > 0.5
    assert (exact[said] >= 0.9 - 1e-6).mean() >= 0.8
    assert np.abs(exact - np.asarray(found.precision)).max() < 0.15
    assert (found.runs <= EXAMPLE_EXPLAINERS["anchors"].runs((6,))).all()
    assert found.runs.mean() < EXAMPLE_EXPLAINERS["anchors"].runs((6,)) / 2


def test_a_rule_exactly_as_precise_as_the_threshold_is_found_when_all_rows_are_drawn():
    planted = lambda variables, x: both_first(variables, x[jnp.array([0, 3])])
    x = np.array([1.0, 0.5, -1.0, 2.0, 0.3], np.float32)
    precise = {0: (ROWS[:, 3] > 0).mean(), 3: (ROWS[:, 0] > 0).mean()}
    explain = jax.jit(lambda least: anchors(planted, background=ROWS, threshold=least)(None, x, 1, key=KEY))
    found = explain(max(precise.values()))
    np.testing.assert_array_equal(np.flatnonzero(found.held), [max(precise, key=precise.get)])
    assert found.found
    assert found.precision == np.float32(max(precise.values()))
    np.testing.assert_array_equal(np.flatnonzero(explain(0.95).held), [0, 3])


@pytest.mark.parametrize(("threshold", "rows", "decided"), [(0.6, 25, 15), (0.8, 55, 44), (0.99, 100, 99)])
def test_shares_of_a_whole_background_are_rounded_as_thresholds_are(threshold, rows, decided):
    background = (np.arange(rows) < decided).astype(np.float32)[:, None]
    explain = anchors(
        lambda _, x: jnp.concatenate([0 * x + 0.5, x]), background=background, threshold=threshold
    )
    found = jax.jit(lambda x: explain(None, x, 1, key=KEY))(np.ones(1, np.float32))
    assert found.found
    assert not found.held.any()  # the empty rule is exactly as precise as it must be, and covers all
    assert found.precision == np.float32(threshold)


def test_the_exploration_rate_is_the_stated_one():
    # One arm that always wins, looked at after 8, 16, ... draws (each round has both halves: 16, 32, ...): its
    # lower bound is exp(-level), the share at which the divergence from 1 is the level.
    arms, runs = jax.jit(lambda key: throw([1.0], key, top=1, threshold=0.9999, samples=320))(KEY)
    looks = runs / 8
    level = np.log(11 * 1 * looks**1.1 / 0.1) / runs
    np.testing.assert_allclose(arms.low[0], np.exp(-level), rtol=1e-4)


def test_an_anchor_depends_on_its_key_alone():
    members = np.stack([WEIGHTS, -WEIGHTS, WEIGHTS * np.nan]).astype(np.float32)
    settings = {"background": BACKGROUND, "samples": 64, "most": 2}
    whole, parts = (anchors(wavy, chunk=chunk, **settings) for chunk in (64, 5))
    xs, keys = BACKGROUND[:3] + 0.1, jax.random.split(KEY, 3)
    lanes = jax.vmap(lambda v, x, key: whole(v, x, 0, key=key), in_axes=(None, 0, 0))
    ensemble = jax.jit(jax.vmap(lanes, in_axes=(0, None, None)))(members, xs, keys)
    alone = jax.jit(lambda v, x, key: parts(v, x, 0, key=key))
    for model in range(2):
        for point in range(3):
            one, again = (alone(members[model], xs[point], keys[point]) for _ in range(2))
            jax.tree.map(np.testing.assert_array_equal, one, again)
            for name, value in one._asdict().items():
                np.testing.assert_array_equal(value, getattr(ensemble, name)[model, point])
    # A diverged member decides for no class.
    np.testing.assert_array_equal(ensemble.precision[2], 0)
    assert not ensemble.found[2].any()


def test_anchors_in_float64(x64):
    found = anchors(both_first, background=ROWS)(None, ROWS[0].astype(np.float64) * 0 + 1, 1, key=KEY)
    assert found.precision.dtype == found.coverage.dtype == np.float64
    np.testing.assert_array_equal(np.flatnonzero(found.held), [0, 1])


def test_what_cannot_be_explained_is_an_error_or_nothing():
    explain = anchors(both_first, background=ROWS)
    with pytest.raises(UsageError, match="target=2: must be a class, 0 to 1"):
        explain(None, ROWS[0], 2, key=KEY)
    with pytest.raises(UsageError, match="x='non-finite'"):
        explain(None, ROWS[0] * np.nan, 1, key=KEY)
    xs = np.stack([ROWS[0], ROWS[0] * np.nan, np.ones(5, np.float32)])
    found = jax.jit(jax.vmap(lambda x, target: explain(None, x, target, key=KEY)))(xs, np.array([2, 1, 1]))
    np.testing.assert_array_equal(found.found, [False, False, True])
    np.testing.assert_array_equal(np.isnan(found.precision), [True, True, False])
    np.testing.assert_array_equal(np.isnan(found.coverage), [True, True, False])
    np.testing.assert_array_equal(found.runs[:2], 0)
    assert not found.held[:2].any()


def test_rows_and_bad_options():
    assert set(EXAMPLE_EXPLAINERS) == {"protodash", "anchors"}
    assert EXAMPLE_EXPLAINERS["protodash"].runs((5,), background=ROWS) == 41
    assert EXAMPLE_EXPLAINERS["anchors"].runs((5,), background=ROWS) == 200 * (1 + 5 + 2 * (4 + 3 + 2))
    with pytest.raises(UsageError, match="count=41: must be at most the background's rows, 40"):
        protodash(linear, background=ROWS, count=41)
    with pytest.raises(UsageError, match=r"threshold=1\.5: must be between 0 and 1"):
        anchors(linear, background=ROWS, threshold=1.5)
    with pytest.raises(UsageError, match="samples=31: must be at least 32"):
        anchors(linear, background=ROWS, samples=31)
    with pytest.raises(UsageError, match="background='non-finite'"):
        anchors(linear, background=ROWS * np.inf)


def binary_rule(variables, x):
    return jnp.stack([0.5 - x[0], x[0] - 0.5])


@pytest.mark.parametrize(
    "values",
    [
        lambda rng: rng.uniform(size=1000) < 0.112,
        lambda rng: rng.exponential(size=1000) * (rng.uniform(size=1000) < 0.1),
    ],
)
def test_a_rule_on_a_feature_of_mostly_zeros_covers_what_it_says(values):
    # A column of few values, and one of many of which most are 0; x has one that decides the class.
    rng = np.random.default_rng(0)
    rows = np.stack([values(rng).astype(np.float32), rng.normal(size=1000).astype(np.float32)], 1)
    x = np.array([rows[:, 0].max(), 0.0], np.float32)
    found = anchors(binary_rule, background=rows, samples=1000)(None, x, 1, key=KEY)
    assert found.held.tolist() == [True, False]
    assert found.precision > 0.4
    shares = (rows[:, 0] == x[0]).mean() if len(np.unique(rows[:, 0])) < 10 else (rows[:, 0] > 0).mean()
    assert float(found.coverage) == pytest.approx(shares, abs=1e-6)


def test_precision_is_that_of_the_rule_whose_coverage_is_given():
    # The quarter of x holds both classes: a rule that fixes x's own value would be said to be sure.
    rows = np.linspace(-1, 1, 400, dtype=np.float32)[:, None]
    inside = lambda variables, x: jnp.stack([0.75 - x[0], x[0] - 0.75])
    found = anchors(inside, background=rows, samples=2000)(None, np.array([0.9], np.float32), 1, key=KEY)
    quarter = rows >= np.quantile(rows, 0.75)
    exact = np.where(quarter, rows > 0.75, True).mean()
    assert float(found.coverage) == pytest.approx(quarter.mean())
    assert float(found.precision) == pytest.approx(exact, abs=0.05)
    assert not found.held.any() or found.precision < 1
