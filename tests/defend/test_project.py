"""What is projected out is gone, exactly that, and also for odd queries."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax import defend
from leakjax._validate import UsageError

KEY = jax.random.key(0)
RNG = np.random.default_rng(2)
COLUMNS = {"one": np.ones_like, "x": lambda x: x, "x2": np.square, "positive": lambda x: 1.0 * (x > 0)}


def oracle(e, x, names):
    """Least squares in float64: what the named columns do not explain of e."""
    columns = np.stack([COLUMNS[name](x.astype(np.float64)).ravel() for name in names], axis=1)
    fitted = columns @ np.linalg.lstsq(columns, e.astype(np.float64).ravel(), rcond=1e-9)[0]
    return (e.ravel() - fitted).reshape(e.shape)


@pytest.mark.parametrize("names", ["one", "x", "one,x", "one,x,x2,positive", "positive,one"])
@pytest.mark.parametrize(
    "x",
    [
        RNG.normal(size=(5, 4)),
        RNG.random((5, 4)),
        np.zeros((5, 4)),
        np.full((5, 4), 0.3),
        (RNG.random((5, 4)) < 0.5) * 1.0,
        1e-20 * RNG.normal(size=(5, 4)),
        1e18 * RNG.normal(size=(5, 4)),
    ],
    ids=["normal", "uniform", "zero", "constant", "binary", "tiny", "huge"],
)
def test_equals_least_squares(names, x):
    x = x.astype(np.float32)
    e = RNG.normal(size=x.shape).astype(np.float32)
    found = np.asarray(defend.apply(defend.project_out(names), jnp.asarray(e), key=KEY, x=jnp.asarray(x)))
    scaled = x / max(np.abs(x).max(), 1e-30)  # the span of x^2 does not depend on the unit of x
    np.testing.assert_allclose(found, oracle(e, scaled, names.split(",")), atol=3e-5)
    assert np.linalg.norm(found) <= np.linalg.norm(e) * (1 + 1e-6)


def test_a_complete_attribution_no_longer_names_its_logit():
    w, x = RNG.normal(size=(2, 50)).astype(np.float32)
    e = w * x  # integrated gradients of a linear model: sums to the logit
    hardened = defend.chain(defend.project_out(), defend.normalize())
    out = np.asarray(defend.apply(hardened, jnp.asarray(e), key=KEY, x=jnp.asarray(x)), np.float64)
    assert abs(out.sum()) < 1e-5
    assert abs(out @ x) < 1e-4
    np.testing.assert_allclose(np.linalg.norm(out), 1, rtol=5e-6)


def test_where_nothing_is_left_normalize_gives_zero_or_a_unit_array_never_nan():
    x = jnp.ones(6)
    out = defend.apply(defend.chain(defend.project_out(), defend.normalize()), 0 * x, key=KEY, x=x)
    np.testing.assert_array_equal(out, 0)


def test_the_query_is_needed_and_of_the_attributions_shape():
    with pytest.raises(UsageError, match="project_out needs the query x"):
        defend.apply(defend.project_out(), jnp.ones(3), key=KEY)
    with pytest.raises(UsageError, match="x="):
        defend.apply(defend.project_out(), jnp.ones(3), key=KEY, x=jnp.ones(4))


def test_harden_hands_over_the_query():
    explainer = lambda variables, x, target, *, key, segments=None: variables * x
    hardened = defend.harden(explainer, defend.project_out("x"))
    x = jnp.asarray(RNG.normal(size=4), jnp.float32)
    out = hardened(jnp.arange(4.0), x, 0, key=KEY)
    assert abs(float(out @ x)) < 1e-5
