import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax.influence.influence_functions import cross_entropy
from leakjax.influence.retrain import retrain
from tests.influence.conftest import task
from tests.influence.models import network_logits, network_start

pytestmark = pytest.mark.usefixtures("x64")


def test_each_network_is_the_one_trained_alone_without_its_record():
    x, y = (jnp.asarray(part) for part in task(12, 3))
    start, loss = network_start(jax.random.key(0)), cross_entropy(network_logits)
    models = retrain(loss, start, x, y, l2=1.0, steps=60, rate=0.3, checkpoints=3)
    keep = np.arange(12) != 5
    parameters, velocity = start, jax.tree.map(jnp.zeros_like, start)

    def objective(p):
        losses = jax.vmap(loss, (None, 0, 0))(p, x[keep], y[keep])
        return (losses.sum() + 0.5 * sum((leaf**2).sum() for leaf in jax.tree.leaves(p))) / 12

    gradient = jax.jit(jax.grad(objective))
    for _ in range(60):
        velocity = jax.tree.map(lambda v, g: 0.9 * v + g, velocity, gradient(parameters))
        parameters = jax.tree.map(lambda p, v: p - 0.3 * v, parameters, velocity)
    for alone, together in zip(jax.tree.leaves(parameters), jax.tree.leaves(models.without), strict=True):
        np.testing.assert_allclose(together[5], alone, atol=1e-10)
    first = jax.tree.map(lambda leaf: leaf[0], models.checkpoints)
    jax.tree.map(np.testing.assert_array_equal, first, start)
