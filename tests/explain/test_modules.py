"""Activations named by the path of their module, beside the same model with a tag in its source."""

import equinox as eqx
import jax
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx

from leakjax import explain
from leakjax._validate import UsageError

KEY = jax.random.key(0)
X = np.random.default_rng(0).normal(size=(8, 8, 1)).astype(np.float32)


class Block(nn.Module):
    """A convolution that is tagged in the source where `name` is given."""

    tagged: str = ""

    @nn.compact
    def __call__(self, x):
        found = nn.tanh(nn.Conv(3, (3, 3))(x))
        return explain.tag(found, self.tagged) if self.tagged else found


class Net(nn.Module):
    """Two blocks, and one layer that is called twice."""

    tagged: str = ""

    @nn.compact
    def __call__(self, x):
        first = Block(self.tagged)
        x = Block()(first(x))
        twice = nn.Dense(4)
        return nn.Dense(2)(twice(nn.relu(twice(x.reshape(16, 12)[:, :4]))).reshape(-1))


VARIABLES = Net().init(KEY, X)


@pytest.mark.parametrize("method", [explain.gradient, explain.integrated_gradients, explain.lrp])
def test_a_path_is_the_tag_that_stands_in_the_source(method):
    by_path = method(explain.tag_module(Net().apply, "Block_0"), at="Block_0")(VARIABLES, X, 1)
    by_tag = method(Net(tagged="here").apply, at="here")(VARIABLES, X, 1)
    assert by_path.shape == (8, 8, 3)
    np.testing.assert_array_equal(by_path, by_tag)
    assert np.abs(by_path).max() > 0


def test_a_layer_of_class_activation_maps_is_named_by_its_path():
    by_path = explain.gradcam(explain.tag_module(Net().apply, "Block_0"), layer="Block_0")(VARIABLES, X, 0)
    by_tag = explain.gradcam(Net(tagged="here").apply, layer="here")(VARIABLES, X, 0)
    np.testing.assert_array_equal(by_path, by_tag)


def test_a_module_inside_another_and_one_of_two_calls():
    inner = explain.gradient(explain.tag_module(Net().apply, "Block_1/Conv_0"), at="Block_1/Conv_0")(
        VARIABLES, X, 0
    )
    assert inner.shape == (8, 8, 3)
    twice = explain.tag_module(Net().apply, "Dense_0")
    first, second = (explain.gradient(twice, at=f"Dense_0[{call}]")(VARIABLES, X, 0) for call in (0, 1))
    assert first.shape == second.shape == (16, 4)
    kernel = VARIABLES["params"]["Dense_1"]["kernel"]  # what follows the second call is linear
    np.testing.assert_allclose(second.reshape(-1), kernel[:, 0], rtol=1e-6)
    assert not np.allclose(first, second)
    with pytest.raises(UsageError, match="Dense_0"):
        explain.gradient(twice, at="Dense_0")(VARIABLES, X, 0)


def test_the_logits_stay_and_a_path_that_is_none_is_named_with_those_that_are():
    np.testing.assert_array_equal(
        explain.tag_module(Net().apply, "Block_0")(VARIABLES, X), Net().apply(VARIABLES, X)
    )
    with pytest.raises(
        UsageError, match=r"path='Conv_7': is no module that is called; there are Block_0/Conv_0, "
    ):
        explain.tag_module(Net().apply, "Conv_7")(VARIABLES, X)
    with pytest.raises(UsageError, match=r"there are none of flax.linen"):
        explain.tag_module(lambda variables, x: x, "Conv_7")(VARIABLES, X)


class Two(nnx.Module):
    """Two layers of nnx."""

    def __init__(self, rngs):
        self.first, self.last = nnx.Linear(4, 3, rngs=rngs), nnx.Linear(3, 2, rngs=rngs)

    def __call__(self, x):
        return self.last(jax.nn.tanh(self.first(x)))


def test_a_tag_behind_a_module_of_nnx_or_equinox_leaves_its_weights_variables():
    x = np.ones(4, np.float32)
    behind = lambda h: explain.tag(h, "first")
    model = Two(nnx.Rngs(0))
    expected = model.last.kernel[...][:, 1] * (1 - np.tanh(model.first(x)) ** 2)
    weights = len(jax.tree.leaves(nnx.state(model)))
    model.first = nnx.Sequential(model.first, behind)
    graph, state = nnx.split(model)
    found = explain.gradient(lambda v, x: nnx.merge(graph, v, copy=True)(x), at="first")(state, x, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert len(jax.tree.leaves(state)) == weights

    module = eqx.nn.MLP(4, 2, 3, 1, activation=jax.nn.tanh, key=KEY)
    first, last = module.layers
    tagged = eqx.tree_at(
        lambda model: model.layers[0],
        module,
        replace_fn=lambda layer: eqx.nn.Sequential([layer, eqx.nn.Lambda(behind)]),
    )
    found = explain.gradient(lambda v, x: v(x), at="first")(tagged, x, 1)
    np.testing.assert_allclose(found, last.weight[1] * (1 - np.tanh(first(x)) ** 2), rtol=1e-5)
    count = lambda module: len(jax.tree.leaves(eqx.filter(module, eqx.is_array)))
    assert count(tagged) == count(module)
