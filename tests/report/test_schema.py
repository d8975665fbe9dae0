import copy
import json
import os

import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.report import fields, schema
from tests.report.fake_report import fake_report


@pytest.fixture
def document():
    return schema.to_json(fake_report())


def test_a_document_survives_the_file_and_the_report(document, tmp_path):
    path = schema.write(fake_report(), tmp_path)
    read = json.loads(path.read_text())
    assert path == tmp_path / "report.json"
    assert read == document
    assert schema.to_json(schema.from_json(read)) == document
    assert os.listdir(tmp_path) == ["report.json"]


def test_floats_are_written_in_full(tmp_path):
    third = 1.0 / 3.0
    report = fake_report(timings={"a": third, "b": np.float64(0.1), "c": np.float32(0.5)})
    assert json.loads(schema.write(report, tmp_path).read_text())["timings"] == {
        "a": third,
        "b": 0.1,
        "c": 0.5,
    }


def test_equal_reports_give_equal_bytes_whatever_the_order_of_their_names(tmp_path):
    config = {"b": 1, "a": (2, 3)}
    first = schema.write(fake_report(config=config), tmp_path / "first").read_bytes()
    second = schema.write(fake_report(config=dict(sorted(config.items()))), tmp_path / "second").read_bytes()
    assert first == second


def test_rows_are_one_a_line(tmp_path):
    report = fake_report()
    lines = schema.write(report, tmp_path).read_text().splitlines()
    assert sum('"family"' in line for line in lines) == len(report.leakage)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32("nan")])
def test_a_number_that_could_not_be_measured_is_null(value):
    report = fake_report(smallest_margin={"fpr": "0.01", "value": value})
    assert schema.to_json(report)["smallest_margin"]["value"] is None


def test_the_file_is_replaced_at_once_or_not_at_all(tmp_path, monkeypatch):
    old = schema.write(fake_report(), tmp_path).read_bytes()

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        schema.write(fake_report(dataset="adult"), tmp_path)
    assert (tmp_path / "report.json").read_bytes() == old


def places(value, path=()):
    """Every place in a document that is under the schema, as a path of keys."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield (*path, name)
            if name not in ("config", "environment"):
                yield from places(item, (*path, name))
    elif isinstance(value, list) and value:
        yield from places(value[0], (*path, 0))


def holder(document, path):
    for key in path[:-1]:
        document = document[key]
    return document


def test_every_missing_field_is_named(document):
    for path in places(document):
        if path[0] in ("timings", "schema"):
            continue
        broken = copy.deepcopy(document)
        del holder(broken, path)[path[-1]]
        with pytest.raises(UsageError) as error:
            schema.validate(broken)
        message = str(error.value)
        assert f".{path[-1]}: missing" in message
        assert "\n" not in message


def test_every_wrong_kind_is_named(document):
    for path in places(document):
        broken = copy.deepcopy(document)
        holder(broken, path)[path[-1]] = {1, 2}
        with pytest.raises(UsageError, match=f"{path[-1]}=") as error:
            schema.validate(broken)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        (("schema",), "leakjax.report/0", "must be 'leakjax.report/1'"),
        (("surprise",), 1, "unknown"),
        (("task", "points"), 3.0, "a whole number"),
        (("task", "points"), True, "a whole number"),
        (("task", "train_accuracy", "value"), "0.9", "a finite number or null"),
        (("task", "train_accuracy", "value"), False, "a finite number or null"),
        (("task", "train_accuracy", "value"), float("nan"), "a finite number or null"),
        (("controls", 0, "passed"), 1, "true or false"),
        (("leakage", 0, "view"), "neither", "one of prediction, explanation, both"),
        (("leakage", 0, "headline_fpr"), "0.05", "one of 0.001, 0.01"),
        (("leakage", 0, "explainer"), "gradient", "view is"),
        (("leakage", 2, "margin"), None, "margin"),
        (("curves", 0, "tpr"), [0.1], "as long as fpr"),
    ],
)
def test_wrong_values_break_a_named_rule(document, path, value, rule):
    holder(document, path)[path[-1]] = value
    with pytest.raises(UsageError, match=rule):
        schema.validate(document)


def test_a_long_wrong_value_makes_a_short_error(document):
    document["task"] = list(range(100_000))
    with pytest.raises(UsageError) as error:
        schema.validate(document)
    assert len(str(error.value)) < 120


def test_what_has_no_form_in_json_is_refused():
    with pytest.raises(UsageError, match=r"report\.config\.key: a set"):
        schema.to_json(fake_report(config={"key": {1}}))


def test_every_field_says_what_it_means():
    def meanings(kind):
        if isinstance(kind, dict):
            for field in kind.values():
                yield field.meaning
                yield from meanings(field.kind)
        elif isinstance(kind, fields.ListOf | fields.MapOf | fields.Nullable):
            yield from meanings(kind.kind)

    said = list(meanings(fields.REPORT))
    assert len(said) > 100
    assert all(len(meaning) > 5 for meaning in said)
