"""Methods that re-interpret the function: DeepLIFT, LRP, rectifiers and class activation maps."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax import models
from leakjax._validate import UsageError
from leakjax.explain import (
    EXPLAINERS,
    completeness,
    deconvnet,
    deeplift,
    gradcam,
    gradcam_pp,
    gradient,
    grid,
    guided_backprop,
    guided_gradcam,
    input_x_gradient,
    lrp,
    tag,
)

KEY = jax.random.key(0)


def run(explain, variables, x, target=0):
    return np.asarray(jax.jit(lambda v, x: explain(v, x, target, key=KEY))(variables, x))


class Everything(nn.Module):
    """A user's model: batch-norm, GELU, layer norm, attention, residuals, pooling, gates, remat, a scan."""

    softmax: bool = False

    @nn.compact
    def __call__(self, x):
        h = nn.Conv(4, (3, 3))(x)
        h = nn.gelu(nn.BatchNorm(use_running_average=True)(h))
        h = h + nn.silu(nn.Conv(4, (3, 3))(h))
        h = nn.max_pool(h, (2, 2), (2, 2)).reshape(4, 4)
        h = h + nn.MultiHeadDotProductAttention(2)(nn.LayerNorm()(h))
        h = nn.avg_pool(h.reshape(2, 2, 4), (2, 2)).reshape(-1)
        h = nn.relu(nn.Dense(24)(h))
        h = jax.checkpoint(jnp.tanh)(h)
        h = nn.leaky_relu(nn.Dense(6)(h))
        h = nn.softplus(nn.elu(nn.Dense(6)(h)))
        h = jnp.where(h > h.mean(), h, 0.3 * h * h)
        h = jnp.maximum(h, h[::-1]) - 0.1 * jax.nn.logsumexp(h)
        h, _ = jax.lax.scan(lambda carry, row: (jnp.tanh(carry + row), None), h, jnp.stack([h, 0.1 * h]))
        h = nn.Dense(3)(h)
        return nn.softmax(h) if self.softmax else h


@functools.cache
def everything(softmax=False, dtype=np.float64):
    model = Everything(softmax)
    x = np.random.default_rng(1).normal(size=(4, 4, 1)).astype(dtype)
    variables = jax.jit(model.init)(jax.random.key(0), x)
    rng = np.random.default_rng(2)
    # Running averages away from 0 and 1, and biases away from 0.
    spread = jax.tree.map(lambda a: a + 0.1 * rng.uniform(size=a.shape).astype(dtype), variables)
    return model.apply, spread, x


def test_deeplift_known_values():
    def network(variables, x):
        return (2 * jax.nn.relu(x[0]) + 2 * jax.nn.relu(x[1] - 1.5))[None]

    np.testing.assert_allclose(run(deeplift(network), None, np.array([1.0, 2.0], np.float32)), [2, 1])


@pytest.mark.parametrize("output", ["logit", "log_probability"])
def test_deeplift_is_complete_on_a_model_of_everything(x64, output):
    apply, variables, x = everything(softmax=True)
    baseline = np.random.default_rng(3).normal(size=x.shape)
    found = run(deeplift(apply, baseline=baseline, output=output), variables, x, 1)
    residual = completeness(apply, variables, x, 1, found, baseline=baseline, output=output)
    assert np.abs(found).sum() > 1e-3
    assert abs(residual) < 1e-14


def test_deeplift_without_a_change_is_the_gradient(x64):
    apply, variables, x = everything()

    @jax.jit
    def both(variables, x, step):
        near = deeplift(apply, baseline=x - step)(variables, x, 1, key=KEY)
        return near, gradient(apply)(variables, x - step / 2, 1, key=KEY)

    near, slope = both(variables, x, 1e-6)
    np.testing.assert_allclose(near / 1e-6, slope, rtol=1e-3, atol=1e-6)
    assert not both(variables, x, 0.0)[0].any()


