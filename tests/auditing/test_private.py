import math

import pytest

from leakjax.auditing.private import promise
from leakjax.shadow import TrainConfig


def test_a_report_says_what_private_training_guarantees():
    pytest.importorskip("dp_accounting")
    config = TrainConfig(epochs=1, batch_size=50, noise_multiplier=2.0, clip_norm=0.5)
    promised = promise(config, 100, delta=1e-5)  # one step with every point: a single Gaussian
    assert (promised.noise_multiplier, promised.clip_norm, promised.delta) == (2.0, 0.5, 1e-5)

    def cdf(x):
        return math.erfc(-x / math.sqrt(2)) / 2

    # Balle and Wang 2018, theorem 8, solved for the delta of this epsilon.
    half, epsilon = 1 / (2 * 2.0), promised.epsilon
    delta = cdf(half - 2.0 * epsilon) - math.exp(epsilon) * cdf(-half - 2.0 * epsilon)
    assert delta == pytest.approx(1e-5, rel=0.02)


def test_plain_training_guarantees_nothing():
    assert promise(TrainConfig(), 100, delta=1e-5) is None
