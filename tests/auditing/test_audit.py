"""The whole audit on models whose leakage is known, because the explainers were made to leak."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import leakjax
from leakjax._validate import UsageError
from leakjax.auditing import Attacker, Budget, Run, measure
from leakjax.auditing.coins import check_coins
from leakjax.auditing.controls import planted, within
from leakjax.auditing.judge import Judge
from leakjax.auditing.subject import Subject
from leakjax.defend import clip_norm, parse
from leakjax.evaluate.document import Estimate
from leakjax.report import to_json
from tests.auditing.world import CLASSES, CLIP, EXPLAINERS, HARDENED, MODELS, POINTS, leaky, logits_fn

CONTROLS = {
    "untrained",
    "permuted_membership",
    "input_only",
    "inclusion_count",
    "placebo",
    "dressed",
    "hardened",
    "planted",
    "score_sign",
}


@pytest.fixture(scope="module")
def diverging(ensemble):
    """The ensemble, with a model that has a weight without a value."""
    weights = ensemble.variables["w"].copy()
    weights[4, 0, 0] = np.nan
    return ensemble._replace(variables={**ensemble.variables, "w": weights})


@pytest.fixture(scope="module")
def alone(points, diverging):
    """The audit of one deployed model; one of its shadows diverged."""
    return leakjax.audit(
        logits_fn,
        diverging,
        points,
        targets=[2],
        run=Run(group="side"),
        explainers={"leaky": leaky},
        key=jax.random.key(7),
    )


def row(report, explainer, defense="none", view="both", attack="stacked", release="vector"):
    name = parse(defense).name
    release = "none" if view == "explanation" else release
    (found,) = [
        row
        for row in report.leakage
        if (row.explainer, row.defense, row.view, row.attack, row.release)
        == (explainer, name, view, attack, release)
    ]
    return found


def auc(*of, **options):
    return row(*of, **options).auc.value


def control(report, name):
    (found,) = [row for row in report.controls if row.name == name]
    return found


def numbers(report):
    document = to_json(report)
    del document["environment"], document["timings"]
    return document


def test_the_report_is_sound_and_complete(report):
    document = to_json(report)
    assert set(EXPLAINERS) == {row["explainer"] for row in document["leakage"]} - {"none"}
    rows = [(row["release"], row["attack"]) for row in document["leakage"] if row["view"] == "prediction"]
    shown = [("label", "stacked"), ("confidence(1)", "stacked"), ("vector", "stacked")]
    each = [(name, f"threshold(signal='{one}')") for one in ("loss", "confidence") for name, _ in shown]
    assert rows == [*shown, *each]
    # Both views under each release, the explanation alone, and its norm.
    assert len(document["leakage"]) == len(rows) + len(EXPLAINERS) * 3 * (len(shown) + 2)
    assert len(document["curves"]) == len(document["leakage"])
    assert len(document["utility"]) == len(EXPLAINERS) * 3
    assert document["task"]["models"] == document["leakage"][0]["targets"] == MODELS
    assert document["task"]["duplicates_removed"] == 2
    assert set(report.examples[0].maps) == set(EXPLAINERS)
    assert report.feature_names[-1] == "number"


def test_the_examples_are_nobody(report, points):
    assert len(report.examples) == CLASSES
    for label, example in enumerate(report.examples):
        assert (example.id, example.label) == (None, label)
        np.testing.assert_allclose(example.input, points.x[points.y == label].mean(axis=0), rtol=1e-5)
        assert np.abs(points.x - example.input).max(axis=1).min() > 0.1
        maps = [one for own in example.maps.values() for one in own.values()]
        assert len(maps) == len(EXPLAINERS) * 3
        assert all(one.shape == example.input.shape and np.isfinite(one).all() for one in maps)


def test_records_are_shown_if_asked_for_and_none_that_the_first_target_was_trained_on(run, points, ensemble):
    found = run(explainers=["gradient"], defenses=("none",), attacks=("stacked",), run=Run(show_records=True))
    rows = np.flatnonzero(np.isin(points.ids, [example.id for example in found.examples]))
    assert len(rows) == len(found.examples) > 0
    assert not ensemble.membership[0][rows].any()
    for example, row in zip(found.examples, rows, strict=True):
        np.testing.assert_array_equal(example.input, points.x[row])


def test_all_controls_are_there_and_pass(report):
    assert {row.name for row in report.controls} == CONTROLS
    assert [row.name for row in report.controls if row.failed] == []


def test_accuracies_against_numpy(report, points, ensemble):
    logits = np.einsum("pf,mfc->mpc", points.x[:, :-1], ensemble.variables["w"])
    correct = (logits + ensemble.variables["b"][:, None]).argmax(axis=-1) == points.y
    for name, part in (("train_accuracy", ensemble.membership), ("test_accuracy", ~ensemble.membership)):
        expected = np.mean([c[p].mean() for c, p in zip(correct, part, strict=True)])
        assert getattr(report.task, name).value == pytest.approx(expected)


def test_two_audits_of_one_configuration_give_the_same_numbers(run, report):
    assert numbers(run()) == numbers(report)


def test_an_explanation_that_tells_who_is_a_member_is_found(report):
    assert auc(report, "leaky") > 0.99
    assert row(report, "leaky").margin.auc.low > 0.2
    assert row(report, "leaky").margin.tpr_at_fpr["0.01"].low > 0.5
    # It is the first explainer, and so its placebo is among the controls: nothing is left of that margin.
    placebo = control(report, "placebo")
    assert abs(placebo.seen.value) < 0.05
    assert placebo.passed


def test_a_clip_to_a_common_norm_blinds_the_norm_and_stops_nothing(report):
    norm = {"view": "explanation", "attack": "threshold(signal='map_log_l1')"}
    assert auc(report, "direction", **norm) > 0.7
    assert auc(report, "direction", CLIP, **norm) == pytest.approx(0.5, abs=0.06)
    assert auc(report, "direction", CLIP, view="explanation") > 0.95
    assert row(report, "direction", CLIP).margin.auc.low > 0.2


def test_noise_after_the_clip_stops_it(report):
    assert auc(report, "direction", HARDENED, view="explanation") == pytest.approx(0.5, abs=0.08)
    assert row(report, "direction", HARDENED).margin.auc.value == pytest.approx(0, abs=0.04)
    assert row(report, "direction", HARDENED).margin.auc.low < 0


def test_an_honest_explanation_of_a_model_without_secrets_adds_little(report):
    assert abs(row(report, "gradient").margin.auc.value) < 0.05
    assert auc(report, "none", view="prediction") > 0.52


def test_utility_says_what_a_defense_changes(report):
    rows = {(row.explainer, row.defense): row for row in report.utility}
    for explainer in EXPLAINERS:
        plain, clipped, noisy = (rows[explainer, parse(text).name] for text in ("none", CLIP, HARDENED))
        assert plain.cosine.value == pytest.approx(1)
        assert plain.top_overlap.value == 1
        assert plain.relative_change.value == pytest.approx(0, abs=1e-6)
        assert clipped.cosine.value == pytest.approx(1)  # the direction stays
        assert 0 < clipped.relative_change.value < 1
        assert noisy.cosine.value < 0.6


def test_every_explainer_defense_and_level_has_a_group_row(report, points):
    side = points.groups["side"]
    for explainer, defense, view in (("none", "none", "prediction"), ("leaky", HARDENED, "both")):
        name = parse(defense).name
        rows = [
            row for row in report.groups if (row.explainer, row.defense, row.view) == (explainer, name, view)
        ]
        assert [row.level for row in rows] == ["left", "right"]
        for found in rows:
            assert found.points == (side == found.level).sum()
            assert found.share == pytest.approx((side == found.level).mean())


def test_the_groups_of_one_target_add_up_to_the_whole(alone, points, ensemble):
    side = points.groups["side"]
    left, right = (ensemble.membership[2][side == level].sum() for level in ("left", "right"))
    rows = [row for row in alone.groups if row.view == "prediction"]
    weighted = (left * rows[0].tpr.value + right * rows[1].tpr.value) / (left + right)
    overall = row(alone, "none", view="prediction", release="label")
    assert weighted == pytest.approx(overall.tpr_at_fpr["0.01"].value)
    nonmembers = [(~ensemble.membership[2][side == level]).sum() for level in ("left", "right")]
    alarms = sum(n * row.fpr.value for n, row in zip(nonmembers, rows, strict=True))
    assert alarms <= overall.false_positives_allowed["0.01"] + 1e-9


def test_one_deployed_model_beside_its_shadows(alone, ensemble):
    assert row(alone, "leaky").targets == 1
    assert row(alone, "leaky").nonmembers == (~ensemble.membership[2]).sum()
    assert auc(alone, "leaky") > 0.99
    assert {row.name for row in alone.controls} == CONTROLS
    to_json(alone)


def test_the_untrained_control_fails_where_the_networks_were_trained(run, ensemble):
    options = {"defenses": ("none",), "explainers": {"leaky": leaky}}
    found = run(budget=Budget(untrained=ensemble.variables), **options)
    failed = {row.name for row in found.controls if row.failed}
    assert failed == {"untrained"}
    assert control(found, "untrained").seen.value > 0.9


def test_a_control_fails_beyond_four_standard_errors():
    near = Estimate(0.53, 0.51, 0.55, error=0.01)
    assert within("a", "b?", near, 0.5).passed
    assert not within("a", "b?", dataclasses.replace(near, value=0.55), 0.5).passed
    assert not within("a", "b?", dataclasses.replace(near, value=0.45), 0.5).passed
    assert not within("a", "b?", dataclasses.replace(near, value=np.nan), 0.5).passed


def test_the_score_sign_control_fails_where_the_judge_has_the_labels_the_wrong_way_round(ensemble, points):
    subject = Subject(
        logits_fn,
        ensemble.variables,
        ensemble.ids,
        points,
        ensemble.membership,
        np.arange(3),
        jax.random.key(0),
    )
    judge = Judge(subject, seed=0)
    judge.membership = ~judge.membership
    assert [row.passed for row in planted(subject, judge)] == [False, False]


def test_a_diverged_model_is_left_out_and_counted(alone):
    assert alone.task.diverged == [4]
    assert alone.task.models == MODELS
    assert alone.task.non_finite_attributions == 0


def test_a_diverged_model_shifts_no_target(diverging, points, monkeypatch):
    class Seen(Exception):
        pass

    def stop(subject):
        raise Seen(subject.model_ids[subject.targets].tolist())

    monkeypatch.setattr(measure, "predict_program", stop)
    with pytest.raises(Seen, match=r"^\[5, 17\]$"):
        leakjax.audit(logits_fn, diverging, points, targets=[5, 17], key=jax.random.key(0))


def test_defenses_are_given_as_texts_or_as_values(run, ensemble, points):
    found = run(defenses=("none", clip_norm(1.0)), explainers={"leaky": leaky})
    assert {row.defense for row in found.leakage} == {"none", parse(CLIP).name}
    assert auc(found, "leaky", CLIP) > 0.99


def test_costly_explainers_are_audited_on_some_evenly_spaced_points(run, points):
    cheap = "gradient"
    costly = "integrated_gradients(steps=12)"
    shown = Run(show_records=True)
    found = run(
        explainers=[cheap, costly], defenses=("none",), attacks=("stacked",), budget=Budget(45), run=shown
    )
    allowed = {name: row(found, name).nonmembers for name in (cheap, costly)}
    assert allowed[costly] == pytest.approx(allowed[cheap] / 2, rel=0.15)
    assert {example.id for example in found.examples} <= set(points.ids[::2].tolist())
    assert found.task.audited_points == POINTS


def test_an_unknown_explained_class_and_a_budget_of_nothing_are_named():
    with pytest.raises(UsageError, match=r"explained_class='tru'.*did you mean 'true'"):
        Attacker(explained_class="tru")
    with pytest.raises(UsageError, match="costly_points=0: must be at least 30"):
        Budget(costly_points=0)


def test_an_attacker_without_labels_takes_the_predicted_class_for_the_true_one(run):
    found = run(defenses=("none",), explainers={"leaky": leaky}, attacker=Attacker(label_known=False))
    predictions = [row.attack for row in found.leakage if row.view == "prediction"]
    numbers = [f"threshold(signal='{name}')" for name in ("loss", "confidence") for _ in range(3)]
    assert predictions == ["stacked"] * 3 + numbers
    assert not any(row.label_known for row in found.leakage)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"explainers": ["gradiant"]}, "explainers='gradiant'.*did you mean 'gradient'"),
        ({"explainers": []}, "explainers=.*at least one"),
        ({"explainers": ["gradient(steps=3)"]}, "explainers='gradient.steps=3.'.*steps"),
        ({"defenses": ["clip_nrm(1)"]}, "defense='clip_nrm'.*did you mean 'clip_norm'"),
        ({"defenses": []}, "defenses=.*at least one"),
        ({"attacks": ["lyra"]}, "attacks='lyra'.*must be one of stacked"),
        ({"targets": [MODELS]}, f"targets=.*0 to {MODELS - 1}"),
        ({"targets": []}, "targets=.*indices of models"),
        ({"run": Run(group="race")}, "group='race': must be one of side"),
    ],
)
def test_bad_arguments_are_named(run, options, message):
    with pytest.raises(UsageError, match=message):
        run(**options)


def test_too_few_models_and_another_number_of_points_are_named(ensemble, points):
    def audit(few):
        leakjax.audit(logits_fn, few, points, key=jax.random.key(0))

    few = jax.tree.map(lambda leaf: leaf[:3], ensemble)
    with pytest.raises(UsageError, match="models=3: must be at least 4"):
        audit(few)
    with pytest.raises(UsageError, match=r"membership=\(18, 80\)"):
        audit(ensemble._replace(membership=ensemble.membership[:, :80]))


def test_variables_of_another_number_of_models_are_named(ensemble, points):
    with pytest.raises(UsageError, match=r"variables=.*18 models"):
        leakjax.audit(
            logits_fn,
            ensemble._replace(variables={**ensemble.variables, "b": jnp.zeros((17, 2))}),
            points,
            key=jax.random.key(0),
        )


def test_a_membership_whose_counts_give_the_target_away_is_refused(points, ensemble):
    halves = np.zeros_like(ensemble.membership)
    for place in range(POINTS):
        halves[np.random.default_rng(place).permutation(MODELS)[: MODELS // 2], place] = True
    with pytest.raises(UsageError, match=r"membership.*independent coins"):
        leakjax.audit(logits_fn, ensemble._replace(membership=halves), points, key=jax.random.key(0))
    for seed in range(200):
        coins = np.random.default_rng(seed).random((MODELS, POINTS)) < 0.5
        check_coins("membership", coins)
