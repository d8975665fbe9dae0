import gzip

import numpy as np
import pytest

from leakjax.data import adult, load

TRAIN = b"""\
39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White, Male, 2000, 0, 40, United-States, <=50K
50, ?, 83311, HS-grad, 9, Married-civ-spouse, ?, Husband, Black, Male, 0, 0, 13, ?, >50K

"""  # noqa: E501
TEST = b"""\
|1x3 Cross validator
39, State-gov, 1, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White, Male, 2000, 0, 40, United-States, >50K.
19, Private, 99, 11th, 7, Divorced, Sales, Wife, Other, Female, 500, 1000, 80, Holand-Netherlands, <=50K.

"""  # noqa: E501


@pytest.fixture
def folders(tmp_path, monkeypatch, original):
    source = tmp_path / "source"
    source.mkdir()
    (source / "adult.data.gz").write_bytes(gzip.compress(TRAIN))
    (source / "adult.test").write_bytes(TEST)
    monkeypatch.setattr(adult, "TRAIN", original("adult.data", TRAIN))
    monkeypatch.setattr(adult, "TEST", original("adult.test", TEST))
    return {"data_dir": tmp_path / "prepared", "source_dir": source}


def test_raw_columns_are_those_of_the_files_in_their_order(folders):
    columns = adult.raw(**folders)
    assert list(columns) == [*adult.COLUMNS, "label"]
    rows = [line.split(b", ") for line in (TRAIN + TEST).splitlines() if line.count(b",") == 14]
    for position, (name, categories) in enumerate(adult.COLUMNS.items()):
        expected = [row[position].decode() for row in rows]
        if categories:
            assert columns[name].tolist() == expected
        else:
            assert columns[name].dtype == np.int32
            assert columns[name].tolist() == [int(text) for text in expected]
    assert columns["label"].tolist() == [0, 1, 1, 0]
    assert columns["label"].dtype == np.int32


def test_encoding(folders):
    points = load("adult", **folders)
    # The third row is the first one but for fnlwgt and the label, so it goes.
    assert points.duplicates == 1
    np.testing.assert_array_equal(points.ids, [0, 1, 3])
    np.testing.assert_array_equal(points.y, [0, 1, 0])
    assert points.x.shape == (3, 104)
    # age, education-num, capital-gain, capital-loss, hours-per-week
    numbers = [
        [20 / 31, 1, 1, 0, 27 / 67],
        [1, 2 / 6, 0, 0, 0],
        [0, 0, 1 / 4, 1, 1],
    ]
    np.testing.assert_allclose(points.x[:, :5], numbers, rtol=1e-6)
    names = [
        f"{column}={category}" for column, categories in adult.COLUMNS.items() for category in categories
    ]
    assert len(names) == 99
    numbers_named = ["age", "education-num", "capital-gain", "capital-loss", "hours-per-week"]
    assert points.feature_names == numbers_named + [name.replace("=", ": ") for name in names]
    hot = [{names[i] for i in np.flatnonzero(row)} for row in points.x[:, 5:]]
    assert hot[1] == {
        "education=HS-grad",
        "marital-status=Married-civ-spouse",
        "relationship=Husband",
        "race=Black",
        "sex=Male",
    }
    assert {"workclass=Private", "occupation=Sales", "native-country=Holand-Netherlands"} < hot[2]
    assert len(hot[0]) == len(hot[2]) == 8
    assert set(np.unique(points.x[:, 5:])) == {0, 1}
    assert {name: column.tolist() for name, column in points.groups.items()} == {
        "race": ["White", "Black", "Other"],
        "sex": ["Male", "Male", "Female"],
        "age": ["30-39", "50-59", "10-19"],
    }


def test_a_missing_file_says_where_it_was_looked_for(folders, usage_error):
    (folders["source_dir"] / "adult.test").unlink()
    message = usage_error(load, "adult", **folders)
    assert f"adult.test: not in {folders['source_dir']} or {folders['data_dir']}/downloads/adult" in message


def test_real_files(real_data, tmp_path):
    folders = {"source_dir": real_data / "adult", "data_dir": tmp_path}
    columns = adult.raw(**folders)
    # Counts in adult.names: 48,842 rows, 45,222 of them without unknown values, 23.93 % above 50,000 dollars.
    assert {len(column) for column in columns.values()} == {48_842}
    known = np.all([columns[name] != "?" for name, categories in adult.COLUMNS.items() if categories], axis=0)
    assert known.sum() == 45_222
    assert round(100 * columns["label"].mean(), 2) == 23.93
    assert (columns["age"].min(), columns["age"].max(), columns["fnlwgt"][0]) == (17, 90, 77516)

    points = load("adult", **folders)
    assert points.x.shape == (48_842 - points.duplicates, 104)
    people = zip(*(columns[name].tolist() for name in adult.COLUMNS if name != "fnlwgt"), strict=True)
    assert points.duplicates == 48_842 - len(set(people)) == 7_403
    assert (points.x.min(), points.x.max()) == (0, 1)
    np.testing.assert_array_equal(points.x[:, :5].max(axis=0), 1)
    assert points.groups["race"].shape == points.y.shape


def test_another_column_is_the_label_and_income_a_feature(folders, usage_error, monkeypatch):
    monkeypatch.setattr("leakjax.data.labels.LEAST_ROWS", 1)
    points = load("adult", label="occupation", **folders)
    # The second person has no occupation.
    np.testing.assert_array_equal(points.ids, [0, 2, 3])
    np.testing.assert_array_equal(points.y, [0, 0, 1])
    assert (points.classes, points.name) == (2, "adult(label='occupation')")
    assert points.x.shape == (3, 104 - 14 + 1)
    assert (points.feature_names[-1], points.columns[-1]) == ("income: >50K", "income")
    np.testing.assert_array_equal(points.x[:, -1], [0, 1, 0])
    assert not any(name.startswith("occupation") for name in points.feature_names)
    assert "1 rows without a label are left out." in points.notes
    assert "must be one of income, workclass" in usage_error(load, "adult", label="age", **folders)


def test_columns_of_the_indicators(folders):
    points = load("adult", **folders)
    assert points.columns[:5] == ["age", "education-num", "capital-gain", "capital-loss", "hours-per-week"]
    assert [name.split(": ")[0] for name in points.feature_names] == points.columns


def test_occupations_of_the_real_set(real_data, tmp_path):
    points = load("adult", label="occupation", data_dir=tmp_path, source_dir=real_data / "adult")
    assert points.classes == 13
    assert "Classes of fewer than 20 rows are left out: Armed-Forces (15)." in points.notes
    assert len(points.x) + points.duplicates == 48842 - 2809 - 15
