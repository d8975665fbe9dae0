"""The models and points of `world`, and the one audit of them that many tests look at."""

import functools

import jax
import pytest

import leakjax
from leakjax.auditing import Run
from leakjax.shadow import together
from tests.auditing.world import CLIP, EXPLAINERS, HARDENED, logits_fn, make_ensemble, make_points
from tests.settings import during


@pytest.fixture(scope="session")
def cheaply(tmp_path_factory):
    """A context: audits of one size share their programs, which are too small to be worth optimising."""
    return functools.partial(
        during,
        jax_compilation_cache_dir=str(tmp_path_factory.mktemp("compiled")),
        jax_persistent_cache_min_compile_time_secs=0,
        jax_persistent_cache_min_entry_size_bytes=0,
        jax_disable_most_optimizations=True,
    )


# A module at a time, for what other rooms compile is theirs.
@pytest.fixture(scope="module", autouse=True)
def cheap_compilation(cheaply):
    """Every test of this room.

    Programs of training are kept for as long as the process lives, whatever they were compiled by: those of this room
    go with it, for a model that another room starts by one of them differs in the last bit.
    """
    with cheaply():
        yield
    for program in (together._start_program, together._programs):
        program.cache_clear()


@pytest.fixture(scope="session")
def points():
    return make_points()


@pytest.fixture(scope="session")
def ensemble(points):
    return make_ensemble(points)


@pytest.fixture(scope="session")
def run(ensemble, points):
    """The audit of this world, with what a test wants otherwise."""

    def run(**options):
        given = {"explainers": EXPLAINERS, "defenses": ("none", CLIP, HARDENED), "run": Run(group="side")}
        return leakjax.audit(logits_fn, ensemble, points, **{"key": jax.random.key(7), **given, **options})

    return run


@pytest.fixture(scope="session")
def report(run, cheaply):
    with cheaply():
        return run()
