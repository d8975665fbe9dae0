"""The larger networks: sizes of their papers, frozen statistics, every parameter of use."""

import jax
import numpy as np
import pytest
from flax import nnx
from jax import numpy as jnp

from leakjax._validate import UsageError
from leakjax.models import MODELS, Model, from_nnx
from tests.settings import during

IMAGES = {
    "resnet18": {"width": 8},
    "wrn28_2": {"width": 8},
    "mobilenet_v2": {"width": 0.25},
    "vit": {"width": 16},
}
X = jax.random.normal(jax.random.key(0), (3, 16, 16, 3))


@pytest.fixture(scope="module", autouse=True)
def quick_compilation():
    """These networks are deep and the batches small: compiling takes the time."""
    with during(jax_disable_most_optimizations=True):
        yield


def count(model, shape):
    example = jax.ShapeDtypeStruct(shape, np.float32)
    variables = jax.eval_shape(model.init, jax.random.key(0), example)
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


@pytest.mark.parametrize(
    ("name", "shape", "classes", "parameters"),
    [
        # He et al. (2016a) in the usual form for CIFAR: 11.17 million; Zagoruyko and Komodakis (2016): 1.5 million.
        ("resnet18", (32, 32, 3), 10, 11_173_962),
        ("wrn28_2", (32, 32, 3), 10, 1_467_610),
        # Sandler et al. (2018) for 10 classes in the usual form for CIFAR: 2.24 million without the stem's bias.
        ("mobilenet_v2", (32, 32, 3), 10, 2_236_682),
        ("purchase", (600,), 100, 601 * 1024 + 1025 * 512 + 513 * 256 + 257 * 128 + 129 * 100),
        ("texas", (6169,), 100, 6170 * 1024 + 1025 * 512 + 513 * 256 + 257 * 128 + 129 * 100),
        ("adult", (104,), 2, 105 * 128 + 129 * 2),
        ("hospital", (127,), 2, 128 * 128 + 129 * 2),
        # Patches, positions, 4 blocks (attention, two norms, two dense layers), a norm, the classes.
        (
            "vit",
            (32, 32, 3),
            10,
            49 * 64 + 64 * 64 + 4 * (4 * 65 * 64 + 256 + 65 * 256 + 257 * 64) + 128 + 650,
        ),
        ("synthetic", (30,), 5, 31 * 50 + 51 * 50 + 51 * 5),
        ("cifar_tanh", (32, 32, 3), 100, (75 + 1) * 32 + (800 + 1) * 32 + (2048 + 1) * 128 + 129 * 100),
    ],
)
def test_networks_have_the_parameters_of_their_papers(name, shape, classes, parameters):
    assert count(MODELS[name](classes), shape) == parameters


