"""The stacked attack: as strong as one that knows the truth, blind to the target's membership, hard to break."""

import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.attack.stacked import Answers, Discrete, attack
from tests.attack.planted import answers, mean_auc, planted

NOTHING = answers(np.zeros((32, 200, 0)))


def test_it_is_nearly_as_good_as_one_that_knows_the_truth():
    membership, signals, oracle = planted([1.0, -1.5])
    found, valid = attack(answers(signals[..., :1]), answers(signals[..., 1:]), membership)
    assert valid.all()
    assert mean_auc(found.both, membership) > mean_auc(oracle, membership) - 0.03
    assert mean_auc(found.both, membership) > mean_auc(found.explanation, membership) + 0.02
    assert mean_auc(found.explanation, membership) > mean_auc(found.prediction, membership) + 0.05


def test_a_map_that_leaks_in_a_direction_of_its_own_at_each_point_is_found():
    generator = np.random.default_rng(1)
    membership = generator.random((32, 200)) < 0.5
    direction = generator.normal(size=(1, 200, 20)) / 20**0.5
    maps = generator.normal(size=(32, 200, 20)) + 5 * membership[..., None] * direction
    found, _ = attack(NOTHING, Answers(NOTHING.signals, (maps.astype(np.float32),)), membership)
    assert mean_auc(found.explanation, membership) > 0.9


def test_an_explanation_that_says_nothing_changes_little():
    membership, signals, _ = planted([1.5, 0.0])
    found, _ = attack(answers(signals[..., :1]), answers(signals[..., 1:]), membership)
    assert abs(mean_auc(found.both, membership) - mean_auc(found.prediction, membership)) < 0.01
    assert abs(mean_auc(found.explanation, membership) - 0.5) < 0.02


def test_the_prediction_dressed_as_an_explanation_adds_nothing():
    membership, signals, _ = planted([1.5])
    dressed = Answers(np.tanh(signals / 9), (np.repeat(signals, 4, axis=-1),))
    found, _ = attack(answers(signals), dressed, membership)
    assert abs(mean_auc(found.both, membership) - mean_auc(found.prediction, membership)) < 0.005


def everything(kind, seed=3):
    """A signal, two maps and a discrete answer, of the kind of values that rounding could give away."""
    generator = np.random.default_rng(seed)
    membership = generator.random((16, 60)) < 0.5
    noise = generator.normal(size=(16, 60, 6))
    values = {
        "random": noise + membership[..., None],
        "constant": 0 * noise + 0.7,
        "jittered": 0.7 + 1e-7 * noise,
    }
    values = values[kind].astype(np.float32)
    codes = (noise[..., 0] > 0).astype(int) if kind == "random" else np.zeros((16, 60), int)
    return membership, Answers(
        values[..., :3], (values, values[..., 2:]), (Discrete(codes, codes, np.ones(2)),)
    )


@pytest.mark.parametrize("kind", ["random", "constant", "jittered"])
def test_flipping_the_membership_of_a_target_changes_no_bit_of_its_scores(kind):
    membership, seen = everything(kind)
    before, _ = attack(seen, seen, membership)
    for target in (0, 5, 15):
        flipped = membership.copy()
        flipped[target] = ~flipped[target]
        after, _ = attack(seen, seen, flipped)
        for old, new in zip(before, after, strict=True):
            np.testing.assert_array_equal(old[target], new[target])


@pytest.mark.parametrize("kind", ["constant", "jittered"])
def test_what_rounding_alone_holds_scores_nothing(kind):
    membership, seen = everything(kind)
    found, valid = attack(seen, seen, membership)
    for scores in found:
        assert abs(mean_auc(scores, membership, valid) - 0.5) < 0.06


def test_one_nan_costs_its_own_point_in_its_own_model():
    membership, signals, _ = planted([2.0])
    clean, _ = attack(answers(signals), NOTHING, membership)
    signals[3, 7] = np.nan
    found, valid = attack(answers(signals), NOTHING, membership)
    expected = np.ones_like(valid)
    expected[3, 7] = False
    np.testing.assert_array_equal(valid, expected)
    assert np.isfinite(found.prediction).all()
    assert mean_auc(found.prediction, membership) > mean_auc(clean.prediction, membership) - 0.005


