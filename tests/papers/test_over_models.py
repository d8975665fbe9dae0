import jax.numpy as jnp
import numpy as np
from scipy import stats

from leakjax.papers.over_models import correlations, over_models
from leakjax.papers.read import read


def test_interval_is_students():
    values = np.array([0.2, 0.5, 0.3, np.nan])
    low, high = stats.t.interval(0.95, 2, loc=1 / 3, scale=stats.sem([0.2, 0.5, 0.3]))
    found = over_models(values)
    np.testing.assert_allclose([found.value, found.low, found.high], [1 / 3, low, high])
    assert np.isnan(over_models(np.array([0.5])).low)


def test_correlation_is_pearsons_and_none_where_a_signal_does_not_vary():
    rng = np.random.default_rng(0)
    signal, member = rng.normal(size=(3, 40)), rng.random((3, 40)) < 0.5
    signal[1] = 2.0
    found = correlations(signal, member)
    for model in (0, 2):
        np.testing.assert_allclose(found[model], stats.pearsonr(signal[model], member[model])[0])
    assert np.isnan(found[1])


def test_what_is_read_of_a_linear_model_has_closed_forms():
    rng = np.random.default_rng(1)
    weights, x, y = rng.normal(size=(2, 4, 3)), rng.normal(size=(5, 3)), np.array([0, 1, 2, 3, 0])
    found = read(lambda w, x: w @ x, jnp.asarray(weights, jnp.float32), x.astype(np.float32), y)
    for model in range(2):
        for row in range(5):
            logits = weights[model] @ x[row]
            shares = np.exp(logits) / np.exp(logits).sum()
            top = logits.argmax()
            slope = shares[top] * (weights[model][top] - shares @ weights[model])
            expected = {
                "norm": np.abs(slope).sum(),
                "norm_of_logit": np.abs(weights[model][top]).sum(),
                "variance": np.var(shares),
                "loss": -np.log(shares[y[row]]),
                "correct": float(top == y[row]),
            }
            for name, value in expected.items():
                np.testing.assert_allclose(getattr(found, name)[model, row], value, rtol=2e-5, atol=1e-7)
