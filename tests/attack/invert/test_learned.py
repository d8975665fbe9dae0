import jax
import numpy as np
import pytest

from leakjax import UsageError
from leakjax.attack.invert.learned import learn
from leakjax.oracle import replay
from tests.oracle.worlds import offered


def inputs(count, seed):
    return np.random.default_rng(seed).uniform(size=(count, 4)).astype(np.float32)


def test_a_decoder_reads_inputs_off_maps_that_hold_them():
    def attack(asked):
        made = learn(asked, inputs(300, 0), view="both", classes=3, key=jax.random.key(0), epochs=60)
        return made(asked.ask(inputs(50, 1)))

    asked = offered("input_x_gradient")
    found = attack(asked)
    assert np.mean((found - inputs(50, 1)) ** 2) < 0.1 * inputs(50, 1).var()
    np.testing.assert_array_equal(attack(replay(asked.transcript)), found)


def test_a_decoder_of_nothing_is_one_line():
    with pytest.raises(UsageError, match="answered=1: of 300 queries must be at least 2"):
        learn(offered(budget=1), inputs(300, 0), view="both", classes=3, key=jax.random.key(0))
