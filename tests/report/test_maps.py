"""What the figure of examples says of a table: its columns, not its indicators."""

import numpy as np

from leakjax.evaluate.document import Example
from leakjax.report import maps
from tests.report.fake_report import fake_report

NAMES = ["age", "job: clerk", "job: smith", "job: (missing)"]
COLUMNS = ["age", "job", "job", "job"]


def example(values):
    return Example(id=0, input=np.array(values, np.float32), label=1, maps={})


def test_indicators_of_one_category_are_one_bar():
    report = fake_report(tabular=True, feature_names=NAMES, columns=COLUMNS)
    names, (sums,) = maps.columns(report, example([0.5, 0, 1, 0]), [np.array([2.0, 1.0, 10.0, 100.0])])
    assert names == ["age = 0.5", "job: smith"]
    np.testing.assert_array_equal(sums, [2.0, 111.0])


def test_a_category_that_is_not_known_is_said():
    report = fake_report(tabular=True, feature_names=NAMES, columns=COLUMNS)
    names, _ = maps.columns(report, example([0.5, 0, 0, 0]), [np.ones(4)])
    assert names == ["age = 0.5", "job: none"]


def test_features_stand_for_themselves_without_columns():
    report = fake_report(tabular=True, feature_names=NAMES)
    names, (sums,) = maps.columns(report, example([0.5, 0, 1, 0]), [np.arange(4.0)])
    assert names == ["age = 0.5", "job: clerk = 0", "job: smith = 1", "job: (missing) = 0"]
    np.testing.assert_array_equal(sums, np.arange(4.0))
