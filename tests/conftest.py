"""Settings of every test: the CPU, two forced devices, no display, strict ranks."""

import os
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=2"
os.environ.setdefault("MPLBACKEND", "agg")
os.environ["LEAKJAX_BROWSER"] = ""  # pages are not printed, but by the tests of that

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")
SETTINGS = dict(jax.config.values)


@pytest.fixture(autouse=True, scope="module")
def settings_stay():
    """No module's settings reach another: they decide the last bits of what it computes."""
    yield
    changed = {name for name, value in jax.config.values.items() if value != SETTINGS.get(name, value)}
    assert not changed, f"a test has changed {', '.join(sorted(changed))} for those after it"


@pytest.fixture
def x64():
    """Float64 inside the test."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the real files: $LEAKJAX_TEST_DATA, or ../shared/data beside the repository."""
    default = Path(__file__).parents[1].parent / "shared" / "data"
    folder = Path(os.environ.get("LEAKJAX_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}; name their folder in LEAKJAX_TEST_DATA")
    return folder
