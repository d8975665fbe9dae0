import json

import jax
import jsonschema
import numpy as np
import pytest

from leakjax.auditing import Attacker, Budget, Run, explainers, rows
from leakjax.auditing.judge import Judge
from leakjax.auditing.subject import Subject
from leakjax.evaluate import headline
from leakjax.evaluate.document import Report, dumps, json_schema
from tests.auditing.world import HARDENED, MODELS, POINTS, logits_fn


@pytest.fixture(scope="module")
def sitting(ensemble, points):
    subject = Subject(
        logits_fn,
        ensemble.variables,
        ensemble.ids,
        points,
        ensemble.membership,
        np.arange(MODELS),
        jax.random.key(0),
    )
    return rows.Sitting(subject, None, None, Judge(subject, seed=0))


def result(sitting, explainer, defense, leak):
    """Scores of an explanation whose score is `leak` standard deviations higher for members."""
    membership = sitting.subject.membership
    noise = np.random.default_rng(0).normal(size=(3, *membership.shape))
    every = [1] * len(sitting.subject.releases)
    prediction, both = noise[0] + 0.1 * membership, noise[2] + leak * membership
    found = rows.Found(
        prediction=np.stack([prediction for _ in every]),
        explanation=noise[1],
        both=np.stack([both for _ in every]),
        valid=np.ones(membership.shape, bool),
        log_l1=noise[0],
        change=np.ones((POINTS, 3)),
        non_finite=np.asarray(0),
        examples=np.zeros((0, 2)),
    )
    about = rows.explained(explainer, None, defense, sitting.subject)
    return rows.Result(sitting, found, about)


def test_the_exposed_records_are_those_of_the_explanation_in_the_headline(sitting):
    """A hardened explanation of one explainer adds most of all, the plain ones of another lead."""
    leaks = {("one", "none"): 0.2, ("one", "noise"): 3.0, ("two", "none"): 1.5, ("two", "noise"): 0.1}
    results = {about: result(sitting, *about, leak) for about, leak in leaks.items()}
    leakage = [row for row, _ in rows.leakage(results)]
    exposed = rows.exposed(results, leakage)
    assert {(row.explainer, row.defense) for row in exposed} == {("two", "none")}
    assert exposed[0].about == headline.worst(leakage).about


def test_without_an_attack_on_explanations_no_record_is_exposed(sitting):
    assert rows.exposed({("one", "none"): result(sitting, "one", "none", 1.0)}, []) == []


@pytest.mark.parametrize(
    ("text", "family", "output"),
    [
        ("gradient", "backpropagation", "logit"),
        ("lime", "surrogate", "logit"),
        ("smoothgrad(samples=3, output='probability')", "backpropagation", "probability"),
        (None, "custom", "unstated"),
    ],
)
def test_a_row_states_which_output_of_which_class_was_explained(sitting, text, family, output):
    method = explainers.parse(text) if text else None
    about = rows.explained(text or "mine", method, "none", sitting.subject)
    assert (about.family, about.output, about.explained_class) == (family, output, "predicted")


def test_every_row_of_an_explanation_states_its_output_and_every_row_its_release(report):
    for row in (*report.leakage, *report.curves, *report.groups, *report.exposed):
        assert row.release in ("label", "confidence(1)", "vector", "none")
        assert (row.release == "none") == (row.view == "explanation")
        assert (row.output == "none") == (row.explained_class == "none") == (row.view == "prediction")
    assert {row.explained_class for row in report.utility} == {"predicted"}
    # The user's own functions, although one bears the name of a method of ours.
    assert "gradient" in {row.explainer for row in report.utility}
    assert {(row.family, row.output) for row in report.utility} == {("custom", "unstated")}


@pytest.mark.slow
def test_a_call_from_python_records_every_setting(run):
    given = {
        "defenses": ("none", HARDENED),
        "attacks": ("stacked", "threshold(signal='loss')"),
        "targets": np.array([2, 5]),
    }
    attacker = {"label_known": False, "explained_class": "true"}
    config = run(**given, attacker=Attacker(**attacker), budget=Budget(costly_points=30)).config
    assert config["explainers"] == ["leaky", "direction", "gradient"]
    assert config["defenses"][0] == "none"
    assert config["defenses"][1].startswith("clip_norm(1.0")
    assert config["attacks"] == ["stacked", "threshold(signal='loss')"]
    assert config["targets"] == [2, 5]
    assert (config["label_known"], config["explained_class"], config["group"]) == (False, "true", "side")
    assert (config["models"], config["audited_points"], config["costly_points"]) == (MODELS, POINTS, 30)
    assert config["key"] == jax.random.key_data(jax.random.key(7)).tolist()
    assert run(run=Run(config={"mine": 1}), defenses=("none",)).config == {"mine": 1}


def test_an_audit_follows_the_published_schema(report):
    document = json.loads(dumps(report))
    jsonschema.validate(document, json_schema(Report))
    assert document["config"]["dataset"] == "small"


def test_chance_is_the_mean_over_targets_and_not_that_of_their_mean():
    judge = object.__new__(Judge)
    judge.membership = np.zeros((2, 120), bool)
    judge.valid = np.arange(120) < np.array([[99], [100]])
    assert judge.chance(0.01) == pytest.approx((1 / 100 + 2 / 101) / 2)
