"""Approximations of influence beside exact retraining."""

import jax
import numpy as np

from leakjax.influence.exact import LOSSES
from leakjax.records.compare import Training, compare_linear, compare_network
from leakjax.records.encode import Task
from leakjax.records.network import Effort
from tests.influence.conftest import task


def test_influence_functions_of_a_linear_model_stand_beside_its_exact_influence(service):
    rows = compare_linear(service, *task(20, 6, seed=3))
    assert list(rows) == list(LOSSES)
    for row in rows.values():
        assert row["correlation"] > 0.95
        assert row["rank_correlation"] > 0.98
        assert row["residual"] < 1e-6


def test_three_approximations_stand_beside_a_retrained_network():
    x, y = task(60, 3)
    small = Task("small", x, y, np.arange(3), {})
    found = compare_network(
        small,
        np.arange(20),
        np.arange(20, 60),
        training=Training(l2=5.0, hidden=3, steps=400),
        effort=Effort(k=2, queries=20, budget=100, prototypes=10),
        key=jax.random.key(0),
    )
    assert (found["records"], found["l2"]) == (20, 5.0)
    assert 0.5 < found["accuracy"] <= 1
    assert list(found["agreement"]) == [
        "influence functions, whole network",
        "influence functions, last layer",
        "TracIn",
    ]
    # A strong penalty keeps the network near its one optimum, where the first order is close.
    assert found["agreement"]["influence functions, whole network"]["correlation"] > 0.5
    assert {len(curve) for curve in found["discovered"].values()} == {100}
