"""Flat tables of documents, against tables written out by hand."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pytest

from leakjax.evaluate.document import Estimate, Report, described, document, fields_of
from leakjax.evaluate.document.flat import Column, tables_of
from tests.records.fake_records import fake_records
from tests.report.fake_report import fake_report


@document()
class Leaf:
    """The end of a branch."""

    size: int = described("how large it is", "mm")
    length: Estimate | None = described("how long it is", "mm")
    veins: Sequence[int] = described("what runs through it")


@document()
class Branch:
    """What leaves hang on, of a tree."""

    age: float = described("how old it is", "years")
    leaves: Mapping[str, Leaf] = described("its leaves by name")


@document()
class Tree:
    """A plant."""

    SCHEMA = "tree/1"

    tall: bool = described("whether it is")
    root: Leaf = described("what it stands on")
    leaves: Sequence[Leaf] = described("what hangs on it")
    branches: Mapping[str, Branch] = described("what it is made of")
    heights: Sequence[Mapping[str, float]] = described("heights by season", "m")
    rates: Mapping[Literal["slow", "fast"], float] = described("how it grows", "m")
    notes: Mapping[str, Any] = described("what else is known")


LEAF = Leaf(size=1, length=Estimate(2.0, 1.5, math.nan), veins=[3, 4])
TREE = Tree(
    tall=True,
    root=Leaf(size=9, length=None, veins=[]),
    leaves=[LEAF],
    branches={"low": Branch(age=2.0, leaves={"first": LEAF})},
    heights=[{"spring": 1.0, "autumn": 2.0}, {"spring": 3.0}],
    rates={"slow": 0.5, "fast": math.inf},
    notes={"rings": 4},
)
OF_LEAF = ["size", "length", "length_low", "length_high", "veins"]
ROW = [1, 2.0, 1.5, None, "[3, 4]"]


def names(table):
    return [column.name for column in table.columns]


def test_every_part_is_in_one_table():
    tables = tables_of(TREE)
    assert {name: names(table) for name, table in tables.items()} == {
        "report": ["tall", "rates_slow", "rates_fast"],
        "root": OF_LEAF,
        "leaves": OF_LEAF,
        "branches": ["name", "age"],
        "branches_leaves": ["name", "name_2", *OF_LEAF],
        "heights": ["row", "name", "value"],
    }
    assert {name: table.rows for name, table in tables.items()} == {
        "report": [[True, 0.5, None]],
        "root": [[9, None, None, None, "[]"]],
        "leaves": [ROW],
        "branches": [["low", 2.0]],
        "branches_leaves": [["low", "first", *ROW]],
        "heights": [[0, "spring", 1.0], [0, "autumn", 2.0], [1, "spring", 3.0]],
    }


def test_columns_say_what_they_mean():
    columns = tables_of(TREE)["leaves"].columns
    assert columns[1] == Column("length", "how long it is", "mm")
    assert columns[2] == Column("length_low", "how long it is: the lower end of its 95 % interval", "mm")


def test_a_report_has_a_row_for_each_of_its_own():
    report = fake_report(with_groups=True)
    tables = tables_of(report)
    for name in ("leakage", "utility", "groups", "controls", "exposed"):
        assert len(tables[name].rows) == len(getattr(report, name))
    assert set(tables) <= {field.name for field in fields_of(Report)}
    leakage = [dict(zip(names(tables["leakage"]), row, strict=True)) for row in tables["leakage"].rows]
    for flat, row in zip(leakage, report.leakage, strict=True):
        assert (flat["explainer"], flat["view"]) == (row.explainer, row.view)
        assert flat["tpr_at_fpr_0.01"] == row.tpr_at_fpr["0.01"].value
        assert flat["tpr_at_fpr_0.001_high"] == row.tpr_at_fpr["0.001"].high
        assert flat["margin_auc_low"] == (row.margin.auc.low if row.margin else None)


def test_a_curve_is_as_many_rows_as_it_has_points():
    report = fake_report()
    table = tables_of(report)["curves"]
    assert len(table.rows) == sum(len(curve.fpr) for curve in report.curves)
    first = report.curves[0]
    at = [names(table).index(name) for name in ("fpr", "tpr")]
    assert [[row[place] for place in at] for row in table.rows[: len(first.fpr)]] == [
        [fpr, tpr] for fpr, tpr in zip(first.fpr, first.tpr, strict=True)
    ]


@pytest.mark.parametrize("report", [fake_report(leakage=[], curves=[]), fake_records()])
def test_every_column_has_a_meaning_and_a_name_of_its_own(report):
    for table in tables_of(report).values():
        assert len(set(names(table))) == len(table.columns)
        assert all(column.meaning for column in table.columns)
        assert all(len(row) == len(table.columns) for row in table.rows)


def test_maps_of_records_have_the_names_first():
    report = fake_records()
    table = tables_of(report)["results_defenses"]
    assert [row[0] for row in table.rows] == list(report.results.defenses)
    most = names(table).index("most")
    assert [row[most] for row in table.rows] == [one.most for one in report.results.defenses.values()]
