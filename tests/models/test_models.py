import jax
import numpy as np
import pytest
from flax import linen as nn
from jax import numpy as jnp

from leakjax._validate import UsageError
from leakjax.models import MODELS, cnn, from_flax, make, mlp, registered
from leakjax.models.cnn import convolve_by_products

SHAPES = {"mlp": (5, 3), "cnn": (9, 8, 2), "logistic": (7,)}


def arrays(tree):
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), tree)


@pytest.mark.parametrize("name", SHAPES)
def test_an_example_has_the_logits_that_it_has_in_a_batch(name):
    model = MODELS[name](4)
    x = jax.random.normal(jax.random.key(0), (3, *SHAPES[name]))
    variables = jax.jit(model.init)(jax.random.key(1), x[0])
    batch, after = jax.jit(model.train_fn)(variables, x, jax.random.key(2))
    alone = [jax.jit(model.logits_fn)(variables, one) for one in x]
    assert batch.shape == (3, 4)
    np.testing.assert_allclose(batch, alone, rtol=1e-5, atol=1e-6)
    jax.tree.map(np.testing.assert_array_equal, dict(after), dict(variables))


def test_mlp_is_dense_tanh_dense():
    model = mlp(3, widths=(6,))
    x = np.linspace(-1, 1, 8).reshape(2, 4)
    variables = jax.jit(model.init)(jax.random.key(0), jnp.asarray(x, jnp.float32))
    first, last = (arrays(variables["params"][f"Dense_{i}"]) for i in range(2))
    want = np.tanh(x.reshape(-1) @ first["kernel"] + first["bias"]) @ last["kernel"] + last["bias"]
    np.testing.assert_allclose(model.logits_fn(variables, jnp.asarray(x, jnp.float32)), want, rtol=1e-5)


def test_logistic_is_affine():
    model = MODELS["logistic"](3)
    x = jnp.asarray([0.5, -2.0])
    variables = jax.jit(model.init)(jax.random.key(0), x)
    dense = arrays(variables["params"]["Dense_0"])
    np.testing.assert_allclose(
        model.logits_fn(variables, x), np.asarray(x) @ dense["kernel"] + dense["bias"], rtol=1e-6
    )


def slow_convolution(x, kernel, bias):
    """Zero-padded 3 x 3 convolution of one image, float64."""
    height, width, _ = x.shape
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    out = np.zeros((height, width, kernel.shape[-1]))
    for i in range(height):
        for j in range(width):
            out[i, j] = np.einsum("abc,abco->o", padded[i : i + 3, j : j + 3], kernel) + bias
    return out


def slow_pool(x):
    rows = range(0, x.shape[0] - 1, 2)
    columns = range(0, x.shape[1] - 1, 2)
    return np.array([[x[i : i + 2, j : j + 2].max((0, 1)) for j in columns] for i in rows])


@pytest.mark.parametrize("products", [True, False])
def test_cnn_is_two_convolutions_and_a_dense_layer(products):
    model = cnn(3, channels=(4, 5), products=products)
    x = jax.random.normal(jax.random.key(0), (7, 6, 2))  # an odd height: its last row is not pooled
    variables = jax.jit(model.init)(jax.random.key(1), x)
    weights = arrays(variables["params"])
    hidden = np.asarray(x, np.float64)
    for layer in ("Conv_0", "Conv_1"):
        hidden = slow_pool(np.maximum(slow_convolution(hidden, **weights[layer]), 0))
    want = hidden.reshape(-1) @ weights["Dense_0"]["kernel"] + weights["Dense_0"]["bias"]
    np.testing.assert_allclose(jax.jit(model.logits_fn)(variables, x), want, rtol=1e-4, atol=1e-5)
    assert ("conv_general_dilated" in str(jax.make_jaxpr(model.logits_fn)(variables, x))) is not products


def test_convolution_by_products_is_the_convolution():
    x, kernel = (
        jax.random.normal(jax.random.key(seed), shape)
        for seed, shape in enumerate([(2, 5, 4, 3), (3, 5, 3, 2)])
    )
    want = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    np.testing.assert_allclose(jax.jit(convolve_by_products)(x, kernel), want, rtol=1e-4, atol=1e-5)