def test_masked_logits_cost_nothing_but_themselves():
    membership, signals, _ = planted([2.0, 0.0, 0.0])
    clean, _ = attack(Answers(signals, (signals,)), NOTHING, membership)
    signals[..., 2] = -np.inf
    found, valid = attack(Answers(signals, (signals,)), NOTHING, membership)
    assert valid.all()
    assert mean_auc(found.prediction, membership) > mean_auc(clean.prediction, membership) - 0.005


@pytest.mark.parametrize("scale", [1e18, 1e-18])
def test_the_unit_of_a_signal_does_not_matter(scale):
    membership, signals, _ = planted([1.0])
    expected, _ = attack(Answers(signals, (signals,)), NOTHING, membership)
    found, _ = attack(
        Answers(signals * np.float32(scale), (signals * np.float32(scale),)), NOTHING, membership
    )
    assert abs(mean_auc(found.prediction, membership) - mean_auc(expected.prediction, membership)) < 0.01


def test_groups_that_lie_3000_standard_deviations_apart_are_told_apart():
    membership, signals, _ = planted([3000.0])
    found, valid = attack(answers(signals), NOTHING, membership)
    assert mean_auc(found.prediction, membership, valid) > 0.999


def test_one_model_whose_answers_are_a_thousand_times_as_large_does_not_ruin_the_others():
    membership, signals, _ = planted([1.0])
    others = np.arange(32) != 4
    maps = np.concatenate([signals, signals[..., ::-1] + 1], axis=-1)
    clean, _ = attack(Answers(signals, (maps,)), NOTHING, membership)
    signals[4] *= 1000
    maps[4] *= 1000
    found, _ = attack(Answers(signals, (maps,)), NOTHING, membership)
    expected = mean_auc(clean.prediction[others], membership[others])
    assert mean_auc(found.prediction[others], membership[others]) > expected - 0.02


def test_maps_of_zeros_do_not_hide_the_others():
    membership, signals, _ = planted([1.0])
    clean, _ = attack(answers(signals), NOTHING, membership)
    zero = np.random.default_rng(5).random(membership.shape) < 0.2
    signals[zero] = -np.inf  # the logarithm of the norm of a map of zeros
    found, valid = attack(answers(signals), NOTHING, membership)
    np.testing.assert_array_equal(valid, ~zero)
    assert mean_auc(found.prediction, membership, valid) > mean_auc(clean.prediction, membership) - 0.02


def test_discrete_answers_reach_the_ratio_of_one_who_knows_their_rates():
    generator = np.random.default_rng(6)
    membership = generator.random((32, 400)) < 0.5
    base = generator.random((1, 400)) * 0.8
    rates = np.where(membership, 0.95, base)
    right = generator.random((32, 400)) < rates
    seen = Answers(
        np.zeros((32, 400, 0), np.float32), (), (Discrete(right.astype(int), right.astype(int), np.ones(2)),)
    )
    oracle = np.where(right, np.log(0.95 / (base + 1e-9)), np.log(0.05 / (1 - base)))
    nothing = answers(np.zeros((32, 400, 0)))
    found, _ = attack(seen, nothing, membership)
    assert mean_auc(found.prediction, membership) > mean_auc(oracle, membership) - 0.02


def test_on_no_leakage_it_finds_none():
    aucs = []
    for seed in range(4):
        membership, signals, _ = planted([0.0, 0.0, 0.0], seed=seed)
        found, _ = attack(answers(signals), Answers(signals, (signals,)), membership)
        aucs.append([mean_auc(scores, membership) for scores in found])
    assert np.abs(np.mean(aucs, axis=0) - 0.5).max() < 0.01


def test_shapes_that_disagree_and_wrong_targets_are_named():
    membership, signals, _ = planted([1.0])
    with pytest.raises(UsageError, match="explanation"):
        attack(answers(signals), answers(signals[:, :10]), membership)
    with pytest.raises(UsageError, match="targets"):
        attack(answers(signals), answers(signals), membership, targets=np.array([40]))
