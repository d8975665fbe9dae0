import dataclasses

import numpy as np
import pytest
from rich.console import Console

from experiments import audit_flags, null_tests
from experiments.audit_flags import Places, read_config
from leakjax._validate import UsageError
from leakjax.evaluate.document import Estimate
from leakjax.evaluate.roc import Rates
from leakjax.report.progress import Stages
from tests.experiments.own_flags import own_flags


def _config(*arguments):
    with own_flags(audit_flags.define_flags) as values:
        values(["null_tests", *arguments])
        return read_config(values)


class _Judge:
    """Of two rates; an interval is the spread over resamples."""

    headline = "0.01"

    def found(self, rates):
        estimate = lambda one: Estimate(one.mean(), one.min(), one.max(), error=one.mean(axis=0).std())
        return type("Found", (), {"auc": estimate(rates.auc), "tpr_at_fpr": {"0.01": estimate(rates.tpr[1])}})


def test_lists_are_averaged_before_their_spread_is_taken():
    generator = np.random.default_rng(0)
    lists = [
        {("both", "label"): Rates(generator.normal(size=(8, 400)), generator.normal(size=(2, 8, 400)))}
        for _ in range(16)
    ]
    one = null_tests.averaged(lists[:1], _Judge())["both", "label"]
    many = null_tests.averaged(lists, _Judge())["both", "label"]
    assert (one.view, one.about) == ("both", "label")
    assert many.tpr.error == pytest.approx(one.tpr.error / 4, rel=0.2)
    assert many.auc.error == pytest.approx(one.auc.error / 4, rel=0.2)


@pytest.mark.parametrize(("value", "sound"), [(0.039, True), (-0.039, True), (0.041, False), (-0.041, False)])
def test_four_standard_errors_are_a_fault(value, sound):
    near, far = Estimate(0.0, -1.0, 1.0, error=0.01), Estimate(value, -1.0, 1.0, error=0.01)
    assert null_tests.Row("both", "label", far, near).sound is sound
    assert null_tests.Row("both", "label", near, far).sound is sound


def test_nothing_is_found_under_the_lists_of_others(tmp_path):
    config = _config(
        "--models=16", "--points=240", "--epochs=60", "--explainers=gradient", "--releases=label"
    )
    stages = Stages(Console(stderr=True))
    rows = null_tests.run(
        config, Places(tmp_path / "null", None, None, take_over=False), "permuted", 2, stages
    )
    assert [(row.view, row.about) for row in rows] == [
        ("explanation", "gradient"),
        ("prediction", "label"),
        ("both", "label + gradient"),
        ("margin", "label + gradient"),
    ]
    assert all(row.sound and row.tpr.error > 0 for row in rows)
    with pytest.raises(UsageError, match="repeats=16: must be 1 to 15"):
        null_tests.run(config, Places(tmp_path / "more", None, None, take_over=False), "rolled", 16, stages)


def test_false_lists_are_rolled_or_depend_on_nothing():
    @dataclasses.dataclass
    class Subject:
        membership: np.ndarray
        seed: int = 5

    true = np.random.default_rng(0).random((12, 2000)) < 0.3
    of = lambda kind, number: null_tests.false_lists(Subject(true), kind, number).membership
    np.testing.assert_array_equal(of("rolled", 3)[3:], true[:-3])
    first, second = of("permuted", 1), of("permuted", 2)
    assert first.sum() == second.sum() == true.sum()
    for one, other in ((first, true), (second, true), (first, second)):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.03
