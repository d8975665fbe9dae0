"""Single plots: what is on the Axes is what the report says."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from leakjax._validate import UsageError
from leakjax.report import plot
from tests.report.fake_report import DEFENSES, MARGINS, fake_report


@pytest.mark.parametrize("draw", [plot.roc, plot.margin, plot.leakage_utility])
def test_each_takes_axes_and_returns_them(draw):
    axes = Figure().add_subplot()
    assert draw(fake_report(), axes) is axes
    own = draw(fake_report())
    assert own.figure.get_axes() == [own]


def test_the_roc_is_the_curves_right_of_the_least_rate():
    report = fake_report()
    axes = plot.roc(report, explainer="gradient", defense="clip_norm")
    lines = {line.get_label(): line for line in axes.lines}
    (curve,) = [
        one
        for one in report.curves
        if (one.explainer, one.defense, one.view) == ("gradient", "clip_norm", "both")
    ]
    drawn = lines["prediction and explanation"].get_xydata()
    expected = np.column_stack([curve.fpr, curve.tpr])
    np.testing.assert_array_equal(drawn, expected[expected[:, 0] >= 1 / 898])
    assert axes.get_xlim() == pytest.approx((1 / 898, 1.0))


def test_curves_that_coincide_are_both_visible():
    axes = plot.roc(fake_report())
    lines = {line.get_label(): line for line in axes.lines}
    below, above = lines["prediction alone"], lines["prediction and explanation"]
    assert axes.lines.index(below) < axes.lines.index(above)
    assert below.get_linewidth() > 2 * above.get_linewidth()


def test_margins_are_the_rows_of_the_report():
    axes = plot.margin(fake_report())
    for place, defense in enumerate(DEFENSES):
        (marks,) = [
            line for line in axes.lines if line.get_label() == ("plain" if defense == "none" else defense)
        ]
        np.testing.assert_allclose(marks.get_xdata(), [100 * margins[place] for margins in MARGINS.values()])
    assert [label.get_text() for label in axes.get_yticklabels()] == list(MARGINS)


def test_leakage_stands_over_utility():
    axes = plot.leakage_utility(fake_report(), explainer="gradient")
    marks = [line for line in axes.lines if len(line.get_xdata()) == 1]
    found = [(line.get_xdata()[0], line.get_ydata()[0]) for line in marks]
    expected = list(zip([1.0, 0.97, 0.31], [100 * margin for margin in MARGINS["gradient"]], strict=True))
    np.testing.assert_allclose(found, expected)


def test_an_attribution_is_an_image_or_bars():
    image = np.zeros((4, 5, 3))
    image[1, 2] = [1.0, -3.0, 0.5]
    (shown,) = plot.attribution(image).images
    assert shown.get_array()[1, 2] == pytest.approx(-1.5)
    assert shown.get_clim() == pytest.approx((-1.5, 1.5))
    axes = plot.attribution([0.1, -2.0, 1.0], names=["a", "b", "c"], most=2)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "c"]
    assert [bar.get_width() for bar in axes.patches] == [-2.0, 1.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plot.roc(fake_report(), explainer="grad"), "explainer='grad': must be one of"),
        (lambda: plot.roc(fake_report(), defense="mine"), "defense='mine': is none under which"),
        (lambda: plot.roc(fake_report(leakage=[])), "holds no explanation"),
        (lambda: plot.margin(fake_report(leakage=[])), "holds no explanation"),
        (lambda: plot.margin(fake_report(), release="label"), "release='label': must be one of vector"),
        (lambda: plot.leakage_utility(fake_report(), utility="worth"), "utility='worth': must be one of"),
        (lambda: plot.attribution(np.zeros((2, 2))), r"values=\(2, 2\): must be"),
        (lambda: plot.attribution([1.0], names=["a", "b"]), "names=2: must be as many as the 1 features"),
    ],
)
def test_faults_are_named(call, message):
    with pytest.raises(UsageError, match=message):
        call()
