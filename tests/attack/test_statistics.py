"""Statistics, filters, features and weights beside slow float64 oracles."""

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression

from leakjax.attack import categorical, features, logistic
from leakjax.attack.filters import filters
from leakjax.attack.map_signals import MAP_SIGNALS, map_signals
from leakjax.attack.roles import CALIBRATORS, Pairs, enough, roles
from leakjax.attack.statistics import settle, statistics


@pytest.fixture(name="world")
def _world():
    generator = np.random.default_rng(0)
    membership = generator.random(16) < 0.5
    return membership, generator.normal(size=(16, 3)).astype(np.float32) + 5, roles(16, np.arange(16))


def test_no_role_knows_the_group_or_the_calibrator():
    plan = roles(16, np.array([1, 2, 7]))
    assert plan.scored.tolist()[:3] == [1, 2, 7]
    assert not plan.known[np.arange(len(plan.scored)), plan.scored].any()
    for group in range(plan.groups):
        targets, calibrators = plan.of(group)
        assert not plan.known[np.concatenate([targets, calibrators])][:, plan.scored[targets]].any()
        assert len(calibrators) == CALIBRATORS
        assert not set(plan.scored[calibrators]) & set(plan.scored[targets])
        assert (plan.known[targets].sum(axis=1) == 16 - len(targets)).all()


def test_enough_counts_the_models_that_are_known(world):
    membership, _, plan = world
    expected = [min(membership[k].sum(), (~membership[k]).sum()) >= 2 for k in plan.known]
    np.testing.assert_array_equal(enough(membership[:, None], plan.known)[:, 0], expected)


def test_statistics_are_those_of_the_known_models(world):
    membership, signals, plan = world
    pairs = plan.pairs
    found = statistics(signals, membership, pairs.known, pairs.scored, pairs.of)
    settled = (signals.astype(float) - np.asarray(found.centre)) / np.asarray(found.spread)
    assert np.abs(settled).max() < 6  # nothing is cut here
    for pair, (model, known) in enumerate(zip(plan.scored, plan.known, strict=True)):
        inside, outside = settled[known & membership], settled[known & ~membership]
        np.testing.assert_allclose(found.answer[pair], settled[model], atol=1e-5)
        np.testing.assert_allclose(found.mean_in[pair], inside.mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(found.variance_in[pair], np.maximum(inside.var(axis=0), 1e-5), atol=1e-5)
        np.testing.assert_allclose(found.variance_out[pair], np.maximum(outside.var(axis=0), 1e-5), atol=1e-5)
        assert found.count_out[pair, 0] == (known & ~membership).sum()


def test_settled_signals_are_blind_to_unit_and_bounded():
    signals = np.array([[1.0], [2.0], [3.0], [4.0], [1e30], [np.nan]], np.float32)
    found = settle(signals)
    assert found.values[4, 0] == 6
    assert found.values[5, 0] == 0
    assert not found.present[5, 0]
    np.testing.assert_allclose(found.values[:4, 0] * found.spread + found.centre, [1, 2, 3, 4], rtol=1e-5)


def test_filters_are_bilinear_forms_in_mean_maps(world):
    membership, _, plan = world
    maps = np.random.default_rng(1).normal(size=(16, 7)).astype(np.float32)
    found = np.asarray(filters(maps, membership, plan.pairs))
    lengths = np.linalg.norm(maps.astype(float), axis=1)
    unit = maps / lengths[:, None]
    raw = maps / np.exp(np.median(np.log(lengths)))
    centred = raw - raw.mean(axis=0)
    variance = centred.var(axis=0)
    whitened = raw / np.sqrt(0.8 * variance + 0.2 * variance.mean()) / 7**0.5
    for pair, (model, known) in enumerate(zip(plan.scored, plan.known, strict=True)):
        for at, seen in enumerate((raw, unit, whitened)):
            inside, outside = seen[known & membership].mean(axis=0), seen[known & ~membership].mean(axis=0)
            ratio = (inside - outside) @ (seen[model] - (inside + outside) / 2)
            np.testing.assert_allclose(found[pair, 2 * at], ratio, atol=2e-5)
            np.testing.assert_allclose(
                found[pair, 2 * at + 1], ratio / np.linalg.norm(inside - outside), rtol=1e-3, atol=1e-4
            )


def test_map_signals_say_what_their_names_say():
    generator = np.random.default_rng(2)
    maps, x = generator.normal(size=(2, 3, 4, 4, 1)), generator.normal(size=(3, 4, 4, 1))
    found = dict(zip(MAP_SIGNALS, np.moveaxis(np.asarray(map_signals(maps, x)), -1, 0), strict=True))
    flat, size = maps.reshape(2, 3, 16), np.abs(maps.reshape(2, 3, 16))
    norm, share = np.linalg.norm(flat, axis=-1), size / size.sum(axis=-1, keepdims=True)
    along = (flat * x.reshape(3, 16)).sum(axis=-1)
    rough = np.abs(np.diff(maps, axis=2)).sum(axis=(2, 3, 4)) + np.abs(np.diff(maps, axis=3)).sum(
        axis=(2, 3, 4)
    )
    expected = {
        "log_l1": np.log(size.sum(axis=-1)),
        "log_l2": np.log(norm),
        "log_linf": np.log(size.max(axis=-1)),
        "log_variance": np.log(flat.var(axis=-1)),
        "sum": flat.sum(axis=-1),
        "sum_over_norm": flat.sum(axis=-1) / norm,
        "directional": along,
        "directional_over_norm": along / norm,
        "hoyer": 4 - size.sum(axis=-1) / norm,
        "entropy": -(share * np.log(share)).sum(axis=-1),
        "largest_share": share.max(axis=-1),
        "top_share": share.max(axis=-1),  # a tenth of 16 features is one
        "log_total_variation": np.log(rough),
    }
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-5, err_msg=name)


