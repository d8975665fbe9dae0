import json
import os
import re

import jsonschema
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.evaluate.document import Report, SmallestMargin, from_json, json_schema, to_json
from leakjax.report import read, write
from tests.report.fake_report import fake_report


@pytest.fixture
def document():
    return to_json(fake_report(with_groups=True))


def test_a_document_survives_the_file_and_the_report(document, tmp_path):
    path = write(fake_report(with_groups=True), tmp_path)
    assert path == tmp_path / "report.json"
    assert json.loads(path.read_text()) == document
    assert to_json(read(tmp_path)) == document
    assert os.listdir(tmp_path) == ["report.json"]


def test_a_report_follows_the_published_schema(document):
    jsonschema.validate(document, json_schema(Report))


def test_floats_are_written_in_full(tmp_path):
    third = 1.0 / 3.0
    report = fake_report(timings={"a": third, "b": np.float64(0.1), "c": np.float32(0.5)})
    assert json.loads(write(report, tmp_path).read_text())["timings"] == {"a": third, "b": 0.1, "c": 0.5}


def test_equal_reports_give_equal_bytes(tmp_path):
    first, second = (write(fake_report(), tmp_path / name).read_bytes() for name in ("a", "b"))
    assert first == second


def test_rows_are_one_a_line(tmp_path):
    report = fake_report()
    lines = write(report, tmp_path).read_text().splitlines()
    assert sum('"headline_fpr"' in line for line in lines) == len(report.leakage)
    assert sum('"question"' in line for line in lines) == len(report.controls)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32("nan")])
def test_a_number_that_could_not_be_measured_is_null(value):
    report = fake_report(smallest_margin=SmallestMargin(fpr="0.01", value=value))
    assert to_json(report)["smallest_margin"]["value"] is None


def test_the_file_is_replaced_at_once_or_not_at_all(tmp_path, monkeypatch):
    old = write(fake_report(), tmp_path).read_bytes()

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        write(fake_report(dataset="adult"), tmp_path)
    assert (tmp_path / "report.json").read_bytes() == old


@pytest.mark.parametrize(("content", "words"), [(None, "holds no report.json"), ("{", "is damaged")])
def test_a_workdir_without_a_report_is_named(tmp_path, content, words):
    if content is not None:
        (tmp_path / "report.json").write_text(content)
    with pytest.raises(UsageError, match=f"^workdir='{re.escape(str(tmp_path))}': .*{words}"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("row", "changes", "message"),
    [
        (0, {"explainer": "gradient"}, "explainer='gradient': must be \"none\" where the view"),
        (0, {"output": "logit"}, "output='logit': must be \"none\" where the view"),
        (2, {"margin": None}, "margin: must be null unless the view is"),
        (0, {"view": "neither"}, "view='neither': must be one of prediction, explanation, both"),
        (0, {"headline_fpr": "0.05"}, "headline_fpr='0.05': must be one of 0.001, 0.01"),
        (2, {"output": "margin"}, "output='margin': must be one of none, logit, "),
    ],
)
def test_rows_that_contradict_themselves_are_refused(document, row, changes, message):
    document["leakage"][row] |= changes
    with pytest.raises(UsageError) as error:
        from_json(Report, document)
    assert str(error.value).startswith(f"report.leakage[{row}].{message}")


def test_a_curve_with_ends_that_do_not_meet_is_refused(document):
    document["curves"][0]["tpr"] = [0.1]
    with pytest.raises(UsageError, match=r"report\.curves\[0\]\.tpr: must be as long as fpr, 61"):
        from_json(Report, document)
