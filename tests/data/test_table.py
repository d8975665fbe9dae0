"""Tables as people have them, against an encoding written out by hand."""

import gzip
import sys

import numpy as np
import pytest

from leakjax import data
from leakjax.data import columns, labels

ROWS = 60


def table(**changes):
    """A bank's customers: two categories, a number with gaps, a label, something constant, and ids."""
    draw = np.random.default_rng(0)
    parts = {
        "customer": [f"C{1000 + 7 * row}" for row in range(ROWS)],
        "number": [str(row + 1) for row in range(ROWS)],
        "job": draw.choice(["clerk", "smith", ""], ROWS, p=[0.5, 0.3, 0.2]).tolist(),
        "income": [str(round(value, 2)) for value in draw.normal(3000, 900, ROWS)],
        "branch": ["north"] * ROWS,
        "children": [str(value) for value in draw.integers(0, 4, ROWS)],
        "default": draw.permutation(["yes", "no"] * (ROWS // 2)).tolist(),
    }
    parts["income"][5] = "NA"
    return {**parts, **changes}


def write(path, parts, separator=","):
    rows = [list(parts), *zip(*parts.values(), strict=True)]
    path.write_text("\n".join(separator.join(row) for row in rows) + "\n")
    return path


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "bank.csv", table())


def test_a_table_is_encoded_as_by_hand(file):
    points, parts = data.load(f"csv:{file}", label="default"), table()
    assert points.feature_names == ["job: (missing)", "job: clerk", "job: smith", "income", "children"]
    assert points.columns == ["job", "job", "job", "income", "children"]
    assert (points.x.dtype, points.y.dtype, points.classes) == (np.float32, np.int32, 2)
    np.testing.assert_array_equal(points.y, [value == "yes" for value in parts["default"]])
    jobs = np.array(parts["job"])
    np.testing.assert_array_equal(points.x[:, :3].T, [jobs == "", jobs == "clerk", jobs == "smith"])
    income = np.array([float(value) if value != "NA" else np.nan for value in parts["income"]])
    income = np.where(np.isnan(income), np.nanmedian(income), income)
    np.testing.assert_allclose(points.x[:, 3], (income - income.mean()) / income.std(), atol=1e-5)
    children = np.array(parts["children"], float)
    np.testing.assert_allclose(points.x[:, 4], (children - children.mean()) / children.std(), atol=1e-5)


def test_what_was_made_of_the_columns_is_said(file):
    notes = " ".join(data.load(f"csv:{file}", label="default").notes)
    gaps = table()["job"].count("")
    assert "default is the label: no, yes." in notes
    assert "customer is left out: it looks like an id, 60 different texts in 60 rows" in notes
    assert "number is left out: it looks like an id, a different whole number in every row" in notes
    assert "branch is left out: it is north in every row" in notes
    assert f"job has no value in {gaps} rows; a category of its own stands in" in notes
    assert "income has no value in 1 rows; the median stands in" in notes


def test_columns_are_groups_and_wide_ones_their_quarters(file):
    groups = data.load(f"csv:{file}", label="default").groups
    assert set(groups) == {"default", "job", "income", "children"}
    assert set(groups["job"]) == {"clerk", "smith", "(missing)"}
    assert set(groups["children"]) == {"0", "1", "2", "3"}
    levels, counts = np.unique(groups["income"], return_counts=True)
    assert dict(zip(levels, counts, strict=True)).pop("(missing)") == 1
    assert sorted(counts) == [1, 14, 15, 15, 15]


def test_semicolons_decimal_commas_codes_and_a_byte_order_mark(tmp_path):
    parts = {"zip": ["01234", "99999"] * 20, "height": ["1,5", "-2e1"] * 20, "y": ["a", "b"] * 20}
    path = write(tmp_path / "german.csv", parts, ";")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    points = data.load(f"csv:{path}", label="y")
    assert points.feature_names == ["zip: 01234", "zip: 99999", "height"]
    np.testing.assert_array_equal(points.x[:, 2], [1.0, -1.0])
    assert (points.duplicates, len(points.x)) == (38, 2)


def test_quoted_cells_hold_separators_and_line_ends(tmp_path):
    path = tmp_path / "quoted.csv"
    path.write_text("a,b,y\n" + '"x, ""1""\nz",1,0\nq,2,1\n' * 20)
    points = data.load(f"csv:{path}", label="y")
    assert points.feature_names == ["a: q", 'a: x, "1"\nz', "b"]


def test_rare_categories_share_a_feature(tmp_path):
    names = [f"town {place % 60}" for place in range(600)]
    parts = {"town": names, "age": [str(place % 7) for place in range(600)], "y": ["0", "1", "1"] * 200}
    points = data.load(f"csv:{write(tmp_path / 'towns.csv', parts)}", label="y")
    assert points.columns.count("town") == 50
    assert points.feature_names.count("town: (rare)") == 1
    assert "The 11 rarest categories of town share one feature." in points.notes
    np.testing.assert_array_equal(points.x[:, :50].sum(axis=1), 1.0)


def test_rows_without_a_label_and_rare_classes_go_and_ids_stay_rows(tmp_path):
    answers = ["", *["a"] * 30, *["b"] * 30, *["c"] * 3]
    parts = {"number": [str(place * place) for place in range(64)], "y": answers}
    points = data.load(f"csv:{write(tmp_path / 'rare.csv', parts)}", label="y")
    np.testing.assert_array_equal(points.ids, np.arange(1, 61))
    np.testing.assert_array_equal(points.y, [0] * 30 + [1] * 30)
    assert "1 rows without a label are left out." in points.notes
    assert "Classes of fewer than 20 rows are left out: c (3)." in points.notes


def test_duplicates_go_and_are_counted(tmp_path):
    parts = {name: column * 2 for name, column in table().items()}
    points = data.load(f"csv:{write(tmp_path / 'twice.csv', parts)}", label="default")
    single = data.load(f"csv:{write(tmp_path / 'once.csv', table())}", label="default")
    assert points.duplicates >= ROWS
    assert len(points.x) == len(single.x)


def test_points_of_a_table_can_be_fewer(file):
    points = data.load(f"csv:{file}", label="default", points=40)
    assert len(points.x) == 40
    assert all(len(group) == 40 for group in points.groups.values())


@pytest.mark.parametrize(
    ("changes", "label", "message"),
    [
        ({}, None, "must name one of the columns customer, number, job"),
        (
            {},
            "defaults",
            "must be one of customer, number, job, income, branch, children, default; did you mean",
        ),
        ({}, "branch", "holds the one value north; a label needs at least two"),
        ({"gone": [""] * ROWS}, "gone", "holds no value at all"),
        (
            {},
            "income",
            "holds 59 different numbers, a quantity rather than classes; regression is out of scope",
        ),
        ({}, "customer", "0 of its 60 values have 20 rows or more; at least two must"),
        ({"gone": ["NA"] * ROWS}, "default", "column gone has no value in any row; remove it"),
        ({"large": ["1e999"] * ROWS}, "default", "column large has infinite values, first in row 0"),
    ],
)
def test_faults_of_columns_are_named(tmp_path, usage_error, changes, label, message):
    path = write(tmp_path / "bank.csv", table(**changes))
    assert message in usage_error(data.load, f"csv:{path}", label=label)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no rows"),
        (b"\n\n", "has no rows"),
        (b"a,y\n", "has no rows"),
        (b"a,y\n1,0\n2\n", "line 3 has 1 cells, the first row has 2"),
        (b"a,y\n1,0,5\n", "line 2 has 3 cells, the first row has 2"),
        (b"a,y\nM\xfcller,0\n", "line 2 is not in UTF-8"),
        (b'a,y\n"open,0\n', "is no row of a table"),
        (b"a,a\n1,0\n", "two columns are called 'a'"),
        (b"a\n1\n", "has the one column a"),
        (b"a,,y\n1,2,0\n", "column 2 has no name"),
        (gzip.compress(b"a,y\n1,0\n", mtime=0), "is gzipped; unpack it first"),
        (b"k,y\n" + b"1,0\n1,1\n" * 30, "no column but the label is left"),
    ],
)
def test_faults_of_files_are_named(tmp_path, usage_error, content, message):
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    found = usage_error(data.load, f"csv:{path}", label="y")
    assert message in found
    assert str(path) in found


