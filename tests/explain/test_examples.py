"""Explanations by examples and rules: ProtoDash and Anchors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import nnls

from leakjax._validate import UsageError
from leakjax.explain import EXAMPLE_EXPLAINERS, Segments, anchors, protodash
from leakjax.explain.protodash import choose

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


def test_rows_and_bad_options():
    assert set(EXAMPLE_EXPLAINERS) == {"protodash", "anchors"}
    assert EXAMPLE_EXPLAINERS["protodash"].evaluations((5,), background=ROWS) == 41
    assert EXAMPLE_EXPLAINERS["anchors"].evaluations((5,), background=ROWS) == (1 + 4 * 2 * 5) * 100
    with pytest.raises(UsageError, match="count=41: must be at most the background's rows, 40"):
        protodash(linear, background=ROWS, count=41)
    with pytest.raises(UsageError, match=r"threshold=1\.5: must be between 0 and 1"):
        anchors(linear, background=ROWS, threshold=1.5)
