import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from leakjax._validate import UsageError
from leakjax.influence.agreement import agreement
from leakjax.influence.exact import influence
from leakjax.influence.influence_functions import cross_entropy, influence_functions, layer, probability_loss
from tests.influence.conftest import task
from tests.influence.models import linear_logits, network_logits, network_start

pytestmark = pytest.mark.usefixtures("x64")


def of(service):
    return jnp.asarray(service.model.x[:, :-1]), jnp.asarray(service.model.y, int)


@pytest.mark.parametrize("solver", ["dense", "cg"])
def test_influence_of_a_logistic_regression_is_its_closed_form(service, solver):
    x, y = task(4, 6, seed=3)
    ours = influence_functions(
        cross_entropy(linear_logits),
        jnp.asarray(service.model.theta),
        of(service),
        (jnp.asarray(x), jnp.asarray(y)),
        l2=1.0,
        query_loss=probability_loss(linear_logits),
        solver=solver,
    )
    design, theta = service.model.x, service.model.theta
    p = 1 / (1 + np.exp(-design @ theta))
    hessian = design.T @ (design * (p * (1 - p))[:, None]) + np.eye(7)
    q = np.concatenate([x, np.ones((4, 1))], axis=1)
    chance = 1 / (1 + np.exp(-q @ theta))
    of_query = (1 - 2 * y)[:, None] * (chance * (1 - chance))[:, None] * q
    expected = of_query @ np.linalg.solve(hessian, (design * (p - service.model.y)[:, None]).T)
    np.testing.assert_allclose(ours.influence, expected, rtol=1e-5, atol=1e-10)
    assert (ours.residual < 1e-6).all()


@pytest.mark.parametrize(
    ("loss", "query_loss"), [("probability", probability_loss), ("cross_entropy", cross_entropy)]
)
def test_it_agrees_with_exact_leave_one_out_where_records_matter_little(service, loss, query_loss):
    x, y = task(20, 6, seed=3)
    found = influence_functions(
        cross_entropy(linear_logits),
        jnp.asarray(service.model.theta),
        of(service),
        (jnp.asarray(x), jnp.asarray(y)),
        l2=1.0,
        query_loss=query_loss(linear_logits),
    )
    ranks = agreement(found.influence, influence(service, x, y, loss=loss))
    assert ranks.correlation > 0.95
    assert ranks.rank_correlation > 0.98


def test_a_singular_hessian_is_named_and_a_residual_tells_where_it_is_not_solved():
    x, y = jnp.ones((4, 2)), jnp.array([0, 1, 0, 1])
    theta = jnp.zeros(3)
    with pytest.raises(UsageError, match="Hessian is singular"):
        influence_functions(cross_entropy(linear_logits), theta, (x, y), (x, y), solver="dense")
    off = jnp.array([[1.0, -1.0]]), jnp.array([1])
    loose = influence_functions(cross_entropy(linear_logits), theta, (x, y), off, steps=5)
    assert not loose.residual[0] < 0.1


def test_a_layer_is_the_network_with_the_rest_frozen(key):
    network = network_start(key)
    logits, last = layer(network_logits, network, "last")
    x = jnp.arange(3.0)
    np.testing.assert_allclose(logits(last, x), network_logits(network, x))
    doubled = jax.tree.map(lambda leaf: 2 * leaf, last)
    np.testing.assert_allclose(logits(doubled, x), 2 * network_logits(network, x))
    with pytest.raises(UsageError, match="'Dense_9' is not among hidden, last"):
        layer(network_logits, network, "Dense_9")


def test_a_layer_of_a_flax_network_moves_its_predictions_alone(key):
    class Network(nn.Module):
        @nn.compact
        def __call__(self, x):
            hidden = nn.tanh(nn.Dense(4)(x))
            return nn.Dense(2)(hidden)

    x, y = jnp.arange(15.0).reshape(5, 3) / 10, jnp.array([0, 1, 1, 0, 1])
    variables = Network().init(key, x[0])
    logits, last = layer(Network().apply, variables, "params", "Dense_1")
    found = influence_functions(cross_entropy(logits), last, (x, y), (x, y), l2=1.0, solver="dense")
    first = variables["params"]["Dense_0"]
    hidden = jnp.asarray(np.tanh(np.asarray(x) @ np.asarray(first["kernel"]) + np.asarray(first["bias"])))

    def by_hand(p, h, label):
        return -jax.nn.log_softmax(h @ p["kernel"] + p["bias"])[label]

    expected = influence_functions(by_hand, last, (hidden, y), (hidden, y), l2=1.0, solver="cg")
    np.testing.assert_allclose(found.influence, expected.influence, rtol=1e-5, atol=1e-9)