def test_missing_files_and_labels_of_other_sets(tmp_path, usage_error):
    for kind in ("csv", "parquet"):
        assert "no such file" in usage_error(data.load, f"{kind}:{tmp_path}/none", label="y")
    assert "takes no option 'label'" in usage_error(data.load, "digits", label="y")


def test_a_frame_and_a_parquet_file_are_the_table(tmp_path, file):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    expected = data.load(f"csv:{file}", label="default")
    parts = table()
    frame = pandas.DataFrame(
        {
            **{name: column for name, column in parts.items() if name not in ("job", "income", "number")},
            "number": range(1, ROWS + 1),
            "job": pandas.Categorical([job or None for job in parts["job"]]),
            "income": [None if value == "NA" else float(value) for value in parts["income"]],
            "since": pandas.Timestamp("2020-01-01"),
        }
    )[[*parts, "since"]]
    frame["children"] = frame["children"].astype(int)
    frame.to_parquet(tmp_path / "bank.parquet")
    for points in (
        data.from_frame(frame, "default"),
        data.load(f"parquet:{tmp_path}/bank.parquet", label="default"),
    ):
        np.testing.assert_allclose(points.x, expected.x, atol=1e-6)
        np.testing.assert_array_equal(points.y, expected.y)
        assert (points.feature_names, points.columns) == (expected.feature_names, expected.columns)
        assert {name: group.tolist() for name, group in points.groups.items()} == {
            name: group.tolist() for name, group in expected.groups.items()
        }
        assert "since is left out" in points.notes[0]


