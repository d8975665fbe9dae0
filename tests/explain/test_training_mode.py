"""Modules that were left in training mode or keep a state say so, with the remedy, under every method."""

import jax
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx

from leakjax._validate import UsageError
from leakjax.explain import batched, deeplift, gradient, lrp, occlusion

X = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)


class Normed(nnx.Module):
    def __init__(self, rngs):
        self.norm, self.last = nnx.BatchNorm(3, rngs=rngs), nnx.Linear(3, 2, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        return self.last(self.drop(self.norm(x))).mean(0)


class Recurrent(nnx.Module):
    def __init__(self, rngs):
        self.cells = nnx.RNN(nnx.OptimizedLSTMCell(3, 4, rngs=rngs))
        self.last = nnx.Linear(4, 2, rngs=rngs)

    def __call__(self, x):
        return self.last(self.cells(x[None])[0, -1])


class Linen(nn.Module):
    train: bool

    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(nn.BatchNorm(use_running_average=not self.train)(x)).mean(0)


@pytest.mark.parametrize("factory", [gradient, deeplift, lrp, occlusion])
def test_an_nnx_module_in_training_mode_is_an_error_and_eval_the_remedy(factory):
    model = Normed(nnx.Rngs(0))
    options = {"window": (4, 1), "channel_axis": None} if factory is occlusion else {}
    for variables, network in (
        (model, lambda module, x: module(x)),
        (nnx.state(model), lambda state, x: nnx.merge(nnx.graphdef(model), state)(x)),
    ):
        model.train()
        explain = factory(network, **options)
        with pytest.raises(UsageError, match=r"logits_fn='TraceContextError'.*BatchStat.*model\.eval\(\)"):
            explain(variables, X, 0)
        with pytest.raises(UsageError, match=r"model\.eval\(\)"):
            batched(explain)(variables, X[None], np.zeros(1, int))
    model.eval()
    found = factory(lambda module, x: module(x), **options)(model, X, 0)
    assert np.all(np.isfinite(found))


def test_a_recurrent_nnx_module_is_copied():
    model = Recurrent(nnx.Rngs(0))
    model.eval()
    graph, state = nnx.split(model)
    with pytest.raises(UsageError, match="copy=True"):
        gradient(lambda variables, x: nnx.merge(graph, variables)(x))(state, X, 0)
    found = gradient(lambda variables, x: nnx.merge(graph, variables, copy=True)(x))(state, X, 0)
    step = 1e-2 * np.eye(12).reshape(12, 4, 3)[5].astype(np.float32)
    slope = (model(X + step)[0] - model(X - step)[0]) / 2e-2
    assert float(found[1, 2]) == pytest.approx(float(slope), rel=1e-2)


def test_a_linen_module_in_training_mode_is_an_error():
    variables = Linen(False).init(jax.random.key(0), X)
    with pytest.raises(UsageError, match=r"ModifyScopeVariableError.*use_running_average=True"):
        gradient(Linen(True).apply)(variables, X, 0)
    assert np.any(gradient(Linen(False).apply)(variables, X, 0))