@pytest.mark.parametrize(
    "relu", [jax.nn.relu, lambda h: jnp.maximum(h, 0), lambda h: jnp.where(h > 0, h, 0), jax.jit(jax.nn.relu)]
)
def test_every_way_to_write_a_rectifier_is_one(relu):
    rng = np.random.default_rng(4)
    first, second = rng.normal(size=(4, 6)).astype(np.float32), rng.normal(size=(6, 2)).astype(np.float32)
    x, baseline = rng.normal(size=(2, 4)).astype(np.float32)

    def network(variables, x):
        return relu(x @ first) @ second

    before, start = x @ first, baseline @ first
    slope = (np.maximum(before, 0) - np.maximum(start, 0)) / (before - start)
    expected = (x - baseline) * (first @ (slope * second[:, 1]))
    np.testing.assert_allclose(run(deeplift(network, baseline=baseline), None, x, 1), expected, rtol=2e-5)
    positive = np.maximum(second[:, 1], 0)
    np.testing.assert_allclose(
        run(guided_backprop(network), None, x, 1), first @ (positive * (before > 0)), rtol=2e-5
    )
    np.testing.assert_allclose(run(deconvnet(network), None, x, 1), first @ positive, rtol=2e-5)
    np.testing.assert_allclose(
        run(lrp(network, epsilon=0), None, x, 1), run(input_x_gradient(network), None, x, 1), rtol=1e-4
    )


def test_a_maximum_pays_who_holds_it():
    # At x the first holds the maximum (3), at the baseline the second (2): the first brings 3 - 2, nothing
    # goes.
    network = lambda variables, x: jnp.max(x)[None]
    found = run(
        deeplift(network, baseline=np.array([1.0, 2, 0], np.float32)), None, np.array([3.0, 1, 0], np.float32)
    )
    np.testing.assert_allclose(found, [1, 0, 0])
    found = run(
        deeplift(network, baseline=np.array([3.0, 1, 0], np.float32)), None, np.array([1.0, 2, 0], np.float32)
    )
    np.testing.assert_allclose(found, [-1, 0, 0])


class Dense:
    """A 3-layer ReLU network and the matrix form of its LRP rules, in NumPy float64."""

    def __init__(self):
        rng = np.random.default_rng(6)
        self.weights = [rng.normal(size=shape) for shape in ((5, 7), (7, 6), (6, 3))]
        self.biases = [0.3 * rng.normal(size=w.shape[1]) for w in self.weights]
        self.x = rng.uniform(0.2, 1, size=5)

    def __call__(self, variables, x):
        for place, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = x @ w.astype(np.float32) + b.astype(np.float32)
            x = jax.nn.relu(x) if place < 2 else x
        return x

    def relevance(self, share, target):
        """`share(a, w, b, z) -> [inputs, outputs]`, what of each output's relevance goes to each input."""
        values = [self.x]
        for w, b in zip(self.weights[:-1], self.biases[:-1], strict=True):
            values.append(np.maximum(values[-1] @ w + b, 0))
        relevance = None
        for a, w, b in reversed(list(zip(values, self.weights, self.biases, strict=True))):
            z = a @ w + b
            if relevance is None:
                relevance = np.where(np.arange(len(z)) == target, z, 0)
            relevance = share(a[:, None], w, b, z) @ relevance
        return relevance


def epsilon_share(a, w, b, z):
    return a * w / (z + 0.1 * np.sign(z))


def gamma_share(a, w, b, z):
    raised = w + 0.25 * np.maximum(w, 0)
    total = (a * raised).sum(0) + b + 0.25 * np.maximum(b, 0)
    return a * raised / (total + 1e-6 * np.sign(total))


def plus_share(a, w, b, z):
    return np.maximum(a * w, 0) / (np.maximum(a * w, 0).sum(0) + np.maximum(b, 0) + 1e-6)


def alpha_beta_share(a, w, b, z):
    low = np.minimum(a * w, 0).sum(0) + np.minimum(b, 0) - 1e-6
    return 2 * plus_share(a, w, b, z) - np.minimum(a * w, 0) / low


@pytest.mark.parametrize(
    ("rule", "share", "options"),
    [
        ("epsilon", epsilon_share, {"epsilon": 0.1}),
        ("gamma", gamma_share, {}),
        ("z_plus", plus_share, {}),
        ("alpha_beta", alpha_beta_share, {}),
    ],
)
def test_lrp_is_its_matrix_form(rule, share, options):
    network = Dense()
    found = run(lrp(network, rule=rule, **options), None, network.x.astype(np.float32), 1)
    np.testing.assert_allclose(found, network.relevance(share, 1), rtol=2e-4)


