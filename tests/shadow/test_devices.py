import os
import subprocess
import sys

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


# XLA's algebraic simplifier rewrites a program for one partition otherwise than for two.
@pytest.mark.slow
@pytest.mark.parametrize(("flags", "tolerance"), [("", 1e-6), ("--xla_disable_hlo_passes=algsimp", 0)])
def test_a_model_is_the_same_on_one_device_and_on_two_but_for_what_xla_simplifies(tmp_path, flags, tolerance):
    def trained(devices):
        environment = os.environ | {
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices} {flags}",
        }
        path = tmp_path / f"{devices}.npz"
        command = [sys.executable, "-m", "tests.shadow.devices_worker", str(path)]
        subprocess.run(command, check=True, env=environment, timeout=300)
        with np.load(path) as arrays:
            assert arrays["devices"] == devices
            return [arrays[name] for name in arrays.files if name != "devices"]

    for one, two in zip(trained(1), trained(2), strict=True):
        np.testing.assert_allclose(one, two, rtol=0, atol=tolerance)
