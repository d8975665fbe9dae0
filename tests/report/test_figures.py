import io
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread

from leakjax.evaluate.document import Estimate, Example, SmallestMargin
from leakjax.report import figures, maps
from tests.report.fake_report import ALONE, DEFENSES, MARGINS, fake_report, leakage, same_everywhere


def test_every_figure_is_a_png_with_something_on_it(published):
    paths = {path.name: path for path in (published / "figures").glob("*.png")}
    assert set(paths) == {
        *("leakage.png", "roc.png", "hardening.png"),
        *(f"examples_{name}.png" for name in MARGINS),
    }
    for path in paths.values():
        pixels = imread(path)
        assert min(pixels.shape[:2]) > 500
        assert np.unique(pixels[..., 0]).size > 20


def test_no_date_and_no_version_is_in_a_png(published):
    for path in (published / "figures").glob("*.png"):
        content = path.read_bytes()
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        for label in (b"tEXt", b"tIME", b"atplotlib"):
            assert label not in content


def test_every_figure_is_an_svg_and_a_pdf_too_without_a_date(published):
    names = {path.stem for path in (published / "figures").glob("*.png")}
    for kind, start in (("svg", b"<?xml"), ("pdf", b"%PDF-")):
        paths = sorted((published / "figures").glob(f"*.{kind}"))
        assert {path.stem for path in paths} == names
        for path in paths:
            content = path.read_bytes()
            assert content.startswith(start)
            assert b"Date" not in content
            assert b"dc:date" not in content
            assert len(content) > 2000


def test_the_bars_are_the_margins_with_their_intervals():
    (axes,) = figures.bars(fake_report()).axes
    bars, whiskers = axes.containers[0::2], axes.containers[1::2]
    assert len(bars) == len(whiskers) == len(DEFENSES)
    for place, (group, whisker) in enumerate(zip(bars, whiskers, strict=True)):
        expected = np.array([100 * margins[place] for margins in MARGINS.values()])
        np.testing.assert_allclose([bar.get_width() for bar in group], expected, atol=1e-12)
        ends = np.array(whisker.lines[2][0].get_segments())[:, :, 0]
        np.testing.assert_allclose(ends, np.stack([expected - 0.45, expected + 0.45], axis=1), atol=1e-9)
    assert [label.get_text() for label in axes.get_yticklabels()] == list(MARGINS)


def test_an_interval_is_drawn_where_it_is_although_the_estimate_lies_outside():
    margin = same_everywhere(Estimate(0.03, 0.01, 0.02))
    rows = [replace(row, margin=row.margin and margin) for row in fake_report().leakage]
    (axes,) = figures.bars(fake_report(leakage=rows)).axes
    np.testing.assert_allclose(axes.containers[1].lines[2][0].get_segments()[0][:, 0], [1.0, 2.0])
    assert axes.lines[0].get_xdata()[0] == pytest.approx(3.0)


def test_the_band_is_the_smallest_margin():
    (axes,) = figures.bars(fake_report()).axes
    (band,) = [
        patch for patch in axes.patches if patch.get_label() == "below the weakest planted leak that showed"
    ]
    assert [band.get_x(), band.get_x() + band.get_width()] == pytest.approx([-0.52, 0.52])
    other = fake_report(
        smallest_margin=SmallestMargin(fpr="0.001", value=0.02)
    )  # of another rate than the bars
    assert all("planted" not in patch.get_label() for patch in figures.bars(other).axes[0].patches)


