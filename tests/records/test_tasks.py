import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.records.plan import plan_for
from leakjax.records.tasks import load_task


@pytest.mark.parametrize(
    ("dataset", "message"),
    [("adlt", "did you mean 'adult'"), ("parkinsons", "source_dir: parkinsons needs the folder")],
)
def test_a_data_set_that_cannot_be_had_is_named(dataset, message):
    with pytest.raises(UsageError, match=message):
        load_task(plan_for(dataset, points=20), scaling="zscore")


def test_a_task_of_many_classes_is_refused(tmp_path):
    np.savez(tmp_path / "points.npz", x=np.eye(6, dtype=np.float32), y=np.arange(6) % 3)
    with pytest.raises(UsageError, match="has 3 classes, a records audit needs 2"):
        load_task(plan_for(f"npz:{tmp_path / 'points.npz'}"), scaling="zscore")


def test_points_of_a_file_are_scaled_as_asked(tmp_path):
    x = np.arange(12, dtype=np.float32).reshape(6, 2) ** 2
    np.savez(tmp_path / "points.npz", x=x, y=np.arange(6) % 2)
    plan = plan_for(f"npz:{tmp_path / 'points.npz'}")
    plain, scaled = (load_task(plan, scaling=name) for name in ("none", "minmax"))
    np.testing.assert_array_equal(plain.x, x)
    np.testing.assert_allclose(scaled.x, (x - x.min(axis=0)) / np.ptp(x, axis=0))
    assert plain.x.dtype == np.float64
    np.testing.assert_array_equal(plain.blocks, [0, 1])
