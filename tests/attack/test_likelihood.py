"""The likelihood-ratio attack on planted Gaussian data, beside the ratio that knows the truth."""

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from leakjax._validate import UsageError
from leakjax.attack import THRESHOLDS, likelihood, lira, signals
from leakjax.attack.likelihood import CALIBRATION_POINTS, Design, enough_shadows

MODELS, POINTS = 40, 200


def planted(shift_prediction, shift_explanation, seed=0):
    """Signals around a mean of each point's own, shifted for members: the oracle knows mean and shift."""
    rng = np.random.default_rng(seed)
    membership = rng.random((MODELS, POINTS)) < 0.5

    def signal(shift):
        mean = 3 * rng.normal(size=(1, POINTS))
        noise = rng.normal(size=membership.shape)
        values = mean + noise + shift * membership
        return values[..., None].astype(np.float32), shift * (values - mean - shift / 2)

    return membership, signal(shift_prediction), signal(shift_explanation)


def mean_auc(scores, membership):
    return np.mean([roc_auc_score(m, s) for m, s in zip(membership, scores, strict=True)])


def test_the_attack_is_nearly_as_good_as_one_that_knows_the_truth():
    membership, (prediction, oracle_p), (explanation, oracle_e) = planted(1.0, 1.5)
    found, enough = lira(prediction, explanation, membership)
    assert enough.all()
    for scores, oracle in (
        (found.prediction, oracle_p),
        (found.explanation, oracle_e),
        (found.both, oracle_p + oracle_e),
    ):
        assert mean_auc(scores, membership) > mean_auc(oracle, membership) - 0.03
    assert np.all((found.weight > 0.6) & (found.weight <= 1))


