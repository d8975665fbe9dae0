"""Runs side by side: who is pooled with whom, and what becomes of the numbers."""

import csv
import io
import math
import statistics
from dataclasses import replace

import pytest

from leakjax._validate import UsageError
from leakjax.evaluate import brief
from leakjax.report import compare, schema
from leakjax.report.compare import read_all
from tests.report.fake_report import MARGINS, fake_report, leakage


def run(seed=0, model="mlp", shift=0.0, **changes):
    margins = {name: tuple(value + shift for value in values) for name, values in MARGINS.items()}
    config = {"dataset": "digits", "model": model, "explainers": list(MARGINS), "seed": seed}
    return fake_report(config=config, leakage=leakage(margins), **changes)


def test_runs_are_named_by_what_they_differ_in_and_seeds_are_pooled():
    found = compare(run(0), run(0, "cnn"), run(1), run(2))
    assert {(row.run, row.seeds) for row in found.rows} == {("model=mlp", 3), ("model=cnn", 1)}
    assert len(found.rows) == 2 * len(brief.lines(run()))


def test_the_pooled_margin_is_the_mean_with_the_wider_interval():
    shifts = (0.0, 0.01, 0.05)
    found = compare(*(run(seed, shift=shift) for seed, shift in enumerate(shifts)))
    row = found.rows[0]
    values = [MARGINS["gradient"][0] + shift for shift in shifts]
    mean, spread = statistics.mean(values), statistics.stdev(values)
    half = 4.302652729911275 * spread / math.sqrt(3)  # Student's t with two degrees of freedom, 97.5 %
    assert row.margin.value == pytest.approx(mean)
    assert row.spread == pytest.approx(spread)
    assert (row.margin.low, row.margin.high) == pytest.approx((mean - half, mean + half))


def test_equal_seeds_do_not_narrow_the_interval():
    one, two = brief.lines(run())[0].margin, compare(run(0), run(1)).rows[0].margin
    assert (two.low, two.high) == pytest.approx((one.low, one.high))


def test_a_single_run_is_itself():
    found = compare(run(), run(model="cnn"))
    row, line = found.rows[0], brief.lines(run())[0]
    assert (row.margin, row.prediction) == (line.margin, line.prediction)
    assert math.isnan(row.spread)


def test_what_one_run_has_alone_is_there():
    report = run(model="cnn")
    fewer = replace(
        report, leakage=[row for row in report.leakage if row.explainer in ("none", "smoothgrad")]
    )
    found = compare(run(), fewer)
    assert {row.explainer for row in found.rows if row.run == "model=cnn"} == {"smoothgrad"}


def test_other_rates_are_compared_at_one_per_cent():
    report = run(model="cnn")
    rows = [replace(row, headline_fpr="0.001") for row in report.leakage]
    found = compare(run(), replace(report, leakage=rows))
    assert found.fpr == "0.01"
    assert compare(replace(report, leakage=rows), replace(report, leakage=rows)).fpr == "0.001"


def test_names_may_be_given_and_long_ones_stay_apart():
    found = compare(run(), run(1), names=["before", "after"])
    assert {row.run for row in found.rows} == {"before", "after"}
    long = compare(run(model="m" * 80 + "1"), run(model="m" * 80 + "2"))
    assert len({row.run for row in long.rows}) == 2


def test_failed_controls_and_other_points_are_said(capsys):
    task = replace(run().task, audited_points=5)
    found = compare(run(), run(model="cnn", placebo_passed=False, task=task), run(1))
    found.show()
    shown = capsys.readouterr().out
    assert "model=cnn: CONTROLS FAILED (placebo)" in shown
    assert "The runs audit different points" in shown
    assert "model=mlp: 2 seeds pooled" in shown
    assert "+4.70 (+4.25 to +5.15)" in shown


def test_csv_and_frame_hold_the_rows():
    pytest.importorskip("pandas")
    found = compare(run(), run(model="cnn"), run(1))
    head, *rows = csv.reader(io.StringIO(found.to_csv().decode()))
    frame = found.to_frame()
    assert list(frame.columns) == head
    assert [float(row[head.index("margin")]) for row in rows] == frame["margin"].tolist()
    assert frame["margin"].tolist() == [row.margin.value for row in found.rows]
    single = head.index("margin_sd"), head.index("seeds")
    assert all((row[single[0]] == "") == (row[single[1]] == "1") for row in rows)


def test_a_folder_of_seeds_is_read_as_its_runs(tmp_path):
    for seed in range(3):
        schema.write(run(seed), tmp_path / "many" / f"seed-{seed}")
    schema.write(run(model="cnn"), tmp_path / "one")
    reports = read_all([tmp_path / "many", tmp_path / "one"])
    assert [report.config["seed"] for report in reports] == [0, 1, 2, 0]
    with pytest.raises(UsageError, match=r"holds no report\.json"):
        read_all([tmp_path / "none"])


def test_faults_are_named():
    with pytest.raises(UsageError, match="reports=1: must be at least two"):
        compare(run())
    with pytest.raises(UsageError, match="must be as many as the 2 reports"):
        compare(run(), run(), names=["a"])
