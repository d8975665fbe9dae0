import io
import math
from dataclasses import replace

import pytest

from leakjax.evaluate.document import Estimate
from leakjax.report import advice, terminal, verdict, words
from tests.report.fake_report import (
    MARGINS,
    RELEASES,
    fake_report,
    fake_task,
    released_leakage,
    same_everywhere,
)


def shown(report) -> str:
    file = io.StringIO()
    terminal.show(report, "runs/digits", file=file)
    return file.getvalue()


def flat(text: str) -> str:
    return " ".join(text.split())


def test_the_sentences_come_before_the_table_with_their_numbers():
    text = flat(shown(fake_report()))
    sentence = (
        "Where your service shows all probabilities, an attacker finds 8.3 % of the training records from that "
        "alone and 13.0 % with the explanations (chance 1.0 %). Found at 1 % false alarms. Where the service "
        "shows all probabilities, the "
        "explanations are by integrated_gradients, the one of 4 that adds most: the explanation adds "
        "4.7 percentage points (4.2 to 5.2)."
    )
    assert sentence in text
    assert "99.8 % of the records they were trained on and on 95.1 % of the others: a gap of 4.7" in text
    assert text.index(sentence) < text.index("explanation alone")


def test_each_explainer_and_defense_has_its_row():
    lines = (
        shown(fake_report(leakage=released_leakage())).partition("Training records caught")[2].splitlines()
    )
    (alone,) = [line for line in lines if line.strip().startswith("prediction alone")]
    assert alone.split() == ["prediction", "alone", *["8.3", "%"] * 3]
    for explainer, (plain, clipped, _) in MARGINS.items():
        (start,) = [index for index, line in enumerate(lines) if line.strip().startswith(f"{explainer} ")]
        added = [share * plain for share in RELEASES.values()]
        caught = [f"{words.percent(0.083 + one)}  {words.signed(one)}" for one in added]
        places = [lines[start].index(one) for one in caught]
        assert places == sorted(places)
        assert lines[start].split()[-2:] == [f"{100 * (0.01 + 1.4 * plain):.1f}", "%"]
        assert f"({100 * plain - 0.45:+.2f} to {100 * plain + 0.45:+.2f})" in lines[start + 1]
        assert lines[start + 2].strip().startswith("clip_norm ")
        assert f"{100 * clipped:+.2f}" in lines[start + 2]


def test_more_releases_than_fit_get_a_table_of_their_own():
    text = shown(fake_report(leakage=released_leakage(left={**RELEASES, "top(3)": 0.5})))
    assert text.count("prediction alone") == 2
    assert max(len(line) for line in text.splitlines()) <= 100


def test_it_is_plain_text_of_100_columns_when_piped():
    text = shown(fake_report(leakage=released_leakage()))
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) <= 100


def test_no_measurable_leakage_is_never_called_safe():
    text = flat(shown(fake_report()))
    assert (
        "integrated_gradients hardened with clip_norm+gaussian_noise, where the service shows all probabilities: "
        "no measurable leak above 0.65 percentage points, 0.20 percentage points (-0.25 to 0.65)." in text
    )
    assert "the service shows all probabilities: the explanation adds 2.9 percentage points" in text
    assert (
        "* No measurable leak: the interval reaches 0, and a leak above 2.0 percentage points would" in text
    )
    assert "safe" not in text.lower()


def test_a_failed_control_comes_first():
    assert "FAILED" not in shown(fake_report())
    text = shown(fake_report(placebo_passed=False))
    assert text.startswith(
        "1 OF 6 CONTROLS FAILED (placebo: explanations of another model): the audit itself"
    )
    assert any("placebo" in line and line.rstrip().endswith("FAILED") for line in text.splitlines()[1:])


def test_an_audit_without_controls_says_so():
    assert shown(fake_report(controls=[])).startswith("NO CONTROLS WERE RUN")


def test_what_was_left_out_is_said():
    task = fake_task(diverged=[3, 9], dropped_points=12, non_finite_attributions=5)
    text = flat(shown(fake_report(task=task)))
    assert "62 models trained on digits" in text
    assert "Models that diverged and were excluded: 2 (ids 3, 9)." in text
    assert "too few models with or without them: 12." in text
    assert "set to zero: 5." in text


def test_markup_in_names_is_text():
    assert "[red]digits[/red]" in shown(fake_report(dataset="[red]digits[/red]"))


def test_a_report_of_predictions_alone_has_no_margin():
    predictions = [row for row in fake_report().leakage if row.view == "prediction"]
    text = flat(shown(fake_report(leakage=predictions)))
    assert "finds 8.3 % of the training records at 1 % false alarms (chance 1.0 %)." in text


def test_a_margin_that_could_not_be_measured_is_said_to_be_so():
    unknown = same_everywhere(Estimate(math.nan, math.nan, math.nan))
    rows = [row if row.margin is None else replace(row, margin=unknown) for row in fake_report().leakage]
    text = flat(shown(fake_report(leakage=rows)))
    assert "what the explanation adds could not be measured" in text
    assert "not measured" in text


@pytest.mark.parametrize(
    ("value", "percent", "signed"),
    [
        (0.083, "8.3 %", "+8.30"),
        (0.0052, "0.52 %", "+0.52"),
        (0.0, "0.0 %", "+0.00"),
        (-0.00001, "0.0 %", "+0.00"),
        (None, "not measured", "not measured"),
    ],
)
def test_numbers_read_well(value, percent, signed):
    assert words.percent(value) == percent
    assert words.signed(value) == signed


def test_false_alarms():
    assert [words.false_alarms(rate) for rate in ("0.001", "0.01")] == [
        "0.1 % false alarms",
        "1 % false alarms",
    ]


def test_the_verdict_of_the_page_and_what_to_do_next_are_said():
    text = flat(shown(fake_report()))
    for said in (verdict.title(fake_report()), *advice.next_steps(fake_report())):
        assert said in text


def test_the_pdf_is_named_where_it_was_written(tmp_path):
    file = io.StringIO()
    (tmp_path / "report.pdf").write_bytes(b"%PDF-")
    terminal.show(fake_report(), tmp_path, file=file)
    assert f"{tmp_path}/report.pdf" in file.getvalue()
    assert "report.pdf" not in shown(fake_report())
