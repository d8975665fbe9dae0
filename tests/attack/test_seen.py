"""What is read off a released prediction, beside direct formulas in float64."""

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from leakjax.attack.seen import codes_of_kind, seen
from leakjax.oracle.release import prediction_part

LOGITS = np.random.default_rng(0).normal(size=(5, 7, 4)) * 2
LABEL = np.random.default_rng(1).integers(0, 4, size=7)


def test_a_vector_gives_every_margin():
    found = seen(prediction_part("vector"), LOGITS.astype(np.float32), LABEL)
    p = softmax(LOGITS, axis=-1)
    odds = np.log(p / (1 - p))
    true = np.take_along_axis(odds, np.broadcast_to(LABEL[None, :, None], (5, 7, 1)), axis=-1)[..., 0]
    q = 1 / (1 + np.exp(-true))
    expected = [
        true,
        odds.max(axis=-1),
        -(p * np.log(p)).sum(axis=-1),
        np.log(q * (1 - q)),
        *np.moveaxis(odds, -1, 0),
    ]
    np.testing.assert_allclose(found.signals, np.stack(expected, axis=-1), rtol=1e-4, atol=1e-4)
    logs = log_softmax(LOGITS, axis=-1)
    np.testing.assert_allclose(
        found.vectors[0], logs - logs.mean(axis=-1, keepdims=True), rtol=1e-4, atol=1e-4
    )
    np.testing.assert_array_equal(found.codes[0][0], LOGITS.argmax(axis=-1))
    np.testing.assert_array_equal(found.codes[1][0], LOGITS.argmax(axis=-1) != LABEL[None])


@pytest.mark.parametrize("text", ["none", "label", "confidence(1)", "confidence(3)", "top(2)", "vector"])
def test_kinds_and_their_counts_belong_together(text):
    part = prediction_part(text)
    found = seen(part, LOGITS.astype(np.float32), LABEL)
    sizes = codes_of_kind(part, 4)
    assert len(sizes) == len(found.codes)
    for (codes, kinds), size in zip(found.codes, sizes, strict=True):
        assert np.min(kinds) >= 0
        assert np.max(kinds) < len(size)
        for code in np.unique(codes):  # at one point a code has one kind
            for point in range(7):
                assert len(np.unique(np.asarray(kinds)[:, point][np.asarray(codes)[:, point] == code])) <= 1


def test_a_label_says_nothing_of_the_confidence():
    one, other = (
        seen(prediction_part("label"), (scale * LOGITS).astype(np.float32), LABEL) for scale in (1, 5)
    )
    assert one.signals.shape == (5, 7, 0)
    np.testing.assert_array_equal(one.vectors[0], other.vectors[0])
    np.testing.assert_array_equal(one.vectors[0], np.eye(4)[LOGITS.argmax(axis=-1)])
    np.testing.assert_array_equal(one.codes[0][0], other.codes[0][0])


def test_a_rounded_confidence_is_read_as_it_stands_beside_its_class():
    found = seen(prediction_part("confidence(1)"), LOGITS.astype(np.float32), LABEL)
    chance = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=-1, keepdims=True)
    rounded = np.round(chance.max(axis=-1), 1)
    np.testing.assert_allclose(found.vectors[0][..., -1], rounded, atol=1e-6)
    np.testing.assert_allclose(found.signals[..., 2], rounded, atol=1e-6)
    right = LOGITS.argmax(axis=-1) == LABEL[None]
    np.testing.assert_allclose(found.signals[..., 3], np.where(right, rounded, -rounded), atol=1e-6)


def test_an_attacker_who_does_not_know_the_label_goes_by_the_models_vote():
    other = (LABEL + 1) % 4
    part = prediction_part("vector")
    one, two = (seen(part, LOGITS.astype(np.float32), label, label_known=False) for label in (LABEL, other))
    np.testing.assert_array_equal(one.signals, two.signals)
    votes = [np.bincount(column, minlength=4).argmax() for column in LOGITS.argmax(axis=-1).T]
    expected = seen(part, LOGITS.astype(np.float32), np.array(votes))
    np.testing.assert_array_equal(one.signals, expected.signals)


def test_a_masked_class_is_missing_and_the_rest_is_there():
    masked = LOGITS.copy()
    masked[..., 2] = -np.inf
    found = np.asarray(seen(prediction_part("vector"), masked.astype(np.float32), np.zeros(7, int)).signals)
    assert np.isfinite(found[..., :4]).all()
    assert not np.isfinite(found[..., 6]).any()
