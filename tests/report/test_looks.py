"""Figures of studies in several looks: on dark paper, and as wide as a phone."""

import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from leakjax.report import looks
from leakjax.report.monitoring import figures as of_monitors
from leakjax.report.records import figures as of_records
from tests.monitoring.fake_monitor import fake_monitor
from tests.records.fake_records import fake_records

DRAWS = [
    {
        "membership": {
            "member_influence": [0.001, 0.02, 0.3, 4.0],
            "other_influence": [0.002, 0.03, 0.4],
            "revealed": {"1": [0]},
            "records": 4,
        },
        "static": {"true": {str(k): [1, 2, 2] for k in (1, 5, 10)}},
        "graph": {"coverage": [1, 2, 3]},
    }
]


def line(look):
    figure = Figure(figsize=(2.0, 1.0))
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=looks.ink())
    return figure


def pixels(png):
    return imread(io.BytesIO(png))[..., :3]


def paper(png):
    return pixels(png)[0, 0].mean()


def test_ink_and_paper_change_places_on_dark_paper_and_what_is_none_is_left_out():
    found = looks.drawn({"line": line, "nothing": lambda look: None}, looks.WIDE)
    assert set(found) == {"line", "line@dark"}
    light, dark = (pixels(found[name]).mean(axis=-1) for name in found)
    assert light.shape == dark.shape
    assert light.max() == 1.0
    assert dark.min() == pytest.approx(np.mean([0x14, 0x17, 0x1A]) / 255, abs=0.01)
    moved = light < 0.5  # where the ink is
    assert moved.any()
    assert dark[moved].min() > 0.5


@pytest.mark.parametrize(
    ("images", "charts"),
    [
        (lambda: of_monitors.images(fake_monitor()), 2),
        (lambda: of_records.images(fake_records().results.draws, DRAWS, ()), 4),
    ],
)
def test_charts_of_studies_are_drawn_for_each_paper_and_for_a_phone(images, charts):
    found = images()
    names = {name for name in found if "@" not in name}
    assert len(names) == charts
    assert set(found) == {f"{name}{mark}" for name in names for mark in looks.LOOKS}
    for name, png in found.items():
        assert (paper(png) < 0.2) == name.endswith("dark")
        width = pixels(png).shape[1] / looks.DPI
        assert (width == pytest.approx(looks.PHONE, abs=0.02)) == ("narrow" in name)


def test_labels_of_a_logarithmic_axis_are_numbers():
    with looks.style(looks.Look()):
        figure = of_records.influence_histograms(DRAWS[0]["membership"])
        figure.canvas.draw()
    said = [label.get_text() for axes in figure.axes for label in axes.get_xticklabels()]
    assert "0.01" in said
    assert not any("$" in text for text in said)
