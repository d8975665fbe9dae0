"""Pictures of one attribution, by what stands in the Axes; and features put together by the names of their columns."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from leakjax._validate import UsageError
from leakjax.explain import Segments, by_columns, feature_ablation, show

RNG = np.random.default_rng(0)


def test_an_image_is_a_heat_map_on_a_symmetric_scale():
    x, found = RNG.uniform(size=(5, 4, 3)), RNG.normal(size=(5, 4, 3))
    axes = show(x, found, outliers=0, title="a cat")
    (image,) = axes.images
    np.testing.assert_allclose(image.get_array(), found.sum(-1))
    largest = np.abs(found.sum(-1)).max()
    assert image.get_clim() == pytest.approx((-largest, largest))
    assert axes.get_title() == "a cat"


def test_outliers_are_cut_off_and_channels_may_come_first():
    x, found = np.zeros((1, 10, 10)), np.ones((1, 10, 10))
    found[0, 0, 0] = 1000.0
    (image,) = show(x, found, channel_axis=0).images
    assert image.get_clim() == pytest.approx((-1, 1))
    assert show(x, np.zeros_like(x), channel_axis=0).images[0].get_clim() == (-1, 1)


def test_blended_shows_the_image_beneath():
    x, found = RNG.uniform(size=(3, 3)), np.zeros((3, 3))
    found[1, 1] = -2.0
    axes = Figure().subplots()
    assert show(x, found, style="blended", outliers=0, axes=axes) is axes
    beneath, above = axes.images
    np.testing.assert_allclose(beneath.get_array(), x)
    np.testing.assert_allclose(above.get_alpha(), np.abs(found) / 2)


def test_a_row_is_bars_with_names_and_values():
    axes = show([3.0, 0.5, 7.0], [0.1, -2.0, 1.0], names=["age", "hours", "income"], top=2)
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["hours = 0.5", "income = 7", "1 others"]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([-2.0, 1.0, 0.1])
    red, blue = to_rgba("#B2182B"), to_rgba("#2166AC")
    assert [bar.get_facecolor() for bar in axes.patches] == [blue, red, red]


def test_columns_go_together_and_have_a_bar_each():
    cells = by_columns(["job", "age", "job", "job"])
    assert cells.count == 2
    np.testing.assert_array_equal(cells.map, [0, 1, 0, 0])
    weights, x = np.array([2.0, -1.0, 3.0, 4.0], np.float32), np.array([0.0, 5.0, 1.0, 0.0], np.float32)
    found = feature_ablation(lambda v, x: (x @ v)[None])(weights, x, 0, segments=cells)
    np.testing.assert_allclose(found, [3, -5, 3, 3])  # hiding the category hides all of its indicators
    axes = show(x, found, names=["job", "age"], segments=cells)
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["age", "job"]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([-5.0, 3.0])


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((np.ones(3), np.ones(4)), {}, r"attribution=\(4,\): must have x's shape"),
        ((np.ones(3), np.ones(3)), {"names": ["a"]}, "names=1: must be one for each bar, 3"),
        ((np.ones(3), np.ones(3)), {"style": "heat"}, r"x=\(3,\): must be an image"),
        ((np.ones((2, 2)), np.ones((2, 2))), {"outliers": 100}, "outliers=100"),
        (
            (np.ones(2), np.ones(2)),
            {"style": "hot", "segments": Segments(np.zeros(2, int), 1)},
            "style='hot'",
        ),
    ],
)
def test_what_cannot_be_drawn_is_said(arguments, options, message):
    with pytest.raises(UsageError, match=message):
        show(*arguments, **options)


def test_names_of_columns_are_counted():
    with pytest.raises(UsageError, match="names=2: must be one for each feature of an example, 3"):
        by_columns(["a", "b"], shape=(3,))