def test_the_roc_draws_the_curves_of_the_worst_explainer():
    report = fake_report()
    figure = figures.roc(report)
    assert figure.get_suptitle().endswith("integrated_gradients")
    assert [axes.get_title("left") for axes in figure.axes] == [
        "plain",
        "clip_norm",
        "clip_norm+gaussian_noise",
    ]
    for axes, margin in zip(figure.axes, MARGINS["integrated_gradients"], strict=True):
        assert axes.get_xscale() == axes.get_yscale() == "log"
        lines = {line.get_label(): line for line in axes.lines}
        fpr = np.asarray(lines["prediction alone"].get_xdata())
        assert 1 / 898 <= fpr[0] < 1.1 / 898  # nothing can be attained left of one false positive
        for label, tpr in (
            ("prediction alone", ALONE),
            ("prediction and explanation", ALONE + margin),
            ("explanation alone", 0.01 + 1.4 * margin),
        ):
            drawn = np.interp(0.01, fpr, np.asarray(lines[label].get_ydata()))
            assert drawn == pytest.approx(tpr, rel=1e-3)
        np.testing.assert_array_equal(lines["guessing"].get_xdata(), lines["guessing"].get_ydata())
        assert lines["headline rate, as attained"].get_xdata()[0] == pytest.approx(8 / 898)


def test_image_examples_are_the_maps_on_one_symmetric_scale_a_row():
    report = fake_report()
    figure = maps.draw(report, "smoothgrad")
    panels = np.array(figure.axes).reshape(len(report.examples), 1 + len(DEFENSES))
    for row, example in zip(panels, report.examples, strict=True):
        drawn = [panel.images[0] for panel in row]
        np.testing.assert_allclose(drawn[0].get_array(), example.input[..., 0])
        largest = max(np.abs(array).max() for array in example.maps["smoothgrad"].values())
        for image, defense in zip(drawn[1:], DEFENSES, strict=True):
            np.testing.assert_allclose(image.get_array(), example.maps["smoothgrad"][defense].sum(-1))
            assert image.get_clim() == pytest.approx((-largest, largest))


def test_tabular_examples_are_the_top_features_of_the_plain_explanation():
    report = fake_report(tabular=True)
    figure = maps.draw(report, "gradient")
    panels = np.array(figure.axes).reshape(len(report.examples), len(DEFENSES))
    for row, example in zip(panels, report.examples, strict=True):
        plain = example.maps["gradient"]["none"]
        top = sorted(range(plain.size), key=lambda index: -abs(plain[index]))[: maps.FEATURES]
        for panel, defense in zip(row, DEFENSES, strict=True):
            np.testing.assert_allclose(
                [bar.get_width() for bar in panel.patches], example.maps["gradient"][defense][top]
            )
        labels = [label.get_text() for label in row[0].get_yticklabels()]
        assert labels == [f"feature {index} = {example.input[index]:.3g}" for index in top]


@pytest.mark.parametrize("shape", [(8, 8, 3), (8, 8, 2), (8, 8, 1)])
def test_inputs_beyond_0_to_1_are_scaled_and_a_class_activation_map_is_drawn(shape):
    image = np.random.default_rng(0).normal(size=shape)
    example = Example(id=1, input=image, label=0, maps={"gradcam": {"none": image.mean(-1, keepdims=True)}})
    figure = maps.draw(fake_report(examples=[example]), "gradcam")
    shown = figure.axes[0].images[0].get_array()
    assert shown.shape == ((8, 8, 3) if shape[-1] == 3 else (8, 8))
    assert (shown.min(), shown.max()) == pytest.approx((0.0, 1.0))


def test_blank_inputs_and_maps_are_drawn():
    blank = np.full((4, 4, 1), 7.0)
    example = Example(id=1, input=blank, label=0, maps={"gradient": {"none": 0 * blank}})
    figure = maps.draw(fake_report(examples=[example]), "gradient")
    assert np.isfinite(figure.axes[0].images[0].get_array()).all()
    assert figure.axes[1].images[0].get_clim() == (-1.0, 1.0)


def test_what_is_not_there_is_not_drawn():
    predictions = [row for row in fake_report().leakage if row.view == "prediction"]
    assert figures.images(fake_report(leakage=predictions)) == {}
    assert set(figures.images(fake_report(examples=(), curves=()))) == {"leakage", "hardening"}
    assert set(figures.images(fake_report(examples=(), curves=(), utility=[]))) == {"leakage"}


