"""LRP's rules by kind of layer and its rule for bounded inputs, against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.explain import lrp, tag

RNG = np.random.default_rng(0)
KERNEL, DENSE, BIAS = RNG.normal(size=(3, 1, 2)), RNG.normal(size=(12, 4)), RNG.normal(size=4)
LAST = RNG.normal(size=(4, 3))
X = np.array([0.0, 0.3, 1.0, 0.0, 0.7, 0.2])


def network(variables, x):
    """A convolution over a series of 6, a hidden layer with a bias, logits."""
    h = jax.lax.conv_general_dilated(
        x[None, :, None], KERNEL, (1,), "SAME", dimension_numbers=("NWC", "WIO", "NWC")
    )
    h = jax.nn.relu(jax.nn.relu(h.reshape(-1)) @ DENSE + BIAS)
    return h @ LAST


def as_matrix():
    """The convolution as a matrix [6, 12]."""
    matrix = np.zeros((6, 6, 2))
    for out in range(6):
        for tap in range(3):
            if 0 <= out + tap - 1 < 6:
                matrix[out + tap - 1, out] = KERNEL[tap, 0]
    return matrix.reshape(6, 12)


def relevance(first, dense, x, target):
    """Layer by layer; `first(a, w)` and `dense(a, w, b)` are contributions [in, out] and denominators [out]."""
    wide = np.maximum(x @ as_matrix(), 0)
    deep = np.maximum(wide @ DENSE + BIAS, 0)
    found = np.eye(3)[target] * (deep @ LAST)
    for a, w, b, rule in ((deep, LAST, 0, dense), (wide, DENSE, BIAS, dense), (x, as_matrix(), 0, first)):
        parts, total = rule(a, w, b)
        found = (parts / (total + 1e-9 * np.where(total < 0, -1, 1))) @ found
    return found


def epsilon(a, w, b):
    return a[:, None] * w, a @ w + b


def plus(a, w, b):
    high = np.maximum(a[:, None] * w, 0)
    return high, high.sum(0) + np.maximum(b, 0)


def box(a, w, b):
    parts = a[:, None] * w - 0.0 * np.maximum(w, 0) - 1.0 * np.minimum(w, 0)
    return parts, parts.sum(0) + b


def gamma(a, w, b):
    raised = w + 0.25 * np.maximum(w, 0)
    return a[:, None] * raised, a @ raised + b + 0.25 * np.maximum(b, 0)


@pytest.mark.parametrize(
    ("rule", "first", "dense"),
    [
        ({"convolution": "z_plus", "dense": "epsilon"}, plus, epsilon),
        ("epsilon_plus", plus, epsilon),
        ({"first": "gamma", "convolution": "z_plus", "dense": "epsilon"}, gamma, epsilon),
        ({"first": "z_box", "dense": "gamma"}, box, gamma),
        ("epsilon_gamma_box", box, epsilon),
    ],
)
def test_rules_by_kind_are_those_of_numpy(x64, rule, first, dense):
    bounds = {"low": 0.0, "high": 1.0} if first is box else {}
    found = lrp(network, rule=rule, epsilon=1e-9, **bounds)(None, X, 1)
    expected = relevance(first, dense, X, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
    # What is 0 carries relevance under z_box, where a high bound above it would have said otherwise.
    assert (np.abs(expected[0]) > 1e-3) == (first is box)


def test_a_box_conserves_relevance_without_biases(x64):
    plain = lambda variables, x: jax.nn.relu(jnp.pad(x, 1) @ RNG_FREE[:8]) @ LAST
    found = lrp(plain, rule={"first": "z_box", "dense": "epsilon"}, epsilon=1e-12, low=0.0, high=1.0)(
        None, X, 2
    )
    assert float(found.sum()) == pytest.approx(float(plain(None, X)[2]), rel=1e-6)


RNG_FREE = RNG.normal(size=(8, 4))


def test_what_a_composite_cannot_do_is_said():
    x = X.astype(np.float32)
    with pytest.raises(UsageError, match=r"low, high.*z_box needs both"):
        lrp(network, rule="epsilon_gamma_box")
    with pytest.raises(UsageError, match=r"must name a rule for each kind.*dense"):
        lrp(network, rule={"convolution": "gamma"})(None, x, 0)
    with pytest.raises(UsageError, match="z_box"):
        lrp(network, rule="z_box")
    with pytest.raises(UsageError, match="rule='convolutions'"):
        lrp(network, rule={"convolutions": "gamma"})
    shifted = lambda variables, x: network(variables, tag(jnp.tanh(x), "seen"))
    with pytest.raises(UsageError, match=r"rule='z_box': needs the example itself.*tanh comes before it"):
        lrp(shifted, rule="epsilon_gamma_box", low=0.0, high=1.0)(None, x, 0)
    inside = lrp(shifted, rule="epsilon_gamma_box", low=0.0, high=1.0, at="seen")(None, x, 0)
    outside = lrp(network, rule="epsilon_gamma_box", low=0.0, high=1.0)(None, jnp.tanh(x), 0)
    np.testing.assert_allclose(inside, outside, rtol=1e-5)
    # A rule for the first layer other than z_box holds behind a change of the example, too.
    composite = {"first": "gamma", "convolution": "z_plus", "dense": "epsilon"}
    assert np.all(np.isfinite(lrp(shifted, rule=composite)(None, x, 0)))
