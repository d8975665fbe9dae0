"""tables/*.csv, read back with Python's own reader."""

import csv
import io

from leakjax.evaluate.document.flat import tables_of
from leakjax.report import tables_csv
from tests.records.fake_records import fake_records
from tests.report.fake_report import fake_report


def read(content):
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def test_numbers_are_kept_to_the_last_bit():
    report = fake_report()
    head, *rows = read(tables_csv.files(report)["tables/leakage.csv"])
    assert len(rows) == len(report.leakage)
    for row, expected in zip(rows, report.leakage, strict=True):
        found = dict(zip(head, row, strict=True))
        assert float(found["auc_low"]) == expected.auc.low
        assert found["label_known"] == "true"
        assert (found["margin_auc"] == "") == (expected.margin is None)


def test_every_column_is_described():
    for report in (fake_report(with_groups=True), fake_records()):
        files = {path: read(content) for path, content in tables_csv.files(report).items()}
        head, *described = files.pop("tables/columns.csv")
        assert head == ["table", "column", "unit", "meaning"]
        columns = [(f"tables/{table}.csv", column) for table, column, _, _ in described]
        assert columns == [(path, column) for path, rows in files.items() for column in rows[0]]


def test_no_table_names_a_training_record():
    report = fake_report()
    files = tables_csv.files(report)
    assert "exposed" in tables_of(report)
    assert "tables/exposed.csv" not in files
    names = [read(content)[0] for path, content in files.items() if path != "tables/columns.csv"]
    assert all("id" not in head for head in names)


def test_commas_and_quotes_in_names_survive():
    name = 'mine, "the\nbest"'
    report = fake_report(dataset=name)
    head, row = read(tables_csv.files(report)["tables/task.csv"])
    assert row[head.index("dataset")] == name
