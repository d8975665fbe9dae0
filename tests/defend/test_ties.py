"""What a map repeats: kept by the transforms that are asked to, against loops over its groups."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax import defend
from leakjax._validate import UsageError
from leakjax.defend.ties import ties, within

KEY = jax.random.key(1)
RNG = np.random.default_rng(3)
COLUMNS = {"one": np.ones_like, "x": lambda x: x, "x2": np.square, "positive": lambda x: 1.0 * (x > 0)}
# A map of cells, one that is 0 where the query is, one of distinct values, one of zeros.
CELLS = np.repeat(np.repeat(RNG.normal(size=(4, 4)), 7, axis=0), 7, axis=1)
MAPS = {
    "cells": CELLS,
    "cells, some zero": CELLS * (CELLS > -0.5),
    "sparse": RNG.normal(size=(28, 28)) * (RNG.random((28, 28)) < 0.3),
    "distinct": RNG.normal(size=(5, 9)),
    "zero": np.zeros((3, 3)),
}


def groups(e):
    """The places of each value other than 0."""
    flat = e.ravel()
    return [np.flatnonzero(flat == value) for value in np.unique(flat[flat != 0])]


@pytest.mark.parametrize("name", MAPS)
def test_groups_and_means_against_a_loop(name):
    e = MAPS[name].astype(np.float32)
    pattern = ties(jnp.asarray(e.ravel()))
    values = RNG.normal(size=e.size).astype(np.float32)
    expected = np.zeros(e.size)
    for places in groups(e):
        assert len(set(np.asarray(pattern.group)[places])) == 1
        expected[places] = values[places].mean(dtype=np.float64)
    assert len(set(np.asarray(pattern.group))) == len(np.unique(e))
    np.testing.assert_array_equal(pattern.live, e.ravel() != 0)
    np.testing.assert_allclose(within(pattern, jnp.asarray(values)), expected, atol=1e-6)


@pytest.mark.parametrize("names", ["one", "one,x", "one,x,x2,positive"])
@pytest.mark.parametrize("name", MAPS)
def test_what_is_projected_keeps_the_pattern_and_is_the_nearest_such_map(name, names):
    """Against least squares over the groups: one unknown a group, each weighed by its places."""
    e, x = MAPS[name].astype(np.float32), RNG.random(MAPS[name].shape).astype(np.float32)
    defense = defend.project_out(names, ties=True)
    release = jax.jit(lambda e, x: defend.apply(defense, e, key=KEY, x=x))
    found = np.asarray(release(jnp.asarray(e), jnp.asarray(x)), np.float64).ravel()
    columns = np.stack([COLUMNS[one](x.ravel().astype(float)) for one in names.split(",")], axis=1)
    expected, places = np.zeros(e.size), groups(e)
    if places:
        weight = np.sqrt([len(each) for each in places])[:, None]
        means = weight * np.stack([columns[each].mean(axis=0) for each in places])
        values = weight[:, 0] * np.array([e.ravel()[each[0]] for each in places])
        left = values - means @ np.linalg.lstsq(means, values, rcond=1e-6)[0]
        for each, value in zip(places, left / weight[:, 0], strict=True):
            expected[each] = value
    np.testing.assert_allclose(found, expected, atol=2e-4)
    assert np.abs(found @ columns).max() < 2e-3  # orthogonal to the directions themselves
    for each in places:
        assert len(set(found[each])) == 1
    assert (found[e.ravel() == 0] == 0).all()
    assert np.linalg.norm(found) <= np.linalg.norm(e) * (1 + 1e-6)


@pytest.mark.parametrize("chained", [False, True])
@pytest.mark.parametrize("name", ["cells", "cells, some zero", "sparse", "distinct"])
def test_noise_keeps_the_pattern_and_leaves_the_cosine(name, chained):
    e = MAPS[name].astype(np.float32)
    parts = [defend.normalize(), defend.cosine_noise(0.9, ties=True)]
    defense = defend.chain(*([defend.project_out("one", ties=True)] if chained else []), *parts)
    release = jax.jit(jax.vmap(lambda key: defend.apply(defense, jnp.asarray(e), key=key, x=jnp.asarray(e))))
    found = np.asarray(release(jax.random.split(KEY, 2000)), np.float64).reshape(2000, -1)
    plain = np.asarray(
        defend.apply(defend.chain(*defense.stages[:-1]), jnp.asarray(e), key=KEY, x=jnp.asarray(e))
    )
    noise = found - plain.ravel()
    live = np.count_nonzero(e)
    deviation = np.sqrt(1 / 0.9**2 - 1) / np.sqrt(live)
    assert (found[:, e.ravel() == 0] == 0).all()
    of_groups = np.stack([noise[:, each[0]] for each in groups(e)])
    for each in groups(e):
        assert np.ptp(found[:, each], axis=1).max() == 0
    # One draw a group, all of one deviation, of no group with another.
    np.testing.assert_allclose(of_groups.std(axis=1), deviation, rtol=0.1)
    correlation = np.corrcoef(of_groups) - np.eye(len(of_groups))
    assert np.abs(correlation).max() < 0.13
    assert abs((noise**2).sum(axis=1).mean() - (1 / 0.9**2 - 1)) < 0.02


def test_the_mean_of_a_cell_takes_off_noise_of_its_places_and_not_noise_of_the_cell():
    e = jnp.asarray(MAPS["cells"], jnp.float32)
    keys = jax.random.split(KEY, 200)
    left = []
    for option in (False, True):
        defense = defend.chain(defend.normalize(), defend.cosine_noise(0.9, ties=option))
        shown = jax.vmap(lambda key, by=defense: defend.apply(by, e, key=key))(keys)
        means = np.asarray(shown).reshape(200, 4, 7, 4, 7).mean(axis=(2, 4)).reshape(200, -1)
        plain = MAPS["cells"][::7, ::7].ravel()
        cosine = means @ plain / np.linalg.norm(means, axis=1) / np.linalg.norm(plain)
        left.append(cosine.mean())
    assert left[0] > 0.99
    assert abs(left[1] - 0.9) < 0.02


def test_no_privacy_is_claimed_of_what_follows_the_pattern():
    defense = defend.chain(defend.clip_norm(1.0), defend.cosine_noise(0.5, ties=True))
    with pytest.raises(UsageError, match="no loss of privacy is known"):
        defend.privacy_spent(defense, (9,), delta=1e-5)
    with pytest.raises(UsageError, match="no other randomness"):
        defend.apply(defense, jnp.ones(9), key=None, sampler="exact")


@pytest.mark.parametrize("text", ["project_out('one', ties=1)", "cosine_noise(0.9, ties='yes')"])
def test_ties_is_true_or_false(text):
    with pytest.raises(UsageError, match="ties="):
        defend.parse(text)


@pytest.mark.parametrize("text", ["project_out('one,x', ties=True)", "cosine_noise(0.9, ties=True)"])
def test_the_option_is_in_the_name_that_reads_back(text):
    assert defend.parse(text).name == text
    assert defend.parse(defend.parse(text).name).name == text
