import json
import subprocess
import sys

import numpy as np
import pytest

from leakjax import UsageError, data
from leakjax.inversion import inverted
from leakjax.inversion.fits import parts_that_fit
from leakjax.inversion.guards import fitting
from leakjax.inversion.pictures import pictures
from leakjax.inversion.plan import OF_IMAGES, OF_TABLES, PARTS, plan_for
from leakjax.inversion.units import units_of
from leakjax.inversion.world import make_world
from leakjax.records.run import run_units


def small_points():
    return data.load("digits", points=300)


@pytest.fixture(scope="module")
def world():
    return make_world(plan_for("digits", models=2, epochs=2), small_points())


def test_a_plan_names_the_field_that_is_wrong():
    assert plan_for("digits").parts == OF_IMAGES
    assert plan_for("adult").parts == OF_TABLES
    assert plan_for("digits", quick=True, models=None).models == 2
    assert plan_for("digits", quick=True, models=3).models == 3
    assert plan_for("digits", quick=True).points is None
    assert plan_for("digits").points is None
    assert plan_for("fashion_mnist").points == 3000
    assert plan_for("fashion_mnist", points=500).points == 500
    assert (plan_for("digits").models, plan_for("fashion_mnist").models) == (4, 2)
    assert plan_for("fashion_mnist", models=4).models == 4
    for given, said in (
        ({"candidates": 1}, "candidates=1: must be at least 2"),
        ({"models": 0}, "models=0"),
        ({"parts": ("ascend",)}, "did you mean 'ascent'"),
        ({"seed": -1}, "seed=-1"),
    ):
        with pytest.raises(UsageError, match=said):
            plan_for("digits", **given)


def test_parts_that_do_not_fit_the_data_are_left_out_or_named():
    images, rows = small_points(), small_points()._replace(x=np.zeros((300, 10), np.float32), name="rows")
    assert parts_that_fit(OF_IMAGES, images, named=True) == OF_IMAGES
    left = set(OF_IMAGES) - set(parts_that_fit(OF_IMAGES, rows, named=False))
    assert left == {"background", "learned", "closed_form"}
    adult = rows._replace(columns=("age", "sex", "sex"))
    assert parts_that_fit(OF_TABLES, adult, named=True) == OF_TABLES
    for parts, points, said in (
        (("ascent", "closed_form"), rows, "parts='closed_form': needs at least 64 features.*there are 10"),
        (("attributes",), images, "parts='attributes': needs a column sex"),
        (("shapley_values",), rows, "needs named columns"),
        (("background",), rows, "needs images"),
    ):
        with pytest.raises(UsageError, match=said):
            parts_that_fit(parts, points, named=True)
    with pytest.raises(UsageError, match="parts='attributes'"):
        parts_that_fit(OF_TABLES, images, named=False)


def test_the_attacker_has_points_of_its_own(world):
    pool, own = set(world.points.ids.tolist()), set(world.auxiliary.ids.tolist())
    assert not pool & own
    assert len(pool) + len(own) == 300
    assert set(world.members(0)) | set(world.others(0)) == set(range(len(pool)))
    assert not set(world.members(0)) & set(world.others(0))
    with pytest.raises(UsageError, match="points=100: an inversion study needs at least 200"):
        make_world(plan_for("digits"), small_points()._replace(x=np.zeros((100, 8, 8, 1))))


def test_units_are_one_part_of_one_model_and_know_what_decides_them(world):
    plan = plan_for("digits", models=2, parts=("ascent", "closed_form"))
    units = units_of(plan, world)
    assert [(unit.part, unit.number) for unit in units] == [
        (part, index) for part in ("ascent", "closed_form") for index in range(2)
    ]
    again = units_of(plan_for("digits", models=2, parts=PARTS), world)
    marks = {unit.name: unit.fingerprint for unit in again}
    assert all(marks[unit.name] == unit.fingerprint for unit in units)
    other = units_of(plan_for("digits", models=2, parts=("ascent",), seed=1), world)
    assert other[0].fingerprint != units[0].fingerprint