class Normalised(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        x = nn.Dropout(0.5, deterministic=not train)(x)
        return nn.Dense(2)(nn.BatchNorm(use_running_average=not train, momentum=0.5)(x))


class Deterministic(nn.Module):
    @nn.compact
    def __call__(self, x, deterministic):
        return nn.Dropout(0.5)(x, deterministic=deterministic)


def test_a_module_with_statistics_trains_them_and_freezes_them():
    model = from_flax(Normalised())
    x = jnp.asarray([[1.0, 2.0], [3.0, 6.0]])
    variables = jax.jit(model.init)(jax.random.key(0), x[0])
    _, after = model.train_fn(variables, x, jax.random.key(1))
    assert not np.array_equal(
        after["batch_stats"]["BatchNorm_0"]["mean"], variables["batch_stats"]["BatchNorm_0"]["mean"]
    )
    dense = arrays(variables["params"]["Dense_0"])
    # The statistics at the start are mean 0 and variance 1; frozen, and without dropout, a dense layer.
    want = np.asarray(x) / np.sqrt(1 + 1e-5) @ dense["kernel"] + dense["bias"]
    np.testing.assert_allclose([model.logits_fn(variables, one) for one in x], want, rtol=1e-5)


def test_dropout_follows_the_key_in_training_alone():
    model = from_flax(Deterministic())
    x = jnp.ones((1, 64))

    def draw(seed):
        return model.train_fn({}, x, jax.random.key(seed))[0]

    np.testing.assert_array_equal(draw(0), draw(0))
    assert not np.array_equal(draw(0), draw(1))
    np.testing.assert_array_equal(model.logits_fn({}, x[0]), x[0])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: mlp(1), "classes=1"),
        (lambda: mlp(3, widths=(4, 0)), "widths=0"),
        (lambda: cnn(3, channels=(0, 4)), "channels=0"),
        (lambda: cnn(3).init(jax.random.key(0), jnp.zeros(64)), "images"),
        (lambda: cnn(3).init(jax.random.key(0), jnp.zeros((3, 8, 1))), "at least 4 x 4"),
    ],
)
def test_bad_arguments_are_named(make, said):
    with pytest.raises(UsageError, match=said):
        make()


def sizes(model, x):
    shapes = jax.eval_shape(model.init, jax.random.key(0), x)
    return [leaf.shape for leaf in jax.tree.leaves(shapes)]


def test_a_network_is_named_with_its_options():
    x = np.zeros((4, 5), np.float32)
    assert sizes(make("mlp(widths=(7, 3))", 2), x) == sizes(mlp(2, widths=(7, 3)), x)
    assert sizes(make("mlp", 2, widths=(7,)), x) == sizes(mlp(2, widths=(7,)), x)


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("mpl", {}, "model='mpl': must be one of .*did you mean 'mlp'"),
        ("logistic_regression", {}, "did you mean 'logistic'"),
        ("mlp(widths=3)", {}, "widths=3 must be a tuple"),
        ("mlp(widths=(3, 2.5))", {}, "widths=.3, 2.5. must be a tuple"),
        ("mlp(widths=(0,))", {}, "widths=0: must be at least 1"),
        ("mlp(width=(3,))", {}, "did you mean 'widths'"),
        ("mlp(classes=3)", {}, "takes no option 'classes'"),
        ("mlp(widths=(3,))", {"widths": (4,)}, "widths is given twice"),
        ("logistic", {"widths": (4,)}, "logistic takes no option 'widths'"),
        ("cnn(channels=(3,))", {}, "channels=.3,. must be a tuple"),
        (f"{__name__}:slow_pool", {}, "x must be given"),
        (f"{__name__}:sizes", {}, "must be given"),
    ],
)
def test_what_is_wrong_with_a_network_is_named(text, options, said):
    with pytest.raises(UsageError, match=said):
        make(text, 3, **options)


def narrow(classes: int, units: int = 2):
    return mlp(classes, widths=(units,))


def test_a_users_own_network_is_named_by_its_module_and_a_new_one_registered_by_a_decorator_alone():
    x = np.zeros(5, np.float32)
    expected = sizes(mlp(3, widths=(4,)), x)
    assert sizes(make(f"{__name__}:narrow(units=4)", 3), x) == expected
    registered(narrow)
    try:
        assert sizes(make("narrow(units=4)", 3), x) == expected
    finally:
        MODELS.remove("narrow")
