"""No explainer is missing without a word: each is taken, or left out with its reason."""

import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.explain import EXAMPLE_EXPLAINERS, EXPLAINERS
from leakjax.papers.methods import EVERY, default_settings, methods
from tests.auditing.world import FEATURES, logits_fn

VARIABLES = {"w": np.ones((FEATURES, 2), np.float32), "b": np.zeros(2, np.float32)}
X = np.zeros(FEATURES + 1, np.float32)


def taken(texts, *, background=None, most_runs=10_000):
    return methods(texts, logits_fn, VARIABLES, X, background, (), most_runs=most_runs)


def test_every_method_is_taken_or_left_out_with_a_reason():
    found = taken((EVERY,), background=X[None], most_runs=100)
    names = [one.name for one in found.named] + [one.name for one in found.left_out]
    assert sorted(names) == sorted([*EXPLAINERS, *EXAMPLE_EXPLAINERS])
    why = {one.name: one.why for one in found.left_out}
    assert "128 runs" in why["exact_shapley"]
    assert "layer" in why["gradcam"] or "convolution" in why["gradcam"]
    assert "no map" in why["anchors"]
    assert "gradient" not in why


def test_what_needs_a_background_says_so():
    assert (
        "background"
        in {one.name: one.why for one in taken(("feature_permutation",)).left_out}["feature_permutation"]
    )


def test_masking_methods_of_images_work_on_cells():
    assert "lime(grid=4)" in default_settings((8, 8, 1))
    assert "lime" in default_settings((20,))
    assert "gradient" in default_settings((8, 8, 1))


def test_an_unknown_name_is_the_users_to_mend():
    with pytest.raises(UsageError, match="gradient"):
        taken(("gradiant",))