def test_truth_values_are_categories():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"flag": [True, False] * 30, "size": np.arange(60) ** 2, "y": [0, 1, 1] * 20})
    points = data.from_frame(frame, "y")
    assert points.feature_names == ["flag: False", "flag: True", "size"]


def test_a_damaged_parquet_file(tmp_path, usage_error):
    pytest.importorskip("pyarrow")
    (tmp_path / "x.parquet").write_bytes(b"PAR1 but not really")
    assert "not a readable Parquet file" in usage_error(data.load, f"parquet:{tmp_path}/x.parquet", label="y")


def test_without_pyarrow_the_way_out_is_said(tmp_path, usage_error, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    found = usage_error(data.load, f"parquet:{tmp_path}/x.parquet", label="y")
    assert "pip install leakjax[tables]" in found


@pytest.mark.parametrize("cells", [["1", "2.5", "", "-3e2"], ["?", "+.5", "7.", "null"]])
def test_numbers_are_numbers(cells):
    column = columns.of_cells(cells)
    wanted = [float(cell) if cell not in ("", "?", "null") else np.nan for cell in cells]
    np.testing.assert_array_equal(column, wanted)


@pytest.mark.parametrize(
    "cells", [["1_000"], ["0x1f"], ["inf"], ["1,5"], ["007", "12"], ["", ""], ["1", "b"]]
)
def test_what_only_looks_like_numbers_stays_text(cells):
    assert columns.of_cells(cells).tolist() == cells


def test_numbers_that_are_classes_are_sorted_by_size():
    column = np.repeat([10.0, 9.0, 2.0], 20)
    found = labels.classes_of("grade", column)
    assert found.names == ["2", "9", "10"]
    np.testing.assert_array_equal(found.y, np.repeat([2, 1, 0], 20))
