"""The document of a study, its page, figures and tables."""

import csv
import json

import jsonschema

from leakjax.evaluate.document import dumps, from_json, json_schema, to_json
from leakjax.monitoring.document import MonitorReport
from leakjax.report.looks import LOOKS
from leakjax.report.monitoring import figures, publish, section
from tests.monitoring.fake_monitor import fake_monitor
from tests.report.reader import Reader


def test_a_report_follows_the_schema_and_survives_its_file():
    values = json.loads(dumps(fake_monitor()))
    jsonschema.validate(values, json_schema(MonitorReport))
    assert to_json(from_json(MonitorReport, values)) == values


def test_a_published_report_is_whole(tmp_path):
    publish(fake_monitor(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "report.html", "figures", "tables"}
    drawn = {f"{name}{mark}.png" for name in ("caught", "race") for mark in LOOKS}
    assert {path.name for path in (tmp_path / "figures").iterdir()} == drawn
    with (tmp_path / "tables" / "attacks.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 18
    assert rows[0]["tpr_0.01"] == "0.95"
    assert rows[-1]["delay_0.01"] == ""
    reader = Reader((tmp_path / "report.html").read_text())
    assert reader.tags.count("img") == 2
    assert reader.tags.count("source") == 2 * (len(LOOKS) - 1)
    assert all(link.startswith("data:image/png;base64,") for link in reader.links)
    (aims,) = [rows for rows in reader.tables if rows[0][1] == "caught at 0.1 %"]
    assert [row[3] for row in aims[1:]] == ["yes", "no aim"]
    assert any(rows[-1][0].startswith("benign") for rows in reader.tables)


def test_the_page_says_what_is_met_and_what_is_lost():
    report = fake_monitor()
    assert "catch at least 90 % of 1 of the 1 kinds of undisguised attacks" in section.lead(report)
    assert section.lead(report).endswith(
        "1 of all 2 kinds have what they want before the alarm, or without one: <real points>."
    )
    (lost,) = section.lost(report)
    assert "after 30 queries; the alarm comes in 5.0 % of cases. Only the release itself stops it." in lost
    assert "<real" not in section.page(report, figures.images(report))


def test_equal_reports_give_equal_pictures():
    assert figures.images(fake_monitor()) == figures.images(fake_monitor())
