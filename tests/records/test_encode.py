import gzip

import jax
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.data.adult import COLUMNS
from leakjax.records.encode import adult, draw, pair, parkinsons, scale


def columns(rows=6):
    result = {name: np.arange(rows) + 17 for name, categories in COLUMNS.items() if not categories}
    for name, categories in COLUMNS.items():
        if categories:
            result[name] = np.array([categories[i % len(categories)] for i in range(rows)])
    result["workclass"][2] = "?"
    return result | {"label": np.arange(rows) % 2}


def test_adult_is_six_numbers_and_98_indicators():
    encoded = adult(columns())
    assert encoded.x.shape == (6, 104)
    numbers = [list(COLUMNS).index(name) for name, categories in COLUMNS.items() if not categories]
    continuous = np.isin(encoded.blocks, numbers)
    assert continuous.sum() == 6
    np.testing.assert_allclose(encoded.x[:, continuous].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(encoded.x[:, continuous].std(axis=0), 1)
    assert set(np.unique(encoded.x[:, ~continuous])) == {0, 1}
    # Seven categories besides sex; the unknown workclass of row 2 sets none, sex is 1 for men.
    male = columns()["sex"] == "Male"
    expected = 7 + male - (np.arange(6) == 2)
    assert encoded.x[:, ~continuous].sum(axis=1).tolist() == expected.tolist()
    assert encoded.groups["age"].tolist() == ["10-20"] * 3 + ["20 and older"] * 3


def test_scaling():
    x = np.array([[1.0, 5.0], [3.0, 5.0]])
    assert scale(x, "zscore").tolist() == [[-1, 0], [1, 0]]
    assert scale(x, "minmax").tolist() == [[0, 0], [1, 0]]
    assert scale(x, "none") is x
    with pytest.raises(UsageError, match="did you mean 'zscore'"):
        scale(x, "zscor")


def test_parkinsons_reads_a_csv_plain_or_gzipped(tmp_path):
    text = "a,b,class\n1,2,yes\n3,4,no\n5,9,yes\n"
    (tmp_path / "plain.csv").write_text(text)
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(text.encode()))
    plain, packed = parkinsons(tmp_path / "plain.csv"), parkinsons(tmp_path / "packed.csv.gz")
    assert plain.y.tolist() == [1, 0, 1]
    assert (plain.x == packed.x).all()
    with pytest.raises(UsageError, match="no file"):
        parkinsons(tmp_path / "absent.csv")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UsageError, match="last column must be 'class', not 'b'"):
        parkinsons(tmp_path / "other.csv")


@pytest.mark.parametrize(
    "content", [b"a,class\n1,yes\n2\n", b"a,class\n", b"a,class\nnan,yes\n", b"", b"a,class\n1,\xff\n"]
)
def test_a_damaged_table_is_named(tmp_path, content):
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(UsageError, match=r"table\.csv: "):
        parkinsons(tmp_path / "table.csv")
    whole = gzip.compress(b"a,class\n1,yes\n2,no\n")
    for damaged in (whole[:-9], whole[:14] + b"\xff\xff" + whole[16:]):
        (tmp_path / "table.csv.gz").write_bytes(damaged)
        with pytest.raises(UsageError, match=r"table\.csv\.gz: not a readable table"):
            parkinsons(tmp_path / "table.csv.gz")


def test_a_pair_of_classes_is_lifted_to_relu_features(key):
    rng = np.random.default_rng(0)
    x, y = rng.random((30, 4, 4, 1)), np.arange(30) % 3
    task = pair(x, y, (0, 2), width=50, key=key, name="pictures")
    assert task.x.shape == (20, 50)
    assert task.y.tolist() == (y[y != 1] == 2).astype(int).tolist()
    assert (task.x >= 0).all()
    assert 0.2 < (task.x > 0).mean() < 0.8
    assert (pair(x, y, (0, 2), width=50, key=key, name="pictures").x == task.x).all()
    for classes in ((1, 1), (0, 7)):
        with pytest.raises(UsageError, match="two different classes"):
            pair(x, y, classes, width=50, key=key, name="pictures")


def test_a_draw_splits_the_rows(key):
    task = adult(columns(40))
    inside, outside = draw(task, 15, key=key)
    assert sorted([*inside, *outside]) == list(range(40))
    assert len(inside) == 15
    assert (draw(task, 15, key=jax.random.key(9))[0] != inside).any()
    with pytest.raises(UsageError, match="points=41: must be between 2 and 40"):
        draw(task, 41, key=key)