def test_points_that_come_in_chunks_have_the_same_scores(monkeypatch):
    membership, (prediction, _), (explanation, _) = planted(1.0, 1.5)
    whole, _ = lira(prediction, explanation, membership, targets=np.array([3, 17]))
    monkeypatch.setattr(likelihood, "CHUNK", 64)  # the last chunk is smaller
    parts, _ = lira(prediction, explanation, membership, targets=np.array([3, 17]))
    for found, expected in zip(parts, whole, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_a_signal_that_goes_down_for_members_is_found_as_well():
    membership, (prediction, _), (explanation, oracle) = planted(-1.0, -1.5)
    found, _ = lira(prediction, explanation, membership)
    assert mean_auc(found.explanation, membership) > mean_auc(oracle, membership) - 0.03


def test_a_useless_explanation_adds_nothing():
    membership, (prediction, _), (explanation, _) = planted(1.0, 0.0)
    found, _ = lira(prediction, explanation, membership)
    assert mean_auc(found.explanation, membership) == pytest.approx(0.5, abs=0.02)
    assert mean_auc(found.both, membership) == pytest.approx(
        mean_auc(found.prediction, membership), abs=0.003
    )


def test_an_explanation_that_repeats_the_prediction_adds_nothing():
    membership, (prediction, _), _ = planted(1.0, 0.0)
    noise = 0.3 * np.random.default_rng(1).normal(size=prediction.shape)
    found, _ = lira(prediction, (5 * prediction + 5 * noise).astype(np.float32), membership)
    assert mean_auc(found.explanation, membership) > 0.65
    assert mean_auc(found.both, membership) == pytest.approx(
        mean_auc(found.prediction, membership), abs=0.005
    )


def test_flipping_a_targets_membership_changes_none_of_its_scores():
    membership, (prediction, _), (explanation, _) = planted(1.0, 1.5, seed=2)
    targets = np.array([0, 7, 39])
    before, enough = lira(prediction, explanation, membership, targets=targets)
    assert before.both.shape == (3, POINTS)
    for row, target in enumerate(targets):
        flipped = membership.copy()
        flipped[target] = ~flipped[target]
        after, enough_after = lira(prediction, explanation, flipped, targets=targets)
        np.testing.assert_array_equal(enough_after[row], enough[row])
        for name in ("prediction", "explanation", "both", "weight"):
            old, new = getattr(before, name), getattr(after, name)
            np.testing.assert_allclose(new[row], old[row], rtol=1e-3, atol=2e-3, err_msg=name)
        others = np.delete(np.arange(3), row)
        assert np.abs(after.both[others] - before.both[others]).max() > 0.02


def test_points_with_fewer_than_two_models_in_or_out_among_the_shadows_are_flagged():
    membership, (prediction, _), (explanation, _) = planted(1.0, 1.0, seed=3)
    membership[:, 0], membership[:, 1], membership[:, 2] = True, False, False
    membership[:2, 1] = True  # two in-models: enough for the others, not for these two
    membership[:3, 2] = True
    _, enough = lira(prediction, explanation, membership)
    for target in range(MODELS):
        shadows = np.delete(membership, target, axis=0).sum(axis=0)
        np.testing.assert_array_equal(enough[target], (shadows >= 2) & (MODELS - 1 - shadows >= 2))
    assert not enough[:, 0].any()
    assert enough[:, 1].tolist() == [False] * 2 + [True] * (MODELS - 2)
    assert enough[:, 2].all()


def test_flags_leave_out_target_and_calibrator():
    membership = np.zeros((6, 1), bool)
    membership[:3] = True
    design = Design.of(6, 1, np.array([0]))
    assert design.scored(6).tolist() == [[0, 1, 2, 3, 4]]
    flags = enough_shadows(membership, design.scored(6))
    # Without target 0: in-models 1, 2. Without calibrator 1 or 2 as well: one. Without 3 or 4: two out-models.
    assert flags.tolist() == [[[True], [False], [False], [True], [True]]]


def test_weights_are_learned_on_evenly_spaced_points():
    few = Design.of(16, 50, np.arange(16)).calibration_points
    np.testing.assert_array_equal(few, np.arange(50))
    many = Design.of(16, 10 * CALIBRATION_POINTS + 7, np.arange(16)).calibration_points
    assert len(np.unique(many)) == CALIBRATION_POINTS
    assert set(np.diff(many)) <= {10, 11}


def test_bad_shapes_and_too_few_models_are_named():
    membership = np.ones((5, 3), bool)
    signal = np.zeros((5, 3, 1), np.float32)
    with pytest.raises(UsageError, match="models=3: must be at least 4"):
        lira(signal[:3], signal[:3], membership[:3])
    with pytest.raises(UsageError, match=r"prediction=\(4, 3\).*shape of membership"):
        lira(signal[:4], signal, membership)
    with pytest.raises(UsageError, match=r"explanation=\(5, 2\).*shape of membership"):
        lira(signal, signal[:, :2], membership)


LOGITS = np.array([[2.0, -1.0, 0.5], [0.1, 0.2, 0.3], [-5.0, 4.0, -3.0]])


@pytest.mark.usefixtures("x64")
def test_log_odds_and_loss_against_their_definitions():
    chances = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    for logits, chance in zip(LOGITS, chances, strict=True):
        for label in range(3):
            found = signals.logit_confidence(jnp.asarray(logits), jnp.asarray(label))
            assert found == pytest.approx(np.log(chance[label] / (1 - chance[label])), rel=1e-9)
            assert signals.cross_entropy(jnp.asarray(logits), jnp.asarray(label)) == pytest.approx(
                -np.log(chance[label])
            )


def test_log_odds_stay_finite_where_the_probability_rounds_to_one():
    sure = jnp.array([60.0, -60.0, 0.0])
    np.testing.assert_allclose(signals.logit_confidence(sure, jnp.asarray(0)), 60, rtol=1e-6)
    np.testing.assert_allclose(signals.logit_confidence(sure, jnp.asarray(1)), -120, rtol=1e-6)
    np.testing.assert_allclose(signals.cross_entropy(sure, jnp.asarray(1)), 120, rtol=1e-6)


def test_attribution_signals_are_logarithms_of_norms_and_variance():
    values = np.random.default_rng(0).normal(size=(4, 3, 2))
    expected = [np.abs(values).sum(), np.linalg.norm(values), np.abs(values).max(), values.var()]
    found = signals.attribution_signals(jnp.asarray(values, jnp.float32))
    assert len(found) == len(signals.ATTRIBUTION_SIGNALS)
    np.testing.assert_allclose(found, np.log(expected), rtol=1e-5, atol=1e-6)
    assert np.isfinite(signals.attribution_signals(jnp.zeros((4, 3)))).all()


def test_global_thresholds_score_members_higher():
    # Members have the lower loss, the higher confidence, the smaller gradient.
    typical = {"loss": (0.1, 2.0), "confidence": (5.0, 0.0), "attribution_norm": (-4.0, 1.0)}
    assert set(typical) == set(THRESHOLDS)
    for name, (inside, outside) in typical.items():
        score = THRESHOLDS[name].score
        assert score(np.array([inside])) > score(np.array([outside]))
