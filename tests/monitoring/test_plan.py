"""Plans, flags of the binary, and what of a data set a study can use."""

from types import SimpleNamespace

import numpy as np
import pytest

from experiments import monitor as binary
from leakjax._validate import UsageError
from leakjax.data import in_order
from leakjax.monitoring import Plan, quick, speed, world
from tests.experiments.own_flags import own_flags


def values(**changes):
    """The experiment's flags at their defaults, with changes."""
    with own_flags(binary.define_flags) as own:
        defaults = {name: own[name].default for name in own}
    return SimpleNamespace(**defaults | changes)


def test_flags_left_alone_are_the_whole_study_and_quick_is_smaller():
    assert binary.plan_from(values()) == Plan()
    assert Plan().accounts == 10_000
    assert binary.plan_from(values(quick=True, seed=3)) == quick(seed=3)
    assert quick().accounts == 1000
    assert binary.plan_from(values(accounts=2000, dataset="adult")) == Plan(accounts=2000, dataset="adult")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"accounts": 999}, "accounts=999: must be at least 1000"),
        ({"accounts": 1010}, "accounts=1010: must be a multiple of 50"),
        ({"queries": 59}, "queries=59: must be at least 60"),
        ({"attacks": 3}, "attacks=3: must be at least 10"),
        ({"targets": 0}, "targets=0: must be at least 1"),
        ({"noise": 0.0}, "noise=0.0: must be above 0"),
        ({"seed": -1}, "seed=-1: must be in"),
    ],
)
def test_a_flag_out_of_range_is_one_clear_line(changes, said):
    with pytest.raises(UsageError) as error:
        binary.plan_from(values(**changes))
    assert str(error.value).startswith(said)


def test_a_plan_says_what_would_be_measured_and_measures_nothing(capsys, tmp_path):
    given = values(plan=True, quick=True, data_dir=None, workdir=str(tmp_path / "none"))
    assert binary.main(given) == 0
    said = capsys.readouterr().out
    assert "benign: 1000 accounts set thresholds, 1000 test them" in said
    assert "attacks: 40 each of finite_differences, nes" in said
    # Two times 1,000 accounts, and 8 kinds of 40 attacks in 5 disguises, of 200 queries each.
    assert "0.72 million queries" in said
    assert not (tmp_path / "none").exists()


def kept_elsewhere(source_dir):
    """A data set whose original file lies in a folder of its own."""
    kept = np.load(source_dir / "original.npz")
    return in_order(kept["x"], kept["y"], classes=2, name="kept elsewhere")


def test_original_files_are_looked_for_where_the_flag_says(capsys, tmp_path):
    x = np.random.default_rng(0).normal(size=(123, 4)).astype(np.float32)
    np.savez(tmp_path / "original.npz", x=x, y=np.arange(123) % 2)
    dataset = f"{kept_elsewhere.__module__}:kept_elsewhere"
    assert binary.main(values(plan=True, dataset=dataset, source_dir=str(tmp_path))) == 0
    assert "kept elsewhere: 123 points" in capsys.readouterr().out


def test_points_that_are_too_few_are_named(tmp_path):
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(120, 4)).astype(np.float32), np.arange(120) % 2
    np.savez(tmp_path / "few.npz", x=x[:50], y=y[:50])
    with pytest.raises(UsageError, match="points=50: must be at least 100"):
        world.load(Plan(dataset=f"npz:{tmp_path / 'few.npz'}"))
    np.savez(tmp_path / "rare.npz", x=x, y=np.where(np.arange(120) == 0, 2, y))
    points = world.load(Plan(dataset=f"npz:{tmp_path / 'rare.npz'}"))
    with pytest.raises(UsageError, match="class=2: has fewer than 2 records of users"):
        world.make(Plan(), points)


def test_cells_are_squares_of_images_and_runs_of_features():
    digits = world.cells_of((8, 8, 1)).reshape(8, 8)
    assert [digits[0, 0], digits[1, 1], digits[0, 2], digits[2, 0]] == [0, 0, 1, 4]
    assert world.cells_of((28, 28, 1)).max() == 48
    coloured = world.cells_of((8, 8, 3)).reshape(8, 8, 3)
    assert np.ptp(coloured, axis=2).max() == 0
    assert world.cells_of((100,)).max() == 63
    assert world.cells_of((5,)).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.slow
def test_the_speed_of_every_detector_is_measured():
    found = speed.measure(30, queries=50, repeats=1)
    assert {row.detector for row in found} >= {"families", "shared_budget", "any_of_an_account"}
    assert all(row.updates > 0 and row.features == 30 for row in found)
    with pytest.raises(UsageError, match="features=0: must be at least 1"):
        speed.measure(0)