def test_lrp_composites_name_a_rule_for_each_layer():
    network = Dense()
    found = run(
        lrp(network, rule=("gamma", "z_plus", "epsilon"), epsilon=1e-6), None, network.x.astype(np.float32)
    )
    layers = {7: gamma_share, 6: plus_share}

    def share(a, w, b, z):
        if len(z) == 3:
            return a * w / (z + 1e-6 * np.sign(z))
        return layers[len(z)](a, w, b, z)

    np.testing.assert_allclose(found, network.relevance(share, 0), rtol=2e-4)
    for rule, message in ((("gamma",) * 2, "more than 2"), (("gamma",) * 4, "the model has 3")):
        with pytest.raises(UsageError, match=message):
            run(lrp(network, rule=rule), None, network.x.astype(np.float32))


def test_lrp_takes_batch_norm_into_its_layer():
    # A convolution and the batch-norm after it, against one convolution with both folded into its weights.
    rng = np.random.default_rng(7)
    x = rng.uniform(size=(4, 4, 2)).astype(np.float32)
    kernel, bias = rng.normal(size=(3, 3, 2, 3)).astype(np.float32), rng.normal(size=3).astype(np.float32)
    scale, shift, mean = (v.astype(np.float32) for v in rng.normal(size=(3, 3)))
    last = rng.normal(size=(48, 2)).astype(np.float32)

    def conv(x, kernel, bias):
        return nn.Conv(3, (3, 3)).apply({"params": {"kernel": kernel, "bias": bias}}, x)

    def apart(variables, x):
        statistics = {"mean": mean, "var": np.full(3, 2.0, np.float32)}
        norm = nn.BatchNorm(use_running_average=True, epsilon=0)
        h = norm.apply(
            {"params": {"scale": scale, "bias": shift}, "batch_stats": statistics}, conv(x, kernel, bias)
        )
        return jax.nn.relu(h).reshape(-1) @ last

    def folded(variables, x):
        factor = scale / np.sqrt(np.float32(2))
        return jax.nn.relu(conv(x, kernel * factor, (bias - mean) * factor + shift)).reshape(-1) @ last

    for rule in ("epsilon", "gamma", "z_plus", "alpha_beta"):
        found = [run(lrp(network, rule=rule, epsilon=1e-3), None, x) for network in (apart, folded)]
        np.testing.assert_allclose(*found, rtol=1e-3, atol=1e-4 * np.abs(found[0]).max())


