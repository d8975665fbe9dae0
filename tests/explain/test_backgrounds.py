"""Several baselines: attributions are the mean over those of each, and complete against the mean output."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.explain import (
    EXPLAINERS,
    completeness,
    deeplift,
    gradient,
    integrated_gradients,
    kernel_shap,
    smoothed,
    smoothgrad,
    smoothgrad_squared,
    vargrad,
)

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
WEIGHTS = {"first": RNG.normal(size=(5, 6)), "last": RNG.normal(size=(6, 3))}
X, ROWS = RNG.normal(size=5), RNG.normal(size=(7, 5))


def network(variables, x):
    return jnp.tanh(jax.nn.relu(x @ variables["first"]) @ variables["last"])


@pytest.mark.parametrize("chunk", [3, 50])
@pytest.mark.parametrize("factory", [deeplift, integrated_gradients])
def test_several_baselines_are_the_mean_over_each(x64, factory, chunk):
    found = factory(network, background=ROWS, chunk=chunk)(WEIGHTS, X, 1)
    each = np.mean([factory(network, baseline=row)(WEIGHTS, X, 1) for row in ROWS], 0)
    np.testing.assert_allclose(found, each, atol=1e-12)
    rough = 1e-12 if factory is deeplift else 1e-2
    assert abs(float(completeness(network, WEIGHTS, X, 1, found, background=ROWS))) < rough
    assert abs(float(found.sum() - network(WEIGHTS, X)[1])) > 0.05  # the mean output is not 0
    one = factory(network, background=ROWS[:1])(WEIGHTS, X, 1)
    np.testing.assert_allclose(one, factory(network, baseline=ROWS[0])(WEIGHTS, X, 1), atol=1e-12)


def test_the_cost_counts_every_row():
    assert EXPLAINERS["deeplift"].runs((5,), background=ROWS) == 14
    assert EXPLAINERS["deeplift"].runs((5,)) == 2
    assert EXPLAINERS["integrated_gradients"].runs((5,), steps=10, background=ROWS) == 70


def test_rows_are_recorded_once():
    record = []
    deeplift(network, background=ROWS, chunk=3, record=record)(WEIGHTS, X, 1)
    alone = []
    deeplift(network, record=alone)(WEIGHTS, X, 1)
    assert [line.primitive for line in record] == [line.primitive for line in alone]


def test_a_background_of_another_shape_is_an_error():
    for factory in (deeplift, integrated_gradients):
        with pytest.raises(UsageError, match="background"):
            factory(network, background=ROWS[0])(WEIGHTS, X, 1)


@pytest.mark.parametrize(
    ("reduce", "factory"), [("mean", smoothgrad), ("square", smoothgrad_squared), ("variance", vargrad)]
)
@pytest.mark.parametrize("relative", [False, True])
def test_smoothing_around_the_gradient_is_smoothgrad(x64, reduce, factory, relative):
    options = {"samples": 11, "sigma": 0.2, "relative": relative, "chunk": 4}
    found = smoothed(gradient(network), reduce=reduce, **options)(WEIGHTS, X, 1, key=KEY)
    np.testing.assert_allclose(found, factory(network, **options)(WEIGHTS, X, 1, key=KEY), atol=1e-12)


def test_smoothing_is_the_mean_over_noisy_copies_of_any_method(x64):
    explain = kernel_shap(network)  # exact for five players
    found = smoothed(explain, samples=3, sigma=0.1)(WEIGHTS, X, 1, key=KEY)
    noise = [jax.random.normal(jax.random.fold_in(KEY, place), (5,)) for place in range(3)]
    each = [explain(WEIGHTS, X + 0.1 * shift, 1, key=KEY) for shift in noise]
    np.testing.assert_allclose(found, np.mean(each, 0), atol=1e-9)
    with pytest.raises(UsageError, match="key=None"):
        smoothed(explain)(WEIGHTS, X, 1)
    with pytest.raises(UsageError, match="reduce"):
        smoothed(explain, reduce="median")


def test_smoothing_takes_examples_of_several_arrays(x64):
    two = lambda variables, x: network(variables, jnp.concatenate([x["a"], x["b"]]))
    found = smoothed(gradient(two), samples=4)(WEIGHTS, {"a": X[:2], "b": X[2:]}, 1, key=KEY)
    whole = smoothed(gradient(network), samples=4)(WEIGHTS, X, 1, key=KEY)
    np.testing.assert_allclose(np.concatenate([found["a"], found["b"]]), whole, atol=1e-12)


def test_relative_noise_does_not_change_with_the_units(x64):
    """The gradient of sum(x^2 / 2) is x: its variance is that of the noise, sigma times the range, squared."""
    squares = lambda variables, x: (x**2).sum()[None] / 2
    x = np.array([0.0, 100.0, 40.0])
    found = vargrad(squares, samples=4000, sigma=0.1, relative=True)(None, x, 0, key=KEY)
    np.testing.assert_allclose(found, 100.0, rtol=0.1)


def test_a_method_without_a_model_asks_for_rows_of_a_background_by_their_number():
    rows = ROWS.astype(np.float32)
    named = deeplift(background=3)
    assert named.name == "deeplift(background=3)"
    assert named.runs((5,)) == 6
    found = named.make(network, (5,), rows)(WEIGHTS, X, 1, key=KEY)
    np.testing.assert_allclose(found, deeplift(network, background=rows[:3])(WEIGHTS, X, 1), rtol=1e-5)
    for given, said in ((None, "needs a background"), (rows[:2], "needs 3 rows of a background that has 2")):
        with pytest.raises(UsageError, match=said):
            named.make(network, (5,), given)
    with pytest.raises(UsageError, match="background=0 must be at least 1"):
        deeplift(background=0)
