"""Quartiles by a sorting network beside NumPy's."""

import jax
import numpy as np
import pytest

from leakjax.attack.quartiles import network_sorted, quartiles


@pytest.mark.parametrize("models", [1, 2, 3, 4, 7, 16, 33, 64, 100])
def test_quartiles_are_those_of_numpy(models):
    generator = np.random.default_rng(models)
    values = generator.normal(size=(models, 5, 40)).astype(np.float32)
    values[:, :, :8] = np.round(values[:, :, :8])  # many that tie
    values[generator.random(values.shape) < 0.2] = np.nan
    values[0] = np.where(np.isnan(values).all(axis=0), 1.0, values[0])
    found = jax.jit(quartiles)(values)
    np.testing.assert_allclose(found, np.nanquantile(values, [0.25, 0.5, 0.75], axis=0), rtol=2e-6, atol=2e-6)
    np.testing.assert_array_equal(
        network_sorted(np.nan_to_num(values)), np.sort(np.nan_to_num(values), axis=0)
    )


def test_equal_numbers_have_no_spread_and_missing_ones_no_quartile():
    values = np.array(
        [[0.1, np.nan], [0.1, np.nan], [0.1, np.nan], [np.nan, np.nan], [0.1, np.nan]], np.float32
    )
    found = np.asarray(quartiles(values))
    np.testing.assert_array_equal(found[:, 0], np.full(3, 0.1, np.float32))
    assert np.isnan(found[:, 1]).all()
