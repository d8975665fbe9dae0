"""The networks of the benchmark beside captum are the same functions in both libraries."""

import functools

import jax
import numpy as np
import pytest

pytest.importorskip("torch")  # an extra, for the benchmark alone

from experiments.captum_blocks import resnet, vit
from experiments.captum_bridge import cnn, mlp, to_torch


@pytest.mark.parametrize("shape", [(28, 1), (8, 2)])
@pytest.mark.parametrize("make", [mlp, cnn, functools.partial(cnn, plain=True), resnet, vit])
def test_logits_agree(make, shape):
    side, channels = shape
    pair = make(side, channels)
    xs = np.random.default_rng(0).normal(size=(4, side, side, channels)).astype(np.float32)
    ours = jax.vmap(pair.logits_fn, (None, 0))(pair.variables, xs)
    np.testing.assert_allclose(ours, pair.module(to_torch(xs)).detach(), atol=1e-5)
