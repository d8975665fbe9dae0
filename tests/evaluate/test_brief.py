"""A report in a few lines, against the rows that they are read off."""

from dataclasses import replace

import pytest

from leakjax._validate import UsageError
from leakjax.evaluate import brief
from tests.report.fake_report import ALONE, DEFENSES, MARGINS, fake_report


def test_a_line_for_every_explanation():
    lines = brief.lines(fake_report())
    assert [(line.explainer, line.defense) for line in lines] == [
        (explainer, defense) for explainer in MARGINS for defense in DEFENSES
    ]
    for line in lines:
        added = MARGINS[line.explainer][DEFENSES.index(line.defense)]
        assert line.margin.value == added
        assert line.prediction == pytest.approx(ALONE)
        assert line.both.value == ALONE + added
        assert line.explanation.value == 0.01 + 1.4 * abs(added)


def test_every_release_has_its_lines_and_other_rates_their_numbers():
    report = fake_report()
    label = [replace(row, release="label") for row in report.leakage if row.view == "both"]
    both = fake_report(leakage=[*report.leakage, *label])
    assert [line.release for line in brief.lines(both)] == ["vector"] * 12 + ["label"] * 12
    assert brief.lines(report, "0.001")[0].margin.value == MARGINS["gradient"][0] / 4


def test_the_repr_is_one_line():
    assert repr(fake_report()) == (
        "<Report: digits, 64 models, 1,797 points; integrated_gradients adds +4.70 (+4.25 to +5.15) points at 1 % "
        "false positives; 6 of 6 controls passed>"
    )
    assert "5 of 6 controls passed" in repr(fake_report(placebo_passed=False))
    assert (
        repr(fake_report(leakage=[])) == "<Report: digits, 64 models, 1,797 points; 6 of 6 controls passed>"
    )


def test_html_is_escaped_and_holds_the_numbers():
    shown = fake_report(dataset="<b>")._repr_html_()
    assert "<b>" not in shown
    assert "&lt;b&gt;" in shown
    assert shown.count("<tr>") == 1 + len(MARGINS) * len(DEFENSES)
    assert "<td>+4.70 (+4.25 to +5.15)</td>" in shown
    assert "<table>" not in fake_report(leakage=[])._repr_html_()


def test_latex_escapes_names_and_has_as_many_cells_as_columns():
    lines = fake_report().to_latex().splitlines()
    assert lines[1] == r"\begin{tabular}{lllrrrl}"
    body = lines[5:-2]
    assert len(body) == len(MARGINS) * len(DEFENSES)
    assert all(line.count(" & ") == 6 and line.endswith(r" \\") for line in [lines[3], *body])
    assert body[-1].startswith(r"vector & integrated\_gradients & clip\_norm+gaussian\_noise & 8.3 & ")


def test_a_frame_is_a_flat_table_with_meanings():
    pytest.importorskip("pandas")
    report = fake_report()
    frame = report.to_frame()
    assert len(frame) == len(report.leakage)
    assert frame["auc"].tolist() == [row.auc.value for row in report.leakage]
    assert frame.attrs["meaning"]["margin_auc"].startswith("what the explanation adds; null unless")
    assert report.to_frame("controls")["passed"].tolist() == [True] * 6
    with pytest.raises(UsageError, match=r"table='control': must be one of .*did you mean 'controls'"):
        report.to_frame("control")