@pytest.mark.slow
def test_a_part_is_measured_once_and_kept(world, tmp_path):
    units = units_of(plan_for("digits", models=1, parts=("ascent",)), world)
    first = run_units(units, tmp_path)
    rows = first.rows["ascent"][0]["rows"]
    assert {row["measure"] for row in rows} >= {"confidence in the class"}
    assert all(len(row["found"]) == 10 for row in rows)
    again = run_units(units, tmp_path)
    assert again.rows == first.rows
    assert again.seconds == first.seconds


@pytest.mark.slow
def test_the_binary_writes_its_report_and_says_what_is_wrong(tmp_path, request):
    def run(*given):
        command = [sys.executable, "-m", "experiments.inversion", *given]
        return subprocess.run(
            command, cwd=request.config.rootpath, capture_output=True, text=True, timeout=300, check=False
        )

    shape = [f"--workdir={tmp_path / 'run'}", "--quick", "--models=1", "--epochs=3", "--points=400"]
    done = run(*shape, "--targets=10", "--candidates=50", "--parts=reidentify,closed_form,ascent")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert {row["attack"] for row in report["attacks"]} == {
        "re-identification",
        "closed-form inversion",
        "query ascent",
    }
    assert (tmp_path / "run" / "figures" / "reconstructions.png").exists()
    assert "re-identification, gradient" in done.stdout
    bad = run(*shape, "--candidates=1")
    assert (bad.returncode, bad.stderr.count("\n")) == (2, 1)
    assert "candidates=1: must be at least 2" in bad.stderr
    planned = run("--plan", "--quick")
    assert planned.returncode == 0
    assert "reidentify: 2 units" in planned.stdout


@pytest.mark.slow
def test_similarity_is_measured_under_every_guard(world):
    made = inverted.closed_form(world, 0, targets=20, candidates=100)
    alike = [row for row in made if row["measure"] == inverted.ALIKE]
    assert {row["guard"] for row in alike} == set(fitting(inverted.LEFT_OUT))
    assert all(max(row["found"]) <= 1 for row in alike)


RECONSTRUCTS = ("closed_form", "known_model", "learned", "ascent", "patterns")


@pytest.mark.parametrize("part", PARTS)
def test_all_reconstructions_are_of_the_same_points_of_which_no_model_was_trained_on_one(world, part):
    made = pictures(world, part, 0)
    assert (part in RECONSTRUCTS) == bool(made)
    if not made:
        return
    shown = np.array(made["sought"])
    assert shown.shape == (8, 8, 8)
    assert next(iter(made)) == "sought"
    assert len(made) > 1
    assert {np.shape(each) for each in made.values()} == {shown.shape}
    flat = world.points.x.reshape(len(world.points.x), -1)
    for picture in shown.reshape(8, -1):
        same = np.flatnonzero(np.abs(flat - picture).max(axis=1) < 1e-3)
        assert len(same)
        assert not world.ensemble.membership[:, same].any()


def test_the_picture_of_a_known_model_is_nearer_to_the_point_than_the_mean_of_all_is(world):
    made = {name: np.array(each) for name, each in pictures(world, "known_model", 1).items()}
    sought, found = made["sought"], made["known model, one gradient"]
    mean = world.auxiliary.x.mean(axis=0)[..., 0]
    assert ((found - sought) ** 2).mean() < 0.5 * ((mean - sought) ** 2).mean()


def test_pictures_of_a_unit_are_made_again_when_a_model_was_trained_on_what_they_show(world):
    plan = plan_for("digits", models=2, parts=("ascent",))
    membership = np.zeros_like(world.ensemble.membership)
    other = world._replace(ensemble=world.ensemble._replace(membership=membership))
    before, after = units_of(plan, world), units_of(plan, other)
    assert before[0].fingerprint != after[0].fingerprint
    assert before[1].fingerprint == after[1].fingerprint