def test_a_map_of_zeros_has_sums_and_nothing_else():
    found = np.asarray(map_signals(np.zeros((1, 1, 9)), np.ones((1, 9))))[0, 0]
    finite = [name for name, value in zip(MAP_SIGNALS, found, strict=True) if np.isfinite(value)]
    assert finite == ["sum", "sum_over_norm", "directional", "directional_over_norm"]
    assert np.nansum(np.abs(np.where(np.isfinite(found), found, 0))) == 0


def test_large_maps_do_not_overflow():
    maps = np.random.default_rng(3).normal(size=(1, 1, 500)).astype(np.float32) * np.float32(1e18)
    found = np.asarray(map_signals(maps, np.ones((1, 500), np.float32)))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[0, 0, 1], np.log(np.linalg.norm(maps.astype(float))), rtol=1e-5)


def test_the_student_feature_is_a_ratio_of_densities(world):
    membership, signals, plan = world
    many = [statistics(signals + shift, membership, plan.known, plan.scored) for shift in (0, 1, 2)]
    stacked = type(many[0])(
        *(np.stack([np.asarray(leaf) for leaf in leaves], axis=-1) for leaves in zip(*many, strict=True))
    )
    pooled = features.pool(type(stacked)(*(leaf[0] for leaf in stacked[:-2]), *stacked[-2:]))
    found = features.features(stacked, pooled, ("student", "z_in", "z_out", "deviation"))
    student, z_in, z_out, _ = np.split(found, 4, axis=1)
    # The shrunk standard deviations follow from the distance of the two z-scores' zeros; take them from statistics.
    s, scale = stacked, stacked.spread / pooled.unit
    of_in = np.sqrt((s.count_in * s.variance_in * scale**2 + 8 * pooled.variance_in) / (s.count_in + 8))
    of_out = np.sqrt((s.count_out * s.variance_out * scale**2 + 8 * pooled.variance_out) / (s.count_out + 8))
    expected = stats.t.logpdf(z_in, s.count_in + 8) - np.log(of_in)
    expected -= stats.t.logpdf(z_out, s.count_out + 8) - np.log(of_out)
    # The constants of the two densities differ with the counts and not with the answer.
    expected -= stats.t.logpdf(0, s.count_in + 8) - stats.t.logpdf(0, s.count_out + 8)
    np.testing.assert_allclose(student, expected, rtol=1e-3, atol=1e-3)


