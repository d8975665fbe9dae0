"""Every guard meets every attack: the rows that a part of the study measures, on worlds that are hardly trained."""

import jax.numpy as jnp
import numpy as np
import pytest

from leakjax import data
from leakjax.inversion import (
    attributes,
    backgrounds,
    extracted,
    extracted_units,
    inverted,
    known_model,
    reidentified,
    results,
)
from leakjax.inversion.guards import (
    GUARDS,
    NOISE,
    PLAIN,
    PRESET,
    PRIVATE,
    SEGMENTS,
    TRAININGS,
    fitting,
    reasons,
)
from leakjax.inversion.plan import plan_for
from leakjax.inversion.summary import summarise
from leakjax.inversion.world import make_world
from leakjax.report.inversion.figures import kept
from tests.inversion.people import people

COLUMNS = ("age", "sex", "sex", "hours", "gain", "loss", "years")


@pytest.fixture(scope="module")
def images():
    return make_world(plan_for("digits", models=1, epochs=2), data.load("digits", points=300))


@pytest.fixture(scope="module")
def table():
    """One untrained network of two classes, and people of whom a coin says the sex."""
    rng = np.random.default_rng(0)
    sex = np.eye(2, dtype=np.float32)[rng.integers(2, size=80)]
    x = np.concatenate([rng.normal(size=(80, 1)), sex, rng.normal(size=(80, 4))], axis=1)
    return people(x, COLUMNS, rng)


def guards_of(rows, attack):
    return {row["guard"] for row in rows if row["attack"] == attack}


def test_ascent_meets_every_guard_beside_as_many_plain_queries(images):
    guarded = rows = inverted.guarded_ascent(images, 0, GUARDS)
    assert [row["guard"] for row in guarded] == list(GUARDS)
    assert len({tuple(row["baseline"]) for row in guarded}) == 1
    found = {row["guard"]: np.mean(row["found"]) for row in guarded}
    assert found["none"] == pytest.approx(found["round_to(2)"], abs=0.2)
    assert all(0 < value <= 1 for value in found.values())
    assert all(row["explained"] <= 20 * len(row["found"]) for row in guarded)
    shown = kept(summarise(rows, seed=0))
    assert {guard for attack, guard in shown if attack == inverted.ASCENT} == set(GUARDS) - {"none"}


def test_attribute_inference_meets_every_guard_that_fits_a_table(table):
    rows = attributes.measure(table, 0, targets=10)
    fit = set(GUARDS) - set(attributes.LEFT_OUT) | {attributes.TOGETHER}
    assert guards_of(rows, attributes.ATTACK) == fit
    plain = next(row for row in rows if "withheld" in row["setting"] and row["guard"] == "none")
    for row in rows:
        if row["guard"] != "none":
            assert row["setting"] == plain["setting"]
            assert row["baseline"] == plain["baseline"]
    shown = kept(summarise(rows, seed=0))
    assert all(attack == attributes.ATTACK for attack, _ in shown)


def test_presets_are_among_the_guards():
    assert PRESET in GUARDS
    assert PRESET in reidentified.GUARDS


def test_columns_together_show_the_mean_of_each_column():
    shown = attributes.by_column(COLUMNS).apply(
        jnp.array([1.0, 2.0, 6.0, 3.0, 4.0, 5.0, 7.0]), None, key=None
    )
    np.testing.assert_allclose(shown, [1.0, 4.0, 4.0, 3.0, 4.0, 5.0, 7.0], rtol=1e-6)


def test_what_is_known_of_every_guard_of_a_known_model_is_stated():
    assert set(known_model.MODELLED) == set(fitting(known_model.LEFT_OUT))


def test_every_attack_meets_every_guard_or_says_why_not():
    assert set(results.LEFT_OUT) == set(results.KNOWS) - {"aggregates"}  # which are guards themselves
    for attack, left_out in results.LEFT_OUT.items():
        assert all(left_out.values())
        assert set(left_out) <= set(GUARDS) | set(TRAININGS) | {PRIVATE}
        met = backgrounds.GUARDS if attack == backgrounds.ATTACK else fitting(left_out)
        assert set(GUARDS) <= set(met) | set(left_out)
    assert (PRIVATE in TRAININGS) != (PRIVATE in reasons({}))


def test_segments_meet_no_input_that_they_do_not_divide(images, table):
    assert images.even
    assert set(images.guards({}, reidentified.OWN)) == set(GUARDS) | set(reidentified.OWN)
    assert not table.even  # 7 features
    left = set(GUARDS) - set(table.guards({}))
    assert left == {SEGMENTS} == set(reasons({}, even=table.even)) - {PRIVATE}
    assert set(table.guards({}, reidentified.OWN)) - set(table.guards({})) == {"clipped, noise of 1"}
    rows = reidentified.guarded(table, 0, targets=5, candidates=20, guards=table.guards({}))
    assert len(rows) == 2 * len(table.guards({}))


def test_a_map_that_is_withheld_leaves_what_the_prediction_gives(images):
    guards = {"none": PLAIN, "nothing": PLAIN._replace(policy={"least_confidence": 2.0})}
    sizes = {"targets": 6, "candidates": 40}
    for part in (inverted.guarded_closed_form, inverted.guarded_decoders):
        for row in part(images, 0, **sizes, guards=guards):
            if row["guard"] == "nothing" and "AUC" not in row["measure"]:
                assert row["found"] == pytest.approx(row["baseline"], rel=1e-5)
    rows = extracted.guarded(images, 0, guards, 20)
    assert np.mean(rows[1]["found"]) == pytest.approx(np.mean(rows[1]["baseline"]), abs=0.2)
    rows = reidentified.guarded(images, 0, **sizes, guards=guards)
    assert rows[2]["found"] == rows[2]["baseline"]


def test_models_are_trained_again_on_the_same_points(images):
    other = images.retrained(TRAININGS["trained with dropout of 0.5"])
    np.testing.assert_array_equal(other.ensemble.membership, images.ensemble.membership)
    kernels = [np.asarray(each.variables(0)["params"]["Dense_0"]["kernel"]) for each in (images, other)]
    assert np.abs(kernels[0] - kernels[1]).max() > 1e-3
    assert other.points is images.points
    assert 0 < other.accuracy <= 1


def test_units_are_found_under_a_guard_beside_a_student_and_a_ceiling_where_noise_is_drawn(images):
    guards = {"none": PLAIN, "sign": GUARDS["sign"], NOISE: GUARDS[NOISE]}
    rows = extracted_units.guarded(images, 0, guards)
    found = {(row["guard"], row["measure"]): row for row in rows}
    assert len(found) == len(rows) == 6
    for guard in ("none", "sign"):
        assert np.mean(found[guard, extracted_units.FOUND]["found"]) > 0.8
        assert found[guard, extracted_units.FOUND]["ceiling"] is None
    noisy = found[NOISE, extracted.AGREES]
    assert noisy["found"] == noisy["baseline"]  # of plain answers, when nothing else is told
    assert np.mean(noisy["ceiling"]) > 0.8
    assert {guard for _, guard in kept(summarise(rows, seed=0))} == {"sign", NOISE}


def test_values_that_are_always_withheld_leave_shapley_values_to_the_mean(table):
    guards = {"nothing": PLAIN._replace(policy={"least_confidence": 2.0})}
    for row in attributes.read_guarded(table, 0, 10, guards):
        assert row["found"] == pytest.approx(row["baseline"], rel=1e-5)
