import jax.numpy as jnp
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.influence.influence_functions import cross_entropy
from leakjax.influence.tracin import tracin
from tests.influence.models import linear_logits

pytestmark = pytest.mark.usefixtures("x64")


def test_tracin_sums_gradient_products_over_checkpoints(service):
    x, y = service.model.x[:5, :-1], service.model.y[:5].astype(int)
    checkpoints, rates = np.stack([service.model.theta, 0.5 * service.model.theta]), np.array([0.1, 0.3])
    ours = tracin(cross_entropy(linear_logits), jnp.asarray(checkpoints), rates, (x, y), (x[:2], y[:2]))
    expected = np.zeros((2, 5))
    design = np.concatenate([x, np.ones((5, 1))], axis=1)
    for theta, rate in zip(checkpoints, rates, strict=True):
        gradient = design * (1 / (1 + np.exp(-design @ theta)) - y)[:, None]
        expected += rate * gradient[:2] @ gradient.T
    np.testing.assert_allclose(ours, expected, rtol=1e-10)
    with pytest.raises(UsageError, match="rates"):
        tracin(cross_entropy(linear_logits), jnp.asarray(checkpoints), rates[:1], (x, y), (x, y))
