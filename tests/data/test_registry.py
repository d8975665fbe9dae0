import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.data import DATASETS, default_data_dir, in_order, load, registered


def test_digits_are_scaled_images():
    points = load("digits")
    assert points.x.shape == (1797, 8, 8, 1)
    assert (points.x.dtype, points.y.dtype) == (np.float32, np.int32)
    assert (points.x.min(), points.x.max()) == (0, 1)
    # The counts per class that scikit-learn's documentation of the set gives as "about 180".
    np.testing.assert_array_equal(np.bincount(points.y), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180])
    assert (points.classes, points.duplicates) == (10, 0)


def test_a_limit_keeps_the_order_of_the_source_and_nests():
    whole, few, more = load("digits"), load("digits", points=50), load("digits", points=100)
    assert np.all(np.diff(few.ids) > 0)
    assert set(few.ids) < set(more.ids)
    np.testing.assert_array_equal(few.x, whole.x[few.ids])
    np.testing.assert_array_equal(few.y, whole.y[few.ids])
    assert few.ids.max() > 1000  # from everywhere, not the first rows
    assert few.classes == 10


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("digit", {}, "dataset='digit': must be one of .*did you mean 'digits'"),
        ("tfds:", {}, "dataset='tfds:': must be one of .*tfds:<name>"),
        ("digits", {"source_dir": "/no/such"}, "source_dir='/no/such': is not a folder"),
        ("npz:", {}, "dataset='npz:': must be one of"),
        ("digits", {"points": 0}, "points=0: must be at least 1"),
        ("digits", {"points": 1798}, "points=1798: digits has only 1797 distinct points"),
        ("digits", {"features": 3}, "digits takes no option 'features'; use digits\\(points\\)"),
        ("synthetic(featurs=3)", {}, "takes no option 'featurs'.*did you mean 'features'"),
        ("synthetic(points=2.5)", {}, "points=2.5 must be a whole number"),
        ("synthetic(points=True)", {}, "points=True must be a whole number"),
        ("synthetic(points=9)", {"points": 8}, "points is given twice"),
        ("synthetic", {"points": 4 * 10**9}, "4,000,000,000 points of 100 features would take about .* GiB"),
        ("npz:/nowhere", {"features": 8}, "takes no option 'features'"),
        (None, {}, "dataset='NoneType': must be a text"),
        ("census", {}, "did you mean 'adult'"),
        ("synthetic(", {}, "must be written name or name"),
        ("synthetic", {"points": 1}, "points=1: must be at least 2"),
        ("synthetic", {"features": 0}, "features=0: must be at least 1"),
        ("synthetic", {"features": 3, "classes": 9}, "features=3: must be at least log2 of the 9 classes"),
        ("synthetic", {"classes": 1}, "classes=1: must be at least 2"),
        ("synthetic", {"seed": -1}, "seed=-1: must be in 0"),
    ],
)
def test_bad_options_are_named(name, options, message):
    with pytest.raises(UsageError, match=message):
        load(name, **options)


def test_options_in_the_text_are_options_of_the_call():
    for text, options in (
        ("synthetic(points=30, features=3, seed=2)", {"points": 30, "features": 3, "seed": 2}),
        ("digits(points=50)", {"points": 50}),
    ):
        one, other = load(text), load(text.partition("(")[0], **options)
        np.testing.assert_array_equal(one.x, other.x)
        np.testing.assert_array_equal(one.ids, other.ids)


def mine(data_dir, rows: int = 6):
    x = np.arange(2 * rows, dtype=np.float32).reshape(rows, 2)
    return in_order(x, np.arange(rows) % 2, classes=2, name=f"rows of {data_dir.name}")


def test_a_users_own_loader_is_named_by_its_module_and_gets_the_folder_that_it_names(tmp_path):
    points = load(f"{__name__}:mine(rows=8, points=5)", data_dir=tmp_path)
    assert points.x.shape == (5, 2)
    assert points.name == f"rows of {tmp_path.name}"
    with pytest.raises(UsageError, match=r"takes no option 'row'.*did you mean 'rows'"):
        load(f"{__name__}:mine(row=8)")


def test_a_new_data_set_is_registered_by_a_decorator_alone(tmp_path):
    registered("newest")(mine)
    try:
        assert load("newest", data_dir=tmp_path).x.shape == (6, 2)
    finally:
        DATASETS.remove("newest")


def test_default_data_dir_honours_the_environment(monkeypatch):
    monkeypatch.setenv("LEAKJAX_DATA_DIR", "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert default_data_dir() == Path("/a")
    monkeypatch.delenv("LEAKJAX_DATA_DIR")
    assert default_data_dir() == Path("/b/leakjax")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_data_dir() == Path.home() / ".cache" / "leakjax"


def test_digits_do_not_pay_for_other_sets():
    code = "import sys; from leakjax.data import default_data_dir, load; load('digits'); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "sklearn" in loaded
    assert not {"tensorflow", "tensorflow_datasets", "array_record"} & set(loaded)
