"""Moduli against random pairs at every scale, and what a radius of neighbours says of a sensitivity."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax import defend
from leakjax._validate import UsageError
from leakjax.defend import ANY, chain, clip_norm, lipschitz, sensitivity, within

INF = math.inf
KEY = jax.random.key(0)
ROWS = [
    # defense, its moduli in L1, L2 and Linf
    (defend.identity(), (1, 1, 1)),
    (defend.clip_values(-0.5, 1.0), (1, 1, 1)),
    (clip_norm(1.0), (INF, 1, INF)),
    (clip_norm(1.0, 1), (2, INF, INF)),
    (clip_norm(1.0, INF), (INF, INF, 2)),
    (defend.absolute(), (1, 1, 1)),
    (defend.rectify(), (1, 1, 1)),
    (defend.scale(-3.0), (3, 3, 3)),
    (defend.coarsen(3), (1 / 3, 1 / math.sqrt(3), 1)),
    (defend.upsample(4), (4, 2, 1)),
    (defend.coarsen_segments([0, 0, 1, 1, 1, 1]), (1 / 2, 1 / math.sqrt(2), 1)),
    (defend.project_out("one,x"), (INF, 1, INF)),
    (chain(defend.coarsen(2), defend.scale(5.0), clip_norm(1.0)), (INF, 5 / math.sqrt(2), INF)),
    (chain(defend.scale(2.0), defend.gaussian_noise(1.0), defend.normalize()), (2, 2, 2)),
    (defend.normalize(), (INF, INF, INF)),
    (defend.keep_top_k(2), (INF, INF, INF)),
    (defend.quantize(0.5), (INF, INF, INF)),
]


@pytest.mark.parametrize(("defense", "moduli"), ROWS, ids=lambda part: getattr(part, "name", ""))
def test_no_pair_is_stretched_beyond_the_modulus(defense, moduli):
    rng = np.random.default_rng(0)
    query = jnp.linspace(-1, 1, 6)
    run = jax.jit(jax.vmap(lambda x: defend.apply(deterministic(defense), x, key=KEY, x=query)))
    one = rng.normal(size=(4000, 6)) * 10.0 ** rng.uniform(-1, 1, (4000, 1))
    other = one + rng.normal(size=one.shape) * 10.0 ** rng.uniform(-2, 1, (4000, 1)) * (
        rng.random(one.shape) < 0.5
    )
    one, other = np.float32(one), np.float32(other)
    moved = np.asarray(run(one), np.float64) - np.asarray(run(other), np.float64)
    for norm, modulus in zip((1, 2, INF), moduli, strict=True):
        np.testing.assert_allclose(lipschitz(defense, (6,), norm=norm), modulus)
        before = np.linalg.norm(np.float64(one) - other, ord=norm, axis=1)
        stretch = np.linalg.norm(moved, ord=norm, axis=1) / np.maximum(before, 1e-12)
        assert stretch[before > 1e-2].max() <= modulus * (1 + 1e-4)


def deterministic(defense):
    """The stages before the first noise."""
    parts = defense.stages if defense.stages is not None else (defense,)
    names = [part.noise is not None for part in parts]
    return chain(*parts[: names.index(True) if True in names else len(parts)])


def test_a_radius_bounds_the_sensitivity_and_any_is_the_diameter():
    defense = chain(clip_norm(1.0), defend.scale(2.0))
    whole = sensitivity(defense, (9,))
    near = sensitivity(defense, (9,), neighbours=within(0.1))
    np.testing.assert_allclose(near.value, 0.2)
    assert not near.exact
    assert sensitivity(defense, (9,), neighbours=ANY).value == whole.value
    assert sensitivity(defense, (9,), neighbours=within(10.0)).value == whole.value
    # An L2 radius allows sqrt(9) times as much in L1.
    np.testing.assert_allclose(
        sensitivity(defend.scale(2.0), (9,), norm=1, neighbours=within(0.1)).value, 0.6
    )


def test_a_radius_may_be_traced():
    radii = jnp.array([0.1, 10.0])
    found = jax.vmap(lambda r: sensitivity(clip_norm(1.0), (4,), neighbours=within(r)).value)(radii)
    np.testing.assert_allclose(found, [0.1, 2.0], rtol=1e-6)


@pytest.mark.parametrize("call", [lambda: within(-1.0), lambda: within(INF), lambda: within(1.0, norm=3)])
def test_a_relation_that_is_none_is_refused(call):
    with pytest.raises(UsageError, match="must be"):
        call()
