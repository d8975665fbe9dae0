"""Sensitivities of every transform against search over pairs: never exceeded, and attained where called exact."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax import defend
from leakjax.defend import (
    absolute,
    chain,
    clip_norm,
    clip_values,
    coarsen,
    coarsen_segments,
    drop_below,
    keep_top_k,
    normalize,
    project_out,
    quantize,
    rectify,
    scale,
    sensitivity,
    sign,
    upsample,
)

KEY = jax.random.key(0)
INF = math.inf
QUERY = np.array([0.3, -1.0, 0.8, 0.1, 0.0, 0.5], np.float32)

ROWS = [
    # stages, norms in which the bound is the supremum
    ([clip_norm(1.0), normalize()], (1, 2, INF)),
    ([normalize()], (1, 2, INF)),
    ([normalize(1)], (1, 2, INF)),
    ([normalize(INF)], (1, 2, INF)),
    ([clip_values(-2.0, 3.0), normalize()], (1, 2, INF)),
    ([rectify(), normalize()], (1, 2, INF)),
    ([keep_top_k(2), normalize()], (1, 2, INF)),
    ([normalize(), keep_top_k(2)], (1, 2, INF)),
    ([normalize(), clip_values(-0.4, 0.4)], (1, 2, INF)),
    ([clip_values(0.5, 2.0), normalize()], ()),
    ([sign()], (1, 2, INF)),
    ([rectify(), sign()], (1, 2, INF)),
    ([keep_top_k(2), sign()], (1, 2, INF)),
    ([clip_norm(1.0), keep_top_k(3), sign()], (1, 2, INF)),
    ([clip_norm(1.0), absolute()], (1, 2, INF)),
    ([clip_values(-0.5, 1.0), absolute()], (1, 2, INF)),
    ([clip_norm(1.0), rectify()], (1, 2, INF)),
    ([clip_norm(1.0), scale(-3.0)], (1, 2, INF)),
    ([clip_values(-0.5, 1.0), scale(-3.0)], (1, 2, INF)),
    ([clip_values(-1.0, 1.0), drop_below(0.4)], (1, 2, INF)),
    # Four values of exactly 0.5 fill the ball, but a clip in float32 ends just inside it.
    ([clip_norm(1.0), drop_below(0.5)], (INF,)),
    ([clip_norm(1.0), drop_below(1.5)], (1, 2, INF)),
    ([clip_values(-1.0, 1.0), quantize(0.3)], (1, 2, INF)),
    # A float32 quotient rounds up to 3.5, and so to 4, where the float64 one is below and gives 3.
    ([clip_values(-4.585, 4.585), quantize(1.31)], (1, 2, INF)),
    ([clip_values(-1.0, 1.0), keep_top_k(2, signed=True)], (1, 2, INF)),
    ([clip_norm(1.0), keep_top_k(2, signed=True)], (1,)),
    ([clip_values(0.0, 1.0), keep_top_k(2, signed=True)], (1, 2, INF)),
    ([clip_values(0.2, 1.0), quantize(0.3)], (1, 2, INF)),
    ([clip_norm(1.0), quantize(0.3)], (INF,)),
    ([clip_norm(1.0, 1), quantize(0.5)], (INF,)),
    ([clip_norm(1.0), coarsen(2)], (1, 2, INF)),
    ([coarsen(2), clip_norm(1.0)], (1, 2, INF)),
    ([clip_values(-1.0, 1.0), coarsen(3)], (1, 2, INF)),
    ([clip_values(0.2, 1.0), coarsen(3)], (1, 2, INF)),
    ([keep_top_k(1), clip_norm(1.0), coarsen(2)], (1, 2, INF)),
    ([coarsen(2), clip_norm(1.0), upsample(2)], (2,)),
    ([clip_norm(1.0), coarsen_segments([0, 0, 1, 1, 2, 2])], (1, 2, INF)),
    ([clip_norm(1.0), coarsen_segments([0, 0, 0, 1, 1, 2])], ()),
    ([clip_norm(1.0), project_out("one,x")], (2,)),
    ([clip_values(-1.0, 1.0), project_out("one,x")], ()),
    ([project_out("one,x"), normalize()], (2,)),
    ([project_out("one"), normalize(), keep_top_k(3)], (2,)),
]

# By how many times the supremum a bound may be larger, as `sensitivity` says, in L1, L2 and Linf.
LOOSE = [
    ([coarsen(2), clip_norm(1.0), upsample(2)], (1, 1, 1)),
    ([clip_norm(1.0), quantize(0.3)], (2, 2, 1)),
    ([clip_norm(0.74), quantize(0.5)], (2, 2, 1)),
    ([clip_norm(1.0, 1), quantize(0.5)], (2, 2, 1)),
    ([clip_norm(1.0), keep_top_k(2, signed=True)], (1, math.sqrt(2), 2)),
    ([clip_norm(1.0), coarsen_segments([0, 0, 0, 1, 1, 2])], (math.sqrt(3),) * 3),
    ([clip_norm(1.0), project_out("one,x")], (math.sqrt(6 / 4), 1, math.sqrt(6 / 4))),
    (
        [clip_values(-1.0, 1.0), project_out("one,x")],
        (math.sqrt(2) * 6 / 4, math.sqrt(6 / 4), math.sqrt(6) * 6 / 4),
    ),
]


def farthest(defense, norm, rng, size=6, inputs=900, rounds=40):
    """The largest distance of two releases that a search finds, in float64 from float32 releases."""
    run = jax.jit(jax.vmap(lambda x: defend.apply(defense, x, key=KEY, x=jnp.asarray(QUERY))))

    def out(x):
        return np.asarray(run(jnp.asarray(x, jnp.float32)), np.float64).reshape(len(x), -1)

    common = 10.0 ** rng.uniform(-2, 2, (inputs, 1))
    spread = np.where(rng.random((inputs, 1)) < 0.5, 10.0 ** rng.uniform(-2, 2, (inputs, size)), common)
    x = rng.choice([-1, 0, 1], (inputs, size)) * spread
    y = out(x)
    table = np.stack([np.linalg.norm(y - one, ord=norm, axis=-1) for one in y])
    i, j = np.unravel_index(np.argmax(table), table.shape)
    best, pair = table[i, j], np.stack([x[i], x[j]])
    for round_ in range(rounds):
        step = 0.7 ** (round_ / 3)
        moved = np.repeat(pair[None], inputs // 2, axis=0)
        moved = moved * np.exp(step * rng.normal(size=moved.shape))
        moved += step * rng.normal(size=moved.shape) * (rng.random(moved.shape) < 0.3)
        ends = np.linalg.norm(out(moved[:, 0]) - out(moved[:, 1]), ord=norm, axis=-1)
        if ends.max() > best:
            best, pair = ends.max(), moved[np.argmax(ends)]
    return best


@pytest.mark.parametrize("norm", [1, 2, INF])
@pytest.mark.parametrize(
    ("stages", "exact"), ROWS, ids=lambda part: chain(*part).name if isinstance(part, list) else ""
)
def test_bound_is_not_exceeded_and_attained_where_exact(stages, exact, norm):
    defense = chain(*stages)
    bound = sensitivity(defense, (6,), norm=norm)
    found = farthest(defense, norm, np.random.default_rng(0))
    if math.isinf(bound.value):
        assert found > 20
        return
    assert found <= bound.value * (1 + 1e-5)
    assert bound.exact == (norm in exact)
    assert bound.witness.shape == (2, 6)
    if bound.exact:
        ends = [defend.apply(defense, x, key=KEY, x=jnp.ones(6)) for x in bound.witness]
        attained = np.linalg.norm(np.ravel(np.asarray(ends[0] - ends[1], np.float64)), ord=norm)
        np.testing.assert_allclose(attained, bound.value, rtol=3e-5)


@pytest.mark.parametrize(
    ("stages", "times"), LOOSE, ids=lambda part: chain(*part).name if isinstance(part, list) else ""
)
def test_a_bound_that_is_none_is_at_most_as_loose_as_is_said(stages, times):
    defense = chain(*stages)
    for norm, most in zip((1, 2, INF), times, strict=True):
        found = farthest(defense, norm, np.random.default_rng(1))
        assert sensitivity(defense, (6,), norm=norm).value <= most * found * 1.01


@pytest.mark.parametrize(
    "stages", [row for row, _ in ROWS if not {"sign()", "quantize(0.3)"} & {stage.name for stage in row}]
)
def test_a_climb_along_the_gradient_of_the_distance_exceeds_no_bound(stages):
    defense = chain(*stages)

    def distance(pair):
        ends = [defend.apply(defense, x, key=KEY, x=jnp.asarray(QUERY)) for x in pair]
        return jnp.sum((ends[0] - ends[1]) ** 2)

    def step(pair, _):
        up = jax.grad(distance)(pair)
        return pair + 0.1 * up / jnp.maximum(jnp.linalg.norm(up), 1e-12), distance(pair)

    starts = np.random.default_rng(2).normal(size=(40, 2, 6)).astype(np.float32)
    found = jax.jit(jax.vmap(lambda pair: jax.lax.scan(step, pair, length=100)[1]))(starts)
    bound = sensitivity(defense, (6,)).value
    assert np.isfinite(np.asarray(found)).all()
    assert math.sqrt(np.max(found)) <= bound * (1 + 1e-5)


TINY = [
    ([clip_norm(2.0), keep_top_k(2)], (1, 2, INF)),
    ([clip_values(-1.0, 2.0), keep_top_k(2)], (1, 2, INF)),
    ([clip_values(-2.0, 2.0), clip_norm(2.0, 1)], (1, 2, INF)),
    ([clip_values(1.0, 2.0), keep_top_k(2)], (1, 2, INF)),
    ([keep_top_k(2), sign()], (1, 2, INF)),
    ([clip_values(-1.5, 2.0), quantize(1.0)], (1, 2, INF)),
    ([clip_values(-1.0, 2.0), absolute(), coarsen(3)], (1, 2, INF)),
    ([clip_norm(2.0, 1), quantize(1.0)], (INF,)),
]


@pytest.mark.parametrize(
    ("stages", "attained"), TINY, ids=lambda part: chain(*part).name if isinstance(part, list) else ""
)
def test_all_pairs_of_a_tiny_grid_exceed_no_bound_and_attain_it(stages, attained):
    """Every array of three multiples of a half up to 3, in all pairs."""
    defense, ends = chain(*stages), np.arange(-6, 7) / 2
    grid = np.stack(np.meshgrid(ends, ends, ends), axis=-1).reshape(-1, 3).astype(np.float32)
    run = jax.jit(jax.vmap(lambda e: defend.apply(defense, e, key=KEY)))
    released = np.unique(np.asarray(run(grid), np.float64).reshape(len(grid), -1), axis=0)
    for norm in (1, 2, INF):
        found = max(np.linalg.norm(released - one, ord=norm, axis=1).max() for one in released)
        bound = sensitivity(defense, (3,), norm=norm).value
        assert found <= bound * (1 + 1e-5)
        if norm in attained:
            np.testing.assert_allclose(found, bound, rtol=1e-4)


def test_a_query_gives_the_witness_of_its_own_directions():
    bound = sensitivity(chain(clip_norm(1.0), project_out("one,x")), (6,), x=QUERY)
    assert bound.value == 2.0
    assert bound.exact


@pytest.mark.parametrize("size", [12, 9996])
@pytest.mark.parametrize(
    "stages",
    [row for row, _ in ROWS if not any("segments" in stage.name for stage in row)],
    ids=lambda row: chain(*row).name,
)
def test_releases_in_float32_keep_the_bound_in_float64_at_any_size(stages, size):
    defense = chain(*stages)
    rng = np.random.default_rng(size)
    x = rng.standard_t(2, (12, size)) * 10.0 ** rng.uniform(-3, 3, (12, 1))
    x[:4] = np.sign(x[:4]) * 3.0  # all at the ends of every box
    x[4:6, 1:] = 0
    pairs = np.float32(np.concatenate([x, -x]))
    run = jax.jit(jax.vmap(lambda x: defend.apply(defense, x, key=KEY, x=jnp.linspace(-1, 2, size))))
    y = np.asarray(run(pairs), np.float64)
    for norm in (1, 2, INF):
        bound = sensitivity(defense, (size,), norm=norm).value
        found = max(np.linalg.norm(y - one, ord=norm, axis=1).max() for one in y)
        assert found <= bound * (1 + 1e-12), norm


def test_images_of_any_size_have_a_sensitivity_at_once():
    chained = chain(coarsen(4), clip_norm(1.0), upsample(4))
    bound = sensitivity(chained, (224, 224, 3))
    np.testing.assert_allclose(bound.value, 8.0)
    assert bound.exact
    assert bound.witness.shape == (2, 224, 224, 3)


def test_traced_settings_give_the_same_sensitivities():
    def measure(radius, threshold):
        return sensitivity(chain(clip_norm(radius), drop_below(threshold), absolute()), (6,), norm=1)

    radius, threshold = np.float32([0.5, 1.0, 2.0]), np.float32([0.1, 0.6, 1.0])
    many = jax.jit(jax.vmap(measure))(radius, threshold)
    for i in range(3):
        one = measure(float(radius[i]), float(threshold[i]))
        np.testing.assert_allclose(many.value[i], one.value, rtol=1e-5)
        assert bool(many.exact[i]) == one.exact
