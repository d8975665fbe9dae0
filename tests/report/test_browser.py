"""The page as people see it: on a screen, on a phone, on paper. Skipped where there is no Chromium."""

import re

import pytest

from leakjax.report import figures, page, paper
from leakjax.report.monitoring import figures as monitors
from leakjax.report.monitoring import section as of_monitors
from tests.monitoring.fake_monitor import fake_monitor
from tests.report import browser
from tests.report.fake_report import fake_report, released_leakage


@pytest.fixture(scope="module")
def text():
    rows = released_leakage(left={"vector": 1.0, "label": 0.1})
    report = fake_report(leakage=rows, with_groups=True, tabular=True)
    return page.render(report, figures.images(report) | figures.pictures(report))


@pytest.fixture
def printer(monkeypatch):
    """Prints a page to a PDF."""
    monkeypatch.setenv(paper.VARIABLE, browser.needed())
    return paper.printed


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 768, 1040, 1280])
def test_no_table_and_no_figure_is_cut_at_any_width(text, tmp_path, width):
    found = browser.seen(text, tmp_path, width)
    assert found["wide"] == width
    assert found["height"] > 4000  # not blank
    assert found["scrolls"] <= 0
    assert found["clipped"] == []
    assert found["outside"] == []
    assert found["hidden"] == []
    assert found["cells"] == text.count("<td")
    assert len(found["images"]) == text.count("<img") == 3 + 4
    for natural, shown, out in found["images"]:
        assert natural > 0
        assert shown >= min(width - 80, 300)
        assert not out


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_of_another_study_is_cut_at_no_width_either(tmp_path, width):
    report = fake_monitor()
    found = browser.seen(of_monitors.page(report, monitors.images(report)), tmp_path, width)
    assert found["scrolls"] <= 0
    assert found["clipped"] == found["outside"] == found["hidden"] == []
    natural = [image[0] for image in found["images"]]
    assert all(
        (one < 800) == (width == 390) for one in natural
    )  # in the pixels of a file, of the narrow figure


@pytest.mark.slow
@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_figure_is_drawn_on_the_paper_of_the_page(text, tmp_path, width, dark):
    report = fake_monitor()
    for shown in (text, of_monitors.page(report, monitors.images(report))):
        found = browser.seen(shown, tmp_path, width, dark=dark)
        assert (max(found["paper"]) < 64) == dark
        assert found["corners"] == [found["paper"]] * len(found["images"])
        assert found["images"]


@pytest.mark.slow
def test_on_a_phone_each_cell_says_its_heading_and_a_narrow_figure_is_shown(text, tmp_path):
    phone, desk = (browser.seen(text, tmp_path, width) for width in (390, 1280))
    assert desk["headings"] == 0
    assert phone["headings"] > 0.6 * phone["cells"]  # but for the first of a row, and the empty ones
    narrower = [here[0] < there[0] for here, there in zip(phone["images"], desk["images"], strict=True)]
    assert sum(narrower) == 3  # the charts; examples are images, which shrink


@pytest.mark.slow
def test_on_paper_everything_is_open_and_no_page_is_blank(text, printer):
    whole = browser.contents(printer(text))
    opened = browser.contents(printer(text.replace("<details", "<details open")))
    folded = browser.contents(
        printer(re.sub(r"</summary>.*?</details>", "</summary></details>", text, flags=re.DOTALL))
    )
    assert len(whole) == len(opened) > len(folded) > 2
    for drawn in whole:
        assert len(re.findall(rb"\bTj\b|\bTJ\b|\bDo\b", drawn)) >= 5


def test_without_a_browser_there_is_no_pdf_and_the_page_says_how(monkeypatch, tmp_path, text):
    monkeypatch.setenv(paper.VARIABLE, "")
    assert paper.browser() is None
    assert paper.printed(text) is None
    assert "For paper, print this page" in text
    assert "report.pdf beside this page" in page.render(fake_report(), {}, on_paper=True)


def test_a_browser_that_fails_leaves_no_pdf(monkeypatch, tmp_path):
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv(paper.VARIABLE, str(broken))
    assert paper.browser() == str(broken)
    assert paper.printed("<p>page</p>") is None