class Four:
    """A 4x4 convolutional network and its passes in NumPy: convolution, ReLU, dense layer."""

    def __init__(self):
        rng = np.random.default_rng(8)
        self.kernel = rng.normal(size=(2, 2, 1, 3))
        self.bias = 0.2 * rng.normal(size=3)
        self.dense = rng.normal(size=(27, 2))
        self.x = rng.normal(size=(4, 4, 1))
        patches = [[self.x[i : i + 2, j : j + 2, 0] for j in range(3)] for i in range(3)]
        self.before = np.einsum("ijkl,klc->ijc", np.array(patches), self.kernel[:, :, 0]) + self.bias

    def __call__(self, variables, x):
        h = jax.lax.conv_general_dilated(
            x[None],
            self.kernel.astype(np.float32),
            (1, 1),
            "VALID",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        h = tag(jax.nn.relu(h + self.bias.astype(np.float32).reshape(1, 1, 1, 3)), "maps")
        return tag(h.reshape(-1), "flat") @ self.dense.astype(np.float32)

    def back(self, signal):
        """What a signal [3, 3, 3] before the ReLU sends back to x."""
        found = np.zeros((4, 4, 1))
        for i, j in np.ndindex(3, 3):
            found[i : i + 2, j : j + 2, 0] += self.kernel[:, :, 0] @ signal[i, j]
        return found


def test_the_four_by_four_network():
    four = Four()
    x, open_ = four.x.astype(np.float32), four.before > 0
    signal = four.dense[:, 1].reshape(3, 3, 3)
    guided = four.back(np.maximum(signal, 0) * open_)
    np.testing.assert_allclose(run(guided_backprop(four), None, x, 1), guided, atol=1e-5)
    np.testing.assert_allclose(run(deconvnet(four), None, x, 1), four.back(np.maximum(signal, 0)), atol=1e-5)
    activation = np.maximum(four.before, 0)
    relevance = four.x * four.back(signal * open_)
    np.testing.assert_allclose(run(lrp(four, epsilon=0), None, x, 1), relevance, atol=1e-5)

    coarse = np.maximum(activation @ signal.mean((0, 1)), 0)
    below = 2 * signal**2 + activation.sum((0, 1)) * signal**3
    plus = np.maximum(activation @ (signal**2 / below * np.maximum(signal, 0)).sum((0, 1)), 0)
    for explain, expected in (
        (gradcam(four), coarse),
        (gradcam(four, layer="maps"), coarse),
        (gradcam_pp(four), plus),
    ):
        resized = jax.image.resize(expected.astype(np.float32), (4, 4), "linear")
        np.testing.assert_allclose(run(explain, None, x, 1)[..., 0], resized, atol=1e-5)
    expected = guided * jax.image.resize(coarse.astype(np.float32), (4, 4), "linear")[..., None]
    np.testing.assert_allclose(run(guided_gradcam(four), None, x, 1), expected, atol=1e-5)


def test_a_layer_that_is_not_there_is_named():
    x = Four().x.astype(np.float32)
    for layer, message in (
        ("map", "must be a tag of the model: flat, maps"),
        ("flat", r"must be a map over x's pixels, not .*27"),
    ):
        with pytest.raises(UsageError, match=message):
            run(gradcam(Four(), layer=layer), None, x)
    with pytest.raises(UsageError, match="finds no map over x's pixels"):
        run(gradcam(Dense()), None, np.ones(5, np.float32))


def test_the_last_spatial_activation_is_the_one_after_the_last_convolution():
    def network(variables, x):
        h = nn.relu(nn.Conv(2, (3, 3)).apply(variables, x))
        h = tag(nn.gelu(h), "last")
        return nn.max_pool(h, (2, 2), (2, 2)).reshape(-1)[:3]

    x = np.random.default_rng(0).normal(size=(6, 6, 1)).astype(np.float32)
    variables = nn.Conv(2, (3, 3)).init(KEY, x)
    np.testing.assert_array_equal(
        run(gradcam(network), variables, x), run(gradcam(network, layer="last"), variables, x)
    )


def test_a_primitive_without_a_rule_is_named_with_its_place():
    def factored(variables, x):
        return jnp.linalg.cholesky(jnp.outer(x, x) + jnp.eye(2))[1]

    for factory in (deeplift, lrp):
        message = rf"primitive='cholesky': has no {factory.__name__} rule, at .*test_rules.py:\d+ .*gradient, input_x"
        with pytest.raises(UsageError, match=message):
            factory(factored)(None, np.array([1.0, 2.0], np.float32), 0, key=KEY)


def test_the_record_says_which_rule_fired_where():
    record = []
    run(deeplift(Dense(), record=record), None, np.ones(5, np.float32))
    fired = {(line.primitive, line.rule) for line in record}
    assert {("dot_general", "jvp_at_middle"), ("custom_jvp_call", "secant")} <= fired
    assert all("test_rules.py" in line.where for line in record if line.primitive == "dot_general")


FEW = {
    "integrated_gradients": {"steps": 3},
    "smoothgrad": {"samples": 3},
    "smoothgrad_squared": {"samples": 3},
    "vargrad": {"samples": 3},
    "gradient_shap": {"samples": 3},
    "occlusion": {"window": 2},
    "feature_permutation": {"background": np.ones((1, 4, 4, 1), np.float32), "samples": 1},
    "lime": {"samples": 16},
    "shapley_sampling": {"samples": 2},
}


@pytest.mark.parametrize("name", list(EXPLAINERS))
def test_a_users_flax_model_is_explained_as_it_is(name):
    apply, variables, x = everything(dtype=np.float32)
    explain = EXPLAINERS[name].factory(apply, **FEW.get(name, {}))
    if EXPLAINERS[name].masks:
        explain = functools.partial(explain, segments=grid(x.shape, 2))
    found = run(explain, variables, x, 1)
    assert np.all(np.isfinite(found))
    assert found.any()


@pytest.mark.parametrize("method", [gradcam, gradcam_pp, guided_gradcam])
def test_a_network_that_convolves_by_products_has_the_maps_of_one_that_convolves(method):
    products, convolution = models.cnn(3, channels=(2, 3)), models.cnn(3, channels=(2, 3), products=False)
    x = jax.random.uniform(jax.random.key(0), (6, 6, 1))
    variables = products.init(jax.random.key(1), x)
    found, expected = (
        method(model.logits_fn)(variables, x, 1, key=jax.random.key(2)) for model in (products, convolution)
    )
    assert float(jnp.abs(expected).max()) > 0
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
