"""One draw of UCI Adult beside the figures of Shokri, Strobel and Zick (figure 6, tables 3 and 4)."""

import jax
import pytest

from leakjax.data import adult
from leakjax.records import encode, study

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def drawn(real_data, tmp_path_factory):
    task = encode.adult(adult.raw(tmp_path_factory.mktemp("data"), real_data / "adult"))
    assert task.x.shape == (48842, 104)
    return study.make_draw(task, 2000, l2=1.0, key=jax.random.key(0))


def test_the_papers_figures_lie_within_the_spread_of_a_draw(drawn):
    found = study.brief(drawn)
    # Tolerances are three standard deviations of a draw, over ten draws of this encoding.
    for name, paper, tolerance in (
        ("k=1", 0.10, 0.015),
        ("k=5", 0.21, 0.03),
        ("k=10", 0.28, 0.045),
        ("components", 1742, 62),
        ("singletons", 1701, 64),
        ("largest", 167, 80),
        ("max_in_degree", 391, 380),
        ("in_degree_zero", 1568, 60),
    ):
        assert abs(found[name] - paper) < tolerance, name
    assert found["unconverged"] == 0


@pytest.mark.parametrize(("loss", "threshold"), [("probability", 1e-13), ("cross_entropy", 1e-12)])
def test_algorithm_1_recovers_the_rank_and_two_digits_stop_it(drawn, loss, threshold):
    found = study.subspace(drawn, oracles=("exact", "digits2"), loss=loss, threshold=threshold)
    assert found["exact"]["found"] == found["rank"]
    assert abs(found["rank"] - 91.5) < 5
    assert found["exact"]["queries"] < 7000
    assert found["digits2"]["found"] < 60
