import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax.explain.masking.solve import solve_positive


def system(size, seed=0):
    """A positive definite matrix and a right side."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((2 * size + 3, size))
    return rows.T @ rows + np.eye(size), rng.standard_normal(size)


# One block, a full one, one more than that, several, and blocks that have to be filled up.
@pytest.mark.parametrize("size", [1, 5, 16, 17, 32, 45])
def test_a_system_of_any_size_is_solved_as_by_lapack(size):
    matrix, right = system(size)
    found = jax.jit(solve_positive)(jnp.float32(matrix), jnp.float32(right))
    expected = np.linalg.solve(matrix, right)
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_the_derivative_is_another_solution():
    matrix, right = system(20)
    given = jnp.float32(matrix)
    found = jax.grad(lambda right: solve_positive(given, right)[3])(jnp.float32(right))
    expected = np.linalg.solve(matrix, np.eye(20)[3])
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
