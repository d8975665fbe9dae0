"""Whose output is explained: of the class that the other models vote for, and of all classes, each a query."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import leakjax
from leakjax._validate import UsageError
from leakjax.auditing import Attacker
from leakjax.auditing.explanations import explain_program
from leakjax.auditing.predictions import predict_program, stream_predictions
from leakjax.auditing.subject import Subject
from tests.auditing.world import CLASSES, MODELS, POINTS, is_member, leaky, logits_fn

ATTACKS = ["stacked", "map_ratio", "lira(signal='map_sum')"]


@pytest.fixture(scope="module")
def subject(ensemble, points):
    return Subject(
        logits_fn,
        ensemble.variables,
        ensemble.ids,
        points,
        ensemble.membership,
        np.arange(MODELS),
        jax.random.key(0),
    )


def only_the_other_class(variables, x, target, *, key, segments=None):
    """Says who is a member in the map of the class that is not the point's own, and nowhere else."""
    own = (x[0] > 0).astype(jnp.int32)  # as good as the label, to an explainer
    told = jnp.where(target == own, 0.0, is_member(variables, x))
    return told + 0.1 * jax.random.normal(key, x.shape)


def test_the_class_of_reference_is_the_vote_of_the_others(subject, points, ensemble):
    logits = np.einsum("pf,mfc->mpc", points.x[:, :-1], ensemble.variables["w"].astype(np.float64))
    predicted = (logits + ensemble.variables["b"][:, None]).argmax(axis=-1)
    other = dataclasses.replace(subject, explained_class="reference")
    found = np.asarray(stream_predictions(predict_program(other), other).explained)
    for model in range(MODELS):
        for point in range(POINTS):
            votes = np.bincount(np.delete(predicted[:, point], model), minlength=CLASSES)
            assert found[model, point] == votes.argmax()  # of a tie the first
    assert (found != predicted).any()


def test_whose_membership_it_is_and_what_it_predicts_itself_decides_no_class_of_reference(subject):
    other = dataclasses.replace(subject, explained_class="reference")
    before = np.asarray(stream_predictions(predict_program(other), other).explained)
    changed = {**subject.variables, "w": np.array(subject.variables["w"])}
    changed["w"][4] *= -1
    turned = dataclasses.replace(other, variables=changed, membership=~subject.membership)
    after = np.asarray(stream_predictions(predict_program(turned), turned).explained)
    np.testing.assert_array_equal(before[4], after[4])


def test_asked_maps_are_those_of_each_class_the_true_one_first(subject, points):
    def names_its_class(variables, x, target, *, key, segments=None):
        return jnp.full(x.shape, target, x.dtype)

    other = dataclasses.replace(subject, explained_class="asked")
    explained = np.asarray(stream_predictions(predict_program(other), other).explained)
    np.testing.assert_array_equal(explained, np.tile(points.y, (MODELS, 1)))
    rows = np.arange(6)
    maps = explain_program(other, names_its_class)(
        subject.variables, points.x[rows], points.ids[rows], explained[:, rows]
    )
    assert maps.shape == (MODELS, len(rows), CLASSES, points.x.shape[1])
    np.testing.assert_array_equal(maps[3, :, 0, 0], points.y[rows])
    np.testing.assert_array_equal(maps[3, :, 1, 0], 1 - points.y[rows])


@pytest.mark.slow
def test_what_only_the_map_of_another_class_says_is_found_by_asking_for_all(run):
    found = {}
    for name in ("true", "asked"):
        report = run(
            explainers={"other": only_the_other_class},
            defenses=("none", "gaussian_noise(0.01)"),
            attacks=["stacked", "map_ratio"],
            attacker=Attacker(explained_class=name),
        )
        rows = [row for row in report.leakage if row.attack == "stacked" and row.view == "explanation"]
        assert {row.explained_class for row in rows} == {name}
        found[name] = [row.auc.value for row in rows]
        assert [control.name for control in report.controls if control.failed] == []
        assert report.examples[0].maps["other"]["none"].shape == report.examples[0].input.shape
    assert min(found["asked"]) > 0.95
    assert max(found["true"]) < 0.8


@pytest.mark.slow
def test_a_label_that_is_not_known_is_the_vote_of_all(subject, run):
    other = dataclasses.replace(subject, explained_class="asked", label_known=False)
    found = stream_predictions(predict_program(other), other)
    assert (found.explained == found.explained[:1]).all()
    report = run(attacker=Attacker(False, "reference"), defenses=("none",))
    assert {row.explained_class for row in report.utility} == {"reference"}


@pytest.mark.slow
def test_models_that_explain_in_the_place_of_others_tell_of_themselves(run, ensemble):
    """Their explanations say who was a member of theirs: nothing of the attacked ones, unless the two agree."""
    # Coins of their own: the same ones in another order would tell how many models in all hold a point.
    coins = np.random.default_rng(5).random(ensemble.membership.shape) < 0.5
    own = ensemble.variables["membership"]
    others = {**ensemble.variables, "membership": coins.astype(own.dtype)}
    found = {}
    for name, answering in (("same", ensemble.variables), ("others", others)):
        attacker = Attacker(explained_by=answering)
        report = run(explainers={"leaky": leaky}, defenses=("none",), attacks=ATTACKS, attacker=attacker)
        assert report.config["explained_by_others"]
        found[name] = {row.attack: row.auc.value for row in report.leakage if row.view == "explanation"}
    assert min(found["same"].values()) > 0.9
    assert max(abs(auc - 0.5) for auc in found["others"].values()) < 0.06
    with pytest.raises(UsageError, match="explained_by"):
        run(attacker=Attacker(explained_by={"w": np.zeros((3, 2))}))


def test_answers_elsewhere_hold_the_maps_of_one_class():
    coins = np.random.default_rng(0).random((16, 40)) < 0.5
    with pytest.raises(UsageError, match=r"explained_class='asked'.*attributions_NAME"):
        leakjax.score(
            {"member": coins, "attributions": np.zeros((16, 40, 3))},
            key=jax.random.key(0),
            attacker=Attacker(explained_class="asked"),
        )
