import jax
import numpy as np
import pytest

from leakjax.shadow.devices import join, replicate, split, spread


@pytest.mark.parametrize("models", [1, 2, 5])
def test_any_number_of_members_is_padded_and_comes_back(models):
    tree = {"a": np.arange(models * 3).reshape(models, 3), "b": np.arange(models)}
    parts = split(tree)
    assert parts["a"].shape == (2, (models + 1) // 2, 3)
    assert set(parts["b"].ravel()) == set(range(models))
    back = join(parts, models)
    jax.tree.map(np.testing.assert_array_equal, back, tree)


@pytest.mark.parametrize("together", [True, False])
def test_a_function_is_spread_over_members_and_shares_the_rest(together):
    program = spread(lambda table, row: table[row] * 10, shared=1, together=together)
    table, rows = np.arange(4.0, dtype=np.float32), np.array([3, 0, 2])
    result = program(replicate(table), split(rows))
    assert len(result.devices()) == 2
    np.testing.assert_array_equal(join(result, 3), [30, 0, 20])
