"""LRP says of a function what the function is, not how it is written; gates; and what cannot pass is named."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.explain import input_x_gradient, lrp

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
FIRST, SECOND, LAST = RNG.normal(size=(5, 6)), RNG.normal(size=(5, 6)), RNG.normal(size=(6, 2))
X = RNG.normal(size=5)


def run(network, x=X, target=1, **options):
    variables = [a.astype(np.float32) for a in (FIRST, SECOND, LAST)]
    explain = lrp(network, epsilon=0, **options)
    return np.asarray(jax.jit(lambda v, x: explain(v, x, target, key=KEY))(variables, x.astype(np.float32)))


def passed(weights, values):
    """What each input brings to the sum over units of `values` through a layer without a bias, in NumPy."""
    return (X[:, None] * weights / (X @ weights) * values).sum(1)


SPELLINGS = {
    "elu": (jax.nn.elu, lambda h: jnp.where(h > 0, h, jnp.exp(h) - 1)),
    "softplus": (jax.nn.softplus, lambda h: jnp.log(1 + jnp.exp(h))),
    "sigmoid": (jax.nn.sigmoid, lambda h: (1 + jnp.tanh(h / 2)) / 2),
    "logistic": (jax.nn.sigmoid, lambda h: 1 / (1 + jnp.exp(-h))),
    "silu": (jax.nn.silu, lambda h: h / (1 + jnp.exp(-h))),
    "softsign": (jax.nn.soft_sign, lambda h: h * jax.lax.rsqrt((1 + jnp.abs(h)) ** 2)),
    "relu": (jax.nn.relu, lambda h: jnp.sqrt(h * h) / 2 + h / 2),
    "mish": (jax.nn.mish, lambda h: h * jnp.tanh(jnp.log1p(jnp.exp(h)))),
}


@pytest.mark.parametrize("name", list(SPELLINGS))
def test_an_activation_passes_its_relevance_on_however_it_is_written(name):
    for activation in SPELLINGS[name]:
        found = run(lambda v, x, activation=activation: activation(x @ v[0]) @ v[2])
        expected = passed(FIRST, np.asarray(activation(X @ FIRST)) * LAST[:, 1])
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=1e-4)


def test_pooling_by_norms_and_exponentials():
    squares = X**2 / np.sqrt((X**2).sum())
    np.testing.assert_allclose(run(lambda v, x: jnp.sqrt((x**2).sum())[None], target=0), squares, rtol=1e-5)
    total = np.log(np.exp(X).sum())
    shares = total * np.exp(X) / np.exp(X).sum()
    for network in (lambda v, x: jnp.log(jnp.exp(x).sum())[None], lambda v, x: jax.nn.logsumexp(x)[None]):
        np.testing.assert_allclose(run(network, target=0), shares, rtol=1e-5)
    # exp(-|x - c|^2): the part of x in each difference, of the square's share of the sum.
    centre = FIRST[:, 0].astype(np.float32)
    gap = X - centre
    value = np.exp(-(gap**2).sum())
    expected = value * gap**2 / (gap**2).sum() * X / gap
    np.testing.assert_allclose(
        run(lambda v, x: jnp.exp(-((x - v[0][:, 0]) ** 2).sum())[None], target=0), expected, rtol=1e-3
    )


def attend(softmax):
    def network(v, x):
        tokens = jnp.outer(x, v[0][0])
        return (softmax(tokens @ tokens.T) @ tokens).sum(0) @ v[2]

    return network


def by_ratio(h):
    raised = jnp.exp(h - jax.lax.stop_gradient(h.max(-1, keepdims=True)))
    return raised / raised.sum(-1, keepdims=True)


SOFTMAXES = {
    "ratio": by_ratio,
    "plain ratio": lambda h: jnp.exp(h) / jnp.exp(h).sum(-1, keepdims=True),
    "inverse": lambda h: jnp.exp(h) * (1 / jnp.exp(h).sum(-1, keepdims=True)),
    "logarithm": lambda h: jnp.exp(jax.nn.log_softmax(h)),
    "log of the sum": lambda h: jnp.exp(h - jax.nn.logsumexp(h, axis=-1, keepdims=True)),
    "library": jax.nn.softmax,
}


@pytest.mark.parametrize("name", list(SOFTMAXES))
def test_the_weights_of_a_softmax_are_constants_however_it_is_written(name):
    tokens = np.outer(X, FIRST[0])
    raised = np.exp(tokens @ tokens.T)
    weights = raised / raised.sum(-1, keepdims=True)
    expected = X * (weights.sum(0) * (FIRST[0] @ LAST[:, 1]))
    np.testing.assert_allclose(run(attend(SOFTMAXES[name])), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "norm",
    [
        lambda h: h / jnp.sqrt((h**2).mean() + 1e-5),
        lambda h: h * jax.lax.rsqrt((h**2).mean() + 1e-5),
        lambda h: h * ((h**2).mean() + 1e-5) ** -0.5,
        lambda h: h * (1 / jnp.sqrt((h**2).mean() + 1e-5)),
        lambda h: h * jax.lax.rsqrt(jnp.maximum((h**2).mean(), 0) + 1e-5) * 1.0,
    ],
)
def test_the_size_in_a_normalisation_is_a_constant_however_it_is_written(norm):
    found = run(lambda v, x: norm(x @ v[0]) @ v[2])
    hidden = X @ FIRST
    expected = passed(FIRST, hidden / np.sqrt((hidden**2).mean() + 1e-5) * LAST[:, 1])
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=1e-4)


def sigmoid(h):
    return 1 / (1 + np.exp(-h))


@pytest.mark.parametrize(
    "gate", [jax.nn.sigmoid, lambda h: (1 + jnp.tanh(h / 2)) / 2, lambda h: 1 - jax.nn.sigmoid(-h)]
)
@pytest.mark.parametrize("turned", [False, True])
def test_a_gated_signal_takes_all_or_half(gate, turned):
    def network(v, x):
        factors = (gate(x @ v[0]), jnp.tanh(x @ v[1]))
        return (factors[1] * factors[0] if turned else factors[0] * factors[1]) @ v[2]

    values = sigmoid(X @ FIRST) * np.tanh(X @ SECOND) * LAST[:, 1]
    np.testing.assert_allclose(run(network), passed(SECOND, values), rtol=2e-4, atol=1e-4)
    half = (passed(FIRST, values) + passed(SECOND, values)) / 2
    np.testing.assert_allclose(run(network, gates="half"), half, rtol=2e-4, atol=1e-4)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_relevance_is_conserved_through_recurrent_gates(x64, cell):
    rng = np.random.default_rng(3)
    inward, own, last = rng.normal(size=(4, 3, 5)), 0.4 * rng.normal(size=(4, 5, 5)), rng.normal(size=(5, 2))
    x = rng.normal(size=(6, 3))

    def step(state, row):
        c, h = state
        z = [row @ inward[k] + h @ own[k] for k in range(4)]
        i, f, o = map(jax.nn.sigmoid, z[:3])
        if cell == "lstm":
            c = f * c + i * jnp.tanh(z[3])
            return (c, o * jnp.tanh(c)), None
        return (c, (1 - i) * jnp.tanh(z[3]) + i * h), None

    def network(variables, x):
        (_, h), _ = jax.lax.scan(step, (jnp.zeros(5), jnp.zeros(5)), x)
        return h @ last

    found = jax.jit(lambda x: lrp(network, epsilon=1e-12)(None, x, 1, key=KEY))(x)
    assert float(found.sum()) == pytest.approx(float(network(None, x)[1]), rel=1e-6)


RULED = {
    "scatter": lambda h: jnp.zeros(8).at[jnp.arange(6)].set(h)[:6],
    "sort": lambda h: jnp.sort(h)[::-1],
    "top_k": lambda h: jnp.concatenate([jax.lax.top_k(h, 4)[0], jnp.zeros(2)]),
    "branch": lambda h: jax.lax.cond(h.sum() > 0, lambda h: 2 * h, lambda h: -h, h),
    "window minimum": lambda h: jnp.tile(
        jax.lax.reduce_window(h, jnp.inf, jax.lax.min, (2,), (2,), "VALID"), 2
    ),
    "fft": lambda h: jnp.fft.irfft(jnp.fft.rfft(h), 6),
}


@pytest.mark.parametrize("name", list(RULED))
def test_piecewise_linear_operations_are_input_x_gradient(name):
    network = lambda v, x: RULED[name](x @ v[0]) @ v[2]
    variables = [a.astype(np.float32) for a in (FIRST, SECOND, LAST)]
    expected = input_x_gradient(network)(variables, X.astype(np.float32), 1, key=KEY)
    np.testing.assert_allclose(run(network), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "network",
    [
        lambda v, x: jnp.cumprod(x),
        lambda v, x: jnp.prod(x)[None],
        lambda v, x: (jnp.abs(x) ** (x**2)).sum()[None],
        lambda v, x: jnp.arctan2(x[:3], x[2:])[:1],
        lambda v, x: jnp.abs(jnp.fft.rfft(x)).sum()[None],
    ],
)
def test_products_and_functions_of_two_values_conserve(network):
    found = run(network, target=0)
    assert np.all(np.isfinite(found))
    assert found.sum() == pytest.approx(float(network(None, X.astype(np.float32))[0]), rel=1e-4)


def test_where_relevance_ends_is_named_with_the_remedy():
    softmax = lambda v, x: jax.nn.softmax(x @ v[0])
    with pytest.raises(
        UsageError, match=r"primitive='div': ends what lrp follows, at .*test_lrp.py.*logits for a softmax"
    ):
        run(softmax)
    with pytest.raises(UsageError, match="primitive='gt': ends what lrp follows"):
        run(lambda v, x: jnp.where(x @ v[0] > (x @ v[0]).mean(), 1.0, 0.0))