def test_names_with_dollars_slashes_and_unmeasured_margins_are_drawn():
    margin = same_everywhere(Estimate(math.nan, math.nan, math.nan))
    rows = [
        replace(row, explainer="a/$b_{$") if row.explainer != "none" else row
        for row in fake_report().leakage
        if row.explainer in ("none", "gradient")
    ]
    rows = [row if row.margin is None else replace(row, margin=margin) for row in rows]
    assert set(figures.images(fake_report(leakage=rows, curves=(), examples=(), utility=()))) == {"leakage"}
    assert "/" not in figures.examples_of("a/$b_{$")


def test_matplotlib_is_not_imported_before_something_is_drawn():
    code = "import leakjax.report, sys; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_floor_that_is_wide_does_not_squeeze_the_intervals():
    small = {name: tuple(added / 20 for added in margins) for name, margins in MARGINS.items()}
    coarse = SmallestMargin(fpr="0.01", value=0.08)
    (axes,) = figures.bars(fake_report(leakage=leakage(small), smallest_margin=coarse)).axes
    low, high = axes.get_xlim()
    furthest = 100 * (max(map(max, small.values())) + 0.0045)  # the end of the longest interval
    assert furthest < high < 1.5 * furthest
    assert -high <= low < 0
    assert any("±8.0 points, wider than this figure" in patch.get_label() for patch in axes.patches)


def test_curves_that_coincide_are_both_visible():
    report = fake_report(leakage=leakage({"gradient": (0.0, 0.0, 0.0)}))
    (axes, *_) = figures.roc(report).axes
    lines = {line.get_label(): line for line in axes.lines}
    below, above = lines["prediction alone"], lines["prediction and explanation"]
    assert below.get_linewidth() > 2 * above.get_linewidth()
    assert axes.lines.index(below) < axes.lines.index(above)
    assert below.get_color() != above.get_color()


def test_the_curve_marks_what_is_recommended_and_what_no_other_beats():
    (axes,) = figures.curve(fake_report()).axes
    lines = {line.get_label(): line for line in axes.lines}
    assert list(lines["recommended"].get_xdata()) == [0.31]
    assert list(lines["recommended"].get_ydata()) == pytest.approx([0.2])
    # integrated_gradients: plain, clipped, noisy; each less useful and less leaky than the one before.
    assert list(lines["best of those tried"].get_xdata()) == pytest.approx([1.0, 0.97, 0.31])
    assert list(lines["best of those tried"].get_ydata()) == pytest.approx([4.7, 2.9, 0.2])
    beaten = fake_report(
        leakage=leakage({"gradient": (0.04, 0.05, 0.0)})
    )  # clipping leaks more and says less
    lines = {line.get_label(): line for line in figures.curve(beaten).axes[0].lines}
    assert list(lines["best of those tried"].get_xdata()) == pytest.approx([1.0, 0.31])


def test_every_chart_of_a_page_is_there_for_dark_paper_and_for_a_phone():
    report = fake_report(examples=[])
    plain, others = figures.images(report), figures.pictures(report)
    assert set(others) == {f"{name}@{look}" for name in plain for look in ("dark", "narrow", "narrow_dark")}
    for name, content in plain.items():
        sizes = {
            look: imread(io.BytesIO(others[f"{name}@{look}"])) for look in ("dark", "narrow", "narrow_dark")
        }
        light = imread(io.BytesIO(content))
        assert sizes["dark"].shape == light.shape
        assert sizes["narrow"].shape == sizes["narrow_dark"].shape
        assert sizes["narrow"].shape[1] < 400 * 2  # two pixels of a figure to one of a phone's
        for look, pixels in (*sizes.items(), ("light", light)):
            corner = pixels[2, 2, :3].mean()
            assert corner < 0.2 if "dark" in look else corner == 1.0


def test_equal_reports_give_equal_files():
    report = fake_report(examples=[], curves=[])
    assert figures.files(report) == figures.files(report)