def fitted(columns, member, folds, offset=None, **options):
    """The fit to samples [samples, features], each fold as many that follow each other."""
    apart = lambda samples: samples.reshape(folds, -1)
    features = columns.reshape(folds, -1, columns.shape[1]).swapaxes(1, 2)
    offset = None if offset is None else apart(offset)
    return logistic.fit(
        [features], apart(member), np.ones((folds, len(member) // folds), bool), offset, **options
    )


def test_samples_that_are_not_valid_weigh_nothing():
    generator = np.random.default_rng(8)
    features = generator.normal(size=(3, 5, 200)).astype(np.float32)
    member = generator.random((3, 200)) < 0.5
    valid = np.broadcast_to(np.arange(200) < 150, member.shape)
    spoiled = np.where(valid[:, None], features, 100.0).astype(np.float32)
    few = logistic.fit([features[:, :2, :150], features[:, 2:, :150]], member[:, :150], valid[:, :150])
    for whole in (features, spoiled):
        found = logistic.fit([whole], member, valid)
        np.testing.assert_allclose(found.weights, few.weights, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(found.bias, few.bias, rtol=1e-4, atol=1e-6)


def test_weights_are_those_of_scikit_learn():
    generator = np.random.default_rng(4)
    columns = generator.normal(size=(500, 3)).astype(np.float32) * [1, 10, 0.1]
    member = generator.random(500) < 1 / (1 + np.exp(-columns @ [1.0, -0.1, 5.0]))
    found = fitted(columns, member, 4, ridges=(1.0,))
    scale = np.sqrt((columns**2).mean(axis=0))
    known = LogisticRegression(C=1.0, tol=1e-8).fit(columns / scale, member)
    np.testing.assert_allclose(found.weights * scale, known.coef_[0], rtol=2e-3)
    np.testing.assert_allclose(found.bias, known.intercept_[0], atol=2e-3)


def test_what_the_offset_says_is_not_learned_again():
    generator = np.random.default_rng(5)
    column = generator.normal(size=(4000, 1)).astype(np.float32)
    member = generator.random(4000) < 1 / (1 + np.exp(-2 * column[:, 0]))
    found = fitted(column, member, 4, 2 * column[:, 0])
    assert abs(found.weights[0]) < 0.15


def test_noise_beside_an_offset_is_worth_next_to_nothing_and_a_leak_all_of_it():
    generator = np.random.default_rng(6)
    noise = generator.normal(size=(1600, 200)).astype(np.float32)
    offset, leak = generator.normal(size=(2, 1600)).astype(np.float32)
    member = generator.random(1600) < 1 / (1 + np.exp(-offset - leak))
    unworthy = fitted(noise, member, 8, offset)
    assert np.std(unworthy.log_odds(noise.T)) < 0.1
    # Unchosen, a weak ridge learns the noise.
    overfit = fitted(noise, member, 8, ridges=(1.0,))
    assert np.std(overfit.log_odds(noise.T)) > 0.5
    beside = np.column_stack([noise, leak])
    worthy = fitted(beside, member, 8, offset)
    assert np.corrcoef(worthy.log_odds(beside.T), leak)[0, 1] > 0.8


def test_the_ridge_that_is_chosen_is_the_best_on_folds_left_out():
    generator = np.random.default_rng(7)
    columns = generator.normal(size=(600, 60)).astype(np.float32)
    member = generator.random(600) < 1 / (1 + np.exp(-0.5 * columns[:, 0]))
    folds, ridges = np.repeat(np.arange(4), 150), (0.1, 10.0, 1000.0)
    scale = np.sqrt((columns**2).mean(axis=0))

    def left_out(ridge: float) -> float:
        loss = 0.0
        for fold in range(4):
            fitted = LogisticRegression(C=1 / ridge).fit(
                columns[folds != fold] / scale, member[folds != fold]
            )
            odds = fitted.decision_function(columns[folds == fold] / scale)
            loss += np.sum(np.logaddexp(0, odds) - member[folds == fold] * odds)
        return loss

    found = fitted(columns, member, 4, ridges=ridges)
    best = LogisticRegression(C=1 / min(ridges, key=left_out)).fit(columns / scale, member)
    np.testing.assert_allclose(found.weights * scale, best.coef_[0], atol=5e-3)


def test_counts_and_ratios_of_discrete_answers():
    codes, kinds = np.array([3, 3, 5, 3, 5, 3]), np.array([0, 0, 1, 0, 1, 0])
    membership = np.array([True, True, True, False, False, False])
    known = np.array([[False, True, True, True, True, True]])
    found = categorical.counts(codes, kinds, membership, Pairs(known, np.array([0]), np.array([0])))
    assert [float(leaf[0]) for leaf in found] == [1, 2, 2, 3, 0]
    rates = np.array([[0.5, 0.5], [0.8, 0.2]])
    at_points = categorical.Counts(*(np.asarray(leaf)[:, None] for leaf in found))
    ratios = categorical.log_ratios(at_points, rates, np.array([1, 4]))[0, :, 0]
    np.testing.assert_allclose(ratios[0], np.log(0.8 / 0.5), rtol=1e-6)
    np.testing.assert_allclose(ratios[2], np.log((1 + 2 * 0.8) / 4 / ((2 + 2 * 0.5) / 5)), rtol=1e-6)
