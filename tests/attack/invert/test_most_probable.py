import jax.numpy as jnp
import numpy as np
import pytest

from leakjax import UsageError
from leakjax.attack.invert.most_probable import most_probable
from leakjax.attack.invert.prior import Prior

RNG = np.random.default_rng(1)
PRIORS = [Prior(np.full(4, 0.5), 0.04 * np.eye(4)), Prior(np.full(4, -0.5), 0.04 * np.eye(4))]
LABEL = np.array([0, 1, 0, 1, 0])
X = np.stack([PRIORS[label].mean for label in LABEL]) + 0.2 * RNG.normal(size=(5, 4))
WEIGHTS = RNG.normal(size=(2, 4, 4))


def test_the_inputs_of_a_linear_explanation_are_solved_for():
    explain = lambda x, label: jnp.asarray(WEIGHTS, jnp.float32)[label] @ x
    sought = np.einsum("tnf,tf->tn", WEIGHTS[LABEL], X)
    found = most_probable(explain, sought, LABEL, PRIORS, error=1e-3)
    np.testing.assert_allclose(found, X, atol=0.02)


def test_what_an_explanation_leaves_open_the_prior_decides():
    """One number of a Gaussian: the mean of the others given it, in closed form."""
    a, error = np.array([1.0, 2.0, 0.0, -1.0]), 0.5
    sought = (X @ a)[:, None]
    found = most_probable(
        lambda x, label: (x @ jnp.asarray(a, jnp.float32))[None], sought, LABEL, PRIORS, error=error
    )
    for x, label, e in zip(found, LABEL, sought[:, 0], strict=True):
        prior, noise = PRIORS[label], (error * abs(e)) ** 2
        gain = prior.covariance @ a / (a @ prior.covariance @ a + noise)
        np.testing.assert_allclose(x, prior.mean + gain * (e - a @ prior.mean), atol=1e-3)


def test_a_nonlinear_one_is_solved_from_several_starts():
    explain = lambda x, label: x * jnp.tanh(jnp.asarray(WEIGHTS, jnp.float32)[label] @ x)
    sought = X * np.tanh(np.einsum("tnf,tf->tn", WEIGHTS[LABEL], X))
    found = most_probable(explain, sought, LABEL, PRIORS, error=1e-3, starts=8)
    assert (np.abs(found - X).max(axis=1) < 0.02).sum() >= 4
    best = most_probable(explain, sought, LABEL, PRIORS, error=1e-3, starts=1, begin=X)
    np.testing.assert_allclose(best, X, atol=0.02)


def test_bad_input_is_one_line():
    for options in ({"starts": 0}, {"steps": 0}, {"error": 0.0}):
        with pytest.raises(UsageError, match=next(iter(options))):
            most_probable(lambda x, label: x, X, LABEL, PRIORS, **options)