@pytest.mark.parametrize(
    ("name", "norm"),
    [
        ("resnet18", "batch"),
        ("resnet18", "group"),
        ("wrn28_2", "batch"),
        ("wrn28_2", "group"),
        ("mobilenet_v2", "batch"),
        ("mobilenet_v2", "group"),
        ("vit", None),
    ],
)
def test_statistics_are_frozen_when_a_model_is_observed(name, norm):
    model = MODELS[name](4, **IMAGES[name], **({"norm": norm} if norm else {}))
    variables = jax.jit(model.init)(jax.random.key(1), X[0])
    logits, after = jax.jit(model.train_fn)(variables, X, jax.random.key(2))
    assert logits.shape == (3, 4)
    moved = jax.tree.map(lambda a, b: not np.array_equal(a, b), dict(variables), dict(after))
    assert not any(jax.tree.leaves(moved["params"]))
    if norm == "batch":
        assert all(jax.tree.leaves(moved["batch_stats"]))
    else:
        assert set(variables) == {"params"}
    # An example's logits are its own, whatever the rest of the batch is: statistics of the batch play no part.
    observe = jax.jit(model.logits_fn)
    together = jax.vmap(model.logits_fn, (None, 0))(after, X)
    np.testing.assert_allclose(observe(after, X[0]), together[0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["resnet18", "vit"])
def test_every_parameter_gets_a_gradient(name):
    model = MODELS[name](4, **IMAGES[name])
    variables = jax.jit(model.init)(jax.random.key(1), X[0])

    def loss(params):
        logits, _ = model.train_fn({**variables, "params": params}, X, jax.random.key(2))
        return (logits * jnp.arange(4.0)[None]).sum() + (logits**2).sum()

    gradient = jax.jit(jax.grad(loss))(variables["params"])
    dead = [
        jax.tree_util.keystr(path)
        for path, leaf in jax.tree_util.tree_leaves_with_path(gradient)
        if not leaf.any()
    ]
    # A key's bias shifts all attentions alike: the softmax takes no notice.
    assert [path for path in dead if "['key']['bias']" not in path] == []


class Own(nnx.Module):
    """Batch statistics and dropout, as a user writes it."""

    def __init__(self, rngs):
        self.first = nnx.Linear(4, 8, rngs=rngs)
        self.norm = nnx.BatchNorm(8, momentum=0.5, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.last = nnx.Linear(8, 3, rngs=rngs)

    def __call__(self, x):
        return self.last(self.dropout(self.norm(jnp.tanh(self.first(x)))))


@pytest.fixture(scope="module")
def own():
    return from_nnx(Own)


def test_a_module_of_nnx_is_a_model(own):
    assert isinstance(own, Model)
    x = jax.random.normal(jax.random.key(0), (5, 4))
    variables = jax.jit(own.init)(jax.random.key(1), x[0])
    params = jax.tree.map(np.float64, variables["params"])
    hidden = np.tanh(np.asarray(x) @ params["first"]["kernel"] + params["first"]["bias"]) / np.sqrt(1 + 1e-5)
    want = hidden @ params["last"]["kernel"] + params["last"]["bias"]
    np.testing.assert_allclose([own.logits_fn(variables, one) for one in x], want, rtol=1e-4, atol=1e-5)


def test_a_module_of_nnx_trains_its_statistics_and_draws_from_the_key(own):
    x = jax.random.normal(jax.random.key(0), (5, 4))
    variables = jax.jit(own.init)(jax.random.key(1), x[0])
    train = jax.jit(own.train_fn)
    first, after = train(variables, x, jax.random.key(2))
    again, _ = train(variables, x, jax.random.key(2))
    other, _ = train(variables, x, jax.random.key(3))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    first_layer = jax.tree.map(np.asarray, variables["params"]["first"])
    hidden = np.tanh(np.asarray(x) @ first_layer["kernel"] + first_layer["bias"])
    np.testing.assert_allclose(after["statistics"]["norm"]["mean"], hidden.mean(0) / 2, rtol=1e-4, atol=1e-5)
    jax.tree.map(np.testing.assert_array_equal, dict(after["params"]), dict(variables["params"]))


def test_models_of_an_nnx_ensemble_differ(own):
    keys = jax.random.split(jax.random.key(0), 3)
    variables = jax.vmap(own.init, (0, None))(keys, jnp.zeros(4))
    kernel = np.asarray(variables["params"]["first"]["kernel"])
    assert kernel.shape == (3, 4, 8)
    assert not np.array_equal(kernel[0], kernel[1])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: MODELS["resnet18"](10, norm="layer"), "norm='layer'"),
        (lambda: MODELS["wrn28_2"](1), "classes=1"),
        (lambda: MODELS["mobilenet_v2"](10, width=0.0), "width=0.0"),
        (lambda: MODELS["vit"](10, width=30, heads=4), "width=30: must be a multiple of heads=4"),
        (lambda: MODELS["vit"](10, dropout=1.0), "dropout=1.0"),
        (lambda: MODELS["mlp"](10, dropout=-0.1), "dropout=-0.1"),
        (lambda: MODELS["synthetic"](10, size="huge"), "size='huge'"),
        (lambda: MODELS["vit"](10).init(jax.random.key(0), jnp.zeros((9, 8, 1))), "multiples of patch=4"),
        (lambda: MODELS["resnet18"](10).init(jax.random.key(0), jnp.zeros(9)), "need images"),
    ],
)
def test_bad_arguments_are_named(make, said):
    with pytest.raises(UsageError, match=said):
        make()
