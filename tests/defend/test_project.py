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


@pytest.mark.parametrize(("share", "taken"), [(1.0, 4), (0.2, 4), (0.19, 3), (0.1, 2), (0.09, 1), (1e-6, 1)])
def test_no_more_than_a_share_of_the_dimensions_goes_and_always_one(share, taken):
    names = ["one", "x", "x2", "positive"]
    e, x = RNG.normal(size=(2, 20)).astype(np.float32)
    defense = defend.project_out(",".join(names), share=share)
    found = defend.apply(defense, jnp.asarray(e), key=KEY, x=jnp.asarray(x))
    np.testing.assert_allclose(found, oracle(e, x / np.abs(x).max(), names[:taken]), atol=3e-5)


def test_a_direction_in_the_span_of_others_takes_no_place():
    e, x = RNG.normal(size=20).astype(np.float32), (RNG.random(20) < 0.5).astype(np.float32)
    defense = defend.project_out("x,positive,one,x2", share=0.1)
    found = defend.apply(defense, jnp.asarray(e), key=KEY, x=jnp.asarray(x))
    np.testing.assert_allclose(found, oracle(e, x, ["x", "one"]), atol=3e-5)


def test_a_map_of_few_values_has_few_dimensions():
    e = np.repeat(RNG.normal(size=10), 8).astype(np.float32)
    e[:24] = 0  # seven values other than 0, so that three tenths of them are two
    x = RNG.random(80).astype(np.float32)
    found, two = (
        defend.apply(
            defend.project_out(names, ties=True, share=share), jnp.asarray(e), key=KEY, x=jnp.asarray(x)
        )
        for names, share in (("one,x,x2,positive", 0.3), ("one,x", 1.0))
    )
    np.testing.assert_array_equal(found, two)


@pytest.mark.parametrize("share", ["0", "-1", "1.5", "'half'"])
def test_a_share_out_of_range_is_named(share):
    with pytest.raises(UsageError, match="share="):
        defend.parse(f"project_out('one', share={share})")


def test_a_complete_attribution_no_longer_names_its_logit():
    w, x = RNG.normal(size=(2, 50)).astype(np.float32)
    e = w * x  # integrated gradients of a linear model: sums to the logit
    hardened = defend.chain(defend.project_out(), defend.normalize())
    out = np.asarray(defend.apply(hardened, jnp.asarray(e), key=KEY, x=jnp.asarray(x)), np.float64)
    assert abs(out.sum()) < 1e-5
    assert abs(out @ x) < 1e-4
    np.testing.assert_allclose(np.linalg.norm(out), 1, rtol=5e-6)


@pytest.mark.parametrize(("first", "leaks"), [("project", False), ("coarsen", True)])
def test_coarsening_before_projecting_opens_again_what_projecting_closes(first, leaks):
    """By how much a release moves where all that changes of a map is its part along the query."""
    x, e = RNG.random((2, 8, 8)).astype(np.float32)
    blocks = [defend.coarsen(2), defend.upsample(2)]
    parts = [defend.project_out(), *blocks] if first == "project" else [*blocks, defend.project_out()]
    release = lambda e: np.asarray(
        defend.apply(defend.chain(*parts), jnp.asarray(e), key=KEY, x=jnp.asarray(x)), np.float64
    )
    moved = np.linalg.norm(release(e + x) - release(e)) / np.linalg.norm(x)
    assert (moved > 0.1) if leaks else (moved < 1e-6)


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
