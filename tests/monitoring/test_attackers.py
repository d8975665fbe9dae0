"""Each attack against the truth that it is after, in a world whose network is known."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from leakjax.monitoring import attackers
from leakjax.monitoring import world as worlds
from leakjax.monitoring.attackers.students import agreement

pytestmark = pytest.mark.slow  # each attack is a program of its own

QUERIES = 120


def played(world, name, seed=0, **options):
    own, site = world.of_target(0), attackers.site(world, jax.random.key(seed))
    attack = attackers.make(world)[name]
    run = jax.jit(lambda site: attackers.play(attack, own, site, QUERIES, **options))
    return site, attack, run(site)


def log_probability(world, x):
    """In float64, by NumPy."""
    network = jax.tree.map(lambda leaf: np.asarray(leaf[0], np.float64), world.variables)["params"]
    inside = np.maximum(x @ network["inside"]["kernel"] + network["inside"]["bias"], 0)
    logits = inside @ network["outside"]["kernel"] + network["outside"]["bias"]
    return logits - np.log(np.exp(logits - logits.max()).sum()) - logits.max()


def gradient(world, x, label):
    step = 1e-6 * np.eye(len(x))
    value = lambda x: log_probability(world, x)[label]
    return np.array([(value(x + h) - value(x - h)) / 2e-6 for h in step])


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def test_the_service_answers_log_probabilities_and_their_gradient(world):
    x = np.asarray(world.pool[5], np.float64)
    said = worlds.answer(world.of_target(0), world.pool[5], jnp.asarray(2))
    np.testing.assert_allclose(said.log_probability, log_probability(world, x), atol=1e-5)
    np.testing.assert_allclose(said.explanation, gradient(world, x, 2), atol=1e-4)


def test_a_site_has_others_of_other_classes_alone(world):
    for seed in range(5):
        site = attackers.site(world, jax.random.key(seed))
        rows = [
            int(np.flatnonzero((np.asarray(world.pool) == x).all(axis=1))[0]) for x in np.asarray(site.others)
        ]
        assert not np.any(np.asarray(world.label)[rows] == site.label)
        assert site.wanted != site.label


def test_differences_know_the_gradient_when_every_feature_was_moved(world):
    site, _, result = played(world, "finite_differences")
    moved = np.asarray(result.queries) - np.asarray(site.x)
    assert np.all((np.abs(moved[1:13]) > 0).sum(axis=1) == 1)
    assert sorted(np.abs(moved[1:13]).argmax(axis=1)) == list(range(12))
    truth = gradient(world, np.asarray(site.x, np.float64), int(site.label))
    after = [np.zeros(12)]
    step, base = moved[1].max(), log_probability(world, np.asarray(result.queries[0], np.float64))
    for x, change in zip(np.asarray(result.queries[1:13], np.float64), moved[1:13], strict=True):
        value = (log_probability(world, x) - base)[int(site.label)] / step
        after.append(np.where(np.abs(change) > 0, value, after[-1]))
    expected = [0.0, *(cosine(one, truth) if one.any() else 0.0 for one in after[1:])]
    np.testing.assert_allclose(result.progress[:13], expected, atol=2e-2)
    assert result.progress[12] > 0.95


def test_nes_comes_nearer_with_every_pair(world):
    site, _, result = played(world, "nes")
    pairs = np.asarray(result.queries, np.float64).reshape(-1, 2, 12)
    np.testing.assert_allclose(pairs.mean(axis=1), np.tile(site.x, (60, 1)), atol=1e-5)
    value = lambda x: log_probability(world, x)[int(site.label)]
    estimate = sum((value(a) - value(b)) * (a - b) for a, b in pairs)
    truth = gradient(world, np.asarray(site.x, np.float64), int(site.label))
    assert float(result.progress[-1]) == pytest.approx(cosine(estimate, truth), abs=0.02)
    assert result.progress[-1] > 0.8 > result.progress[1]


def test_masks_give_the_ridge_regression_on_what_was_shown(world):
    site, _, result = played(world, "lime_masks")
    queries, x = np.asarray(result.queries), np.asarray(site.x)
    hidden = queries == world.low
    assert np.all(hidden | (queries == x))
    assert 0.4 < hidden.mean() < 0.6
    assert result.progress[-1] > 0.95
    rows = np.concatenate([(~hidden) - 0.5, np.ones((QUERIES, 1))], axis=1)
    values = [log_probability(world, q.astype(np.float64))[int(site.label)] for q in queries]
    own = np.linalg.solve(rows.T @ rows + np.eye(13), rows.T @ values)[:-1]
    all_masks = np.array(np.meshgrid(*[[0, 1]] * 12, indexing="ij")).reshape(12, -1).T
    exact = np.array(
        [
            log_probability(world, np.where(mask == 1, x, world.low).astype(np.float64))[int(site.label)]
            for mask in all_masks
        ]
    )
    weights = np.linalg.lstsq(np.c_[all_masks, np.ones(len(exact))], exact, rcond=None)[0][:-1]
    assert float(result.progress[-1]) == pytest.approx(cosine(own, weights), abs=0.02)


def test_a_line_is_halved_at_the_boundary_by_labels_alone(world):
    site, attack, result = played(world, "line_search")
    queries = np.asarray(result.queries, np.float64)
    label = [int(log_probability(world, x).argmax()) for x in queries]
    assert label[0] != int(site.label) or np.allclose(queries[0], site.others[0], atol=1e-5)
    assert 0 < result.progress[-1] <= attack.goal == 1.0
    assert np.all(np.diff(np.asarray(result.progress)) >= 0)
    # Some queries in a row come within a thousandth of a line of a point where the label changes.
    close = [
        i
        for i in range(1, QUERIES)
        if label[i] != label[i - 1]
        and np.linalg.norm(queries[i] - queries[i - 1]) < 5e-3 * np.linalg.norm(queries[i])
    ]
    assert len(close) >= 1


def test_hyperplanes_that_are_counted_are_those_of_hidden_units(world):
    best = 0.0
    for seed in range(3):
        _, _, result = played(world, "hyperplanes", seed)
        progress = np.asarray(result.progress)
        assert np.all(np.diff(progress) >= 0)
        best = max(best, progress[-1])
    assert best >= 3 / 8  # of five lines of 22 queries
    straight = world._replace(
        variables=jax.tree.map(lambda leaf: leaf, world.variables)
        | {
            "params": {
                **world.variables["params"],
                "inside": {**world.variables["params"]["inside"], "bias": jnp.full((1, 10), 1e3)},
            }
        }
    )
    assert played(straight, "hyperplanes")[2].progress[-1] == 0  # a linear model has none


def test_ascent_follows_the_explanation_to_the_wanted_class(world):
    site, _, result = played(world, "ascent")
    first, second = np.asarray(result.queries[:2], np.float64)
    np.testing.assert_allclose(first, np.asarray(world.owned).mean(axis=0), atol=1e-5)
    along = gradient(world, first, int(site.wanted))
    assert cosine(second - first, along) > 0.999
    assert result.progress.max() > 1.5 * np.exp(log_probability(world, first)[int(site.wanted)])
    truth = [
        np.exp(log_probability(world, np.asarray(x, np.float64))[int(site.wanted)])
        for x in result.queries[1:21]
    ]
    np.testing.assert_allclose(result.progress[:20], truth, atol=1e-4)


def test_noise_is_uniform_and_real_points_are_records(world):
    noise = np.asarray(played(world, "uniform_noise")[2].queries)
    assert world.low <= noise.min() < world.low + 0.1
    assert noise.mean() == pytest.approx((world.low + world.high) / 2, abs=0.15)
    real = np.asarray(played(world, "real_points")[2].queries)
    pool = {x.tobytes() for x in np.asarray(world.pool)}
    assert len({x.tobytes() for x in real[:90]} & pool) == 90  # each once before any comes again


def test_copies_of_more_answers_agree_more_and_unheard_answers_teach_nothing(world):
    _, _, result = played(world, "real_points")
    own, key = world.of_target(0), jax.random.key(0)
    heard = agreement(world, own, result, jnp.ones(QUERIES, bool), key)
    assert heard[3] == 0.0
    assert heard[-1] > 0.9
    unheard = agreement(world, own, result, jnp.zeros(QUERIES, bool), key)
    assert len(set(unheard[4:])) == 1
    assert unheard[-1] < heard[-1]


@pytest.mark.parametrize("action", ["coarsen", "cache", "refuse"])
def test_after_the_alarm_an_attack_hears_what_the_action_lets_it(world, action):
    _, _, plain = played(world, "finite_differences")
    _, _, guarded = played(world, "finite_differences", action=action, alarm=5)
    before, after = np.asarray(plain.progress), np.asarray(guarded.progress)
    np.testing.assert_allclose(after[:4], before[:4], atol=1e-6)
    if action == "refuse":
        assert np.ptp(after[3:]) == 0
    assert after[12] < before[12]
    _, _, never = played(world, "finite_differences", action=action, alarm=0)
    np.testing.assert_allclose(never.progress, before, atol=1e-6)
