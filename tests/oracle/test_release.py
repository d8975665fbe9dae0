"""Policies: what is read, what is shown, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.oracle.release import ExplanationPart, Release, prediction_part, show

LOGITS = jnp.array([1.0, 3.0, 2.0, -1.0])


@pytest.mark.parametrize("text", ["none", "label", "top(2)", "confidence(1)", "vector"])
def test_names_are_read_back(text):
    assert prediction_part(f" {text} ").name == text


@pytest.mark.parametrize("text", ["top", "top(0)", "confidence(9)", "labels", "vector(2)", "top(2"])
def test_other_texts_are_refused(text):
    with pytest.raises(UsageError):
        Release(prediction=text)


def test_what_is_shown_of_a_prediction():
    probabilities = np.exp(LOGITS) / np.exp(LOGITS).sum()
    seen = {
        name: show(prediction_part(name), LOGITS)
        for name in ("none", "label", "top(2)", "confidence(1)", "vector")
    }
    assert seen["none"].classes.size == seen["none"].probabilities.size == 0
    assert seen["label"].classes.tolist() == [1]
    assert seen["label"].probabilities.size == 0
    assert seen["top(2)"].classes.tolist() == [1, 2]
    np.testing.assert_allclose(seen["top(2)"].probabilities, probabilities[[1, 2]], rtol=1e-5)
    np.testing.assert_allclose(
        seen["confidence(1)"].probabilities, [np.round(probabilities[1], 1)], rtol=1e-6
    )
    np.testing.assert_allclose(seen["vector"].probabilities, np.log(probabilities), rtol=1e-5)


def test_a_label_does_not_change_with_the_confidence_behind_it():
    one, other = (show(prediction_part("label"), scale * LOGITS) for scale in (1.0, 9.0))
    assert all(
        np.array_equal(a, b) for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    )


def test_explanations_of_a_release():
    release = Release("label", (ExplanationPart("gradient"), ExplanationPart("lrp", "true")))
    assert release.queries == 2
    assert release.part.kind == "label"
    with pytest.raises(UsageError, match="explained_class"):
        ExplanationPart("gradient", "best")
    with pytest.raises(UsageError, match="explained_by"):
        Release("label", (), explained_by={"w": 1})
