"""What the page tells its owner to do: recommendation, next steps, rows that are alike, controls, the annex."""

import math
from dataclasses import replace

import pytest

from leakjax.evaluate.document import SmallestMargin, UnlikeRow
from leakjax.report import advice, alike, annex, checks, figures, recommend
from tests.report.fake_report import (
    MARGINS,
    control,
    estimate,
    fake_report,
    leakage,
    released_leakage,
    tabular_examples,
)

STRONG, WEAK = "clip_norm+gaussian_noise", "clip_norm"


def test_the_most_useful_hardening_without_a_leak_is_recommended():
    found = recommend.recommended(fake_report())
    assert (found.explainer, found.defense) == ("integrated_gradients", STRONG)
    milder = fake_report(leakage=leakage({"gradient": (0.03, 0.001, 0.0)}))  # both close it, one keeps more
    assert recommend.recommended(milder).defense == WEAK
    assert recommend.recommended(milder).utility.cosine.value == 0.97


def test_a_hardening_that_leaks_beside_any_release_is_not_recommended():
    rows = released_leakage({"gradient": (0.03, 0.001, 0.0)}, {"vector": 1.0})
    assert recommend.recommended(fake_report(leakage=rows)).defense == WEAK
    rows += released_leakage({"gradient": (0.03, 0.02, 0.0)}, {"label": 1.0})
    assert recommend.recommended(fake_report(leakage=rows)).defense == STRONG


def test_hardening_is_about_the_explainer_that_leaks_wherever_it_does():
    quiet, loud = {"gradient": (0.0, 0.0, 0.0)}, {"smoothgrad": (0.03, 0.0, 0.0)}
    still = {"smoothgrad": (-0.001, 0.0, 0.0), **quiet}
    rows = released_leakage(still, {"label": 1.0}) + released_leakage({**loud, **quiet}, {"vector": 1.0})
    report = fake_report(leakage=rows)
    about = recommend.about(report)
    assert (about.explainer, about.release) == ("smoothgrad", "vector")
    found = recommend.recommended(report)
    assert (found.explainer, found.defense) == ("smoothgrad", WEAK)
    steps = " ".join(advice.next_steps(report))
    assert f"Release explanations hardened by {WEAK}" in steps
    (axes,) = figures.curve(report).axes
    assert axes.get_title("left") == "smoothgrad"


def test_nothing_is_recommended_that_could_hide_a_leak_and_nothing_needed_is_said():
    coarse = fake_report(smallest_margin=SmallestMargin(fpr="0.01", value=0.05))
    assert recommend.recommended(coarse) is None
    assert "None of the 2 hardenings" in recommend.said(coarse)[0]
    closed = fake_report(leakage=leakage({"gradient": (0.0, 0.0, 0.0)}))
    assert recommend.recommended(closed).defense == "none"
    assert recommend.said(closed) == [
        "No hardening is needed: plain explanations by gradient add nothing measurable."
    ]


def test_a_recommendation_says_what_it_keeps_and_what_chance_keeps():
    said = " ".join(recommend.said(fake_report()))
    assert "cosine of 0.31 to the plain explanation (1 is unchanged, 0 what an unrelated one has)" in said
    assert "55.7 % of its most important features (by chance 9.4 %)" in said  # sqrt(0.31); 6 of 64 pixels
    assert recommend.chance_of_top(fake_report(examples=tabular_examples())) == 1 / 12
    assert recommend.chance_of_top(fake_report(examples=[], feature_names=None)) is None


@pytest.mark.parametrize(
    ("changes", "said", "unsaid"),
    [
        (
            {},
            "Release explanations hardened by clip_norm+gaussian_noise, never plain ones.",
            "Audit with more",
        ),
        (
            {"leakage": leakage({"gradient": (0.03, 0.02, 0.02)})},
            "Release no explanations where the service shows",
            "never plain ones",
        ),
        ({"leakage": leakage({"gradient": (0.0, 0.0, 0.0)})}, "Nothing needs to be done", "Release"),
        (
            {
                "leakage": leakage({"gradient": (0.0, 0.0, 0.0)}),
                "smallest_margin": SmallestMargin(fpr="0.01", value=0.05),
            },
            "some 448 models in place of 64",  # (5 / 2)^2, rounded up, times 64
            "Nothing needs",
        ),
        (
            {
                "leakage": leakage({"gradient": (0.0, 0.0, 0.0)}),
                "smallest_margin": SmallestMargin(fpr="0.01", value=math.nan),
            },
            "some 256 models in place of 64",
            "Nothing needs",
        ),
        ({"leakage": released_leakage()}, "Showing more is no way out", "Nothing needs"),
        (
            {"controls": [control("placebo", "?", "0", 0.1, 0.01, passed=False)]},
            "Do not act on these",
            "Release",
        ),
        ({"controls": []}, "Do not act on these", "Release"),
        ({"leakage": []}, "Audit explanations", "Release"),
    ],
)
def test_the_next_step_follows_from_what_was_found(changes, said, unsaid):
    steps = " ".join(advice.next_steps(fake_report(**changes)))
    assert said in steps
    assert unsaid not in steps


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (0.98, "Try stronger hardening, as --defenses='none,normalize()+cosine_noise(0.9)', or release no"),
        (0.8, "Try stronger hardening, as --defenses='none,normalize()+cosine_noise(0.6)', or release no"),
        (
            math.nan,
            "Try stronger hardening, as --defenses='none,normalize()+cosine_noise(0.9)', or release no",
        ),
        (0.62, "Try stronger hardening, as --defenses='none,normalize()+cosine_noise(0.3)', or release no"),
        (0.2, "Release no explanations where the service shows all probabilities."),
    ],
)
def test_hardening_is_advised_that_is_stronger_than_all_that_was_tried(kept, said):
    report = fake_report(leakage=leakage({"gradient": (0.03, 0.02, 0.02)}))
    tried = [
        replace(row, cosine=estimate(kept if row.defense != "none" else 1.0, 0.0)) for row in report.utility
    ]
    assert advice.next_steps(replace(report, utility=tried))[0].startswith(said)


def test_a_hardening_that_is_inconclusive_is_neither_recommended_nor_passed_over():
    rows = leakage({"gradient": (0.04, 0.03, 0.0)})
    report = fake_report(leakage=rows, smallest_margin=SmallestMargin(fpr="0.01", value=0.03))
    assert recommend.recommended(report) is None
    assert recommend.promising(report).defense == STRONG
    first, second = advice.next_steps(report)[:2]
    assert first.startswith(
        f"Explanations hardened by {STRONG} may be safe, but this audit is too small to say so."
    )
    assert "Until one is large enough, release none where the service shows all probabilities" in first
    assert second.startswith("The predictions leak by themselves")


def test_flags_of_training_are_named_where_the_audit_trained():
    closed = fake_report(leakage=leakage({"gradient": (0.0, 0.0, 0.0)}))
    for report, trained in (
        (replace(closed, config={"noise_multiplier": 0.0}), True),
        (replace(closed, config={"answers": "a.npz"}), False),
    ):
        steps = " ".join(advice.next_steps(report))
        assert "private training" in steps
        assert ("--fail_above" in steps) == ("--noise_multiplier" in steps) == trained


def test_a_recommendation_of_a_known_defense_says_how_a_program_applies_it():
    rows, known = leakage(), "normalize()+cosine_noise(0.6)"
    named = [replace(row, defense=known if row.defense == STRONG else row.defense) for row in rows]
    useful = [
        replace(row, defense=known if row.defense == STRONG else row.defense) for row in fake_report().utility
    ]
    said = recommend.said(fake_report(leakage=named, utility=useful))[-1]
    assert f'leakjax.defend.apply(leakjax.defend.parse("{known}"), explanation, key=key, x=x)' in said
    assert "leakjax.defend" not in recommend.said(fake_report())[-1]  # whose defenses are nobody's


def test_a_target_that_is_unlike_its_shadows_comes_first():
    rows = [
        UnlikeRow(model=3, what=what, value=value, least=0.9, most=0.95)
        for what, value in (("accuracy", 0.7123), ("another figure", 2.0))
    ]
    steps = advice.next_steps(fake_report(unlike=rows))
    assert steps[0] == (
        "Do not trust what is said of model 3: it is unlike its shadows (accuracy 0.712, theirs 0.9 to 0.95; another "
        "figure 2, theirs 0.9 to 0.95). Train shadows as it was trained, on as many records."
    )
    assert steps[1:] == advice.next_steps(fake_report())


def test_predictions_that_leak_are_said_to_be_beyond_hardening():
    steps = advice.next_steps(fake_report())
    assert steps[-1].startswith("The predictions leak by themselves, 8.3 % where guessing finds 1.0 %")
    quiet = [
        replace(row, tpr_at_fpr={**row.tpr_at_fpr, "0.01": estimate(0.012, 0.001)})
        if row.view == "prediction"
        else row
        for row in leakage()
    ]
    assert not any("by themselves" in step for step in advice.next_steps(fake_report(leakage=quiet)))


def test_explainers_that_agree_in_every_number_explain_themselves():
    same = dict.fromkeys(("gradient", "input_x_gradient", "lrp(epsilon=1e-06)"), (0.03, 0.01, 0.0))
    other = {"smoothgrad(samples=5)": (0.02, 0.01, 0.0)}
    rows = leakage({**same, **other})
    moved = [
        replace(row, auc=estimate(row.auc.value + 0.01, 0.006)) if row.explainer == "gradient" else row
        for row in rows
    ]
    assert alike.alike(fake_report(leakage=moved)) == [["input_x_gradient", "lrp(epsilon=1e-06)"]]
    assert alike.said(fake_report(leakage=moved)) == [
        "input_x_gradient and lrp(epsilon=1e-06) agree in every number: LRP with the epsilon rule is input times "
        "gradient on networks of piecewise-linear units."
    ]
    assert alike.said(fake_report()) == []
    (unknown,) = alike.said(fake_report(leakage=leakage({"gradient": (0.1, 0, 0), "lime": (0.1, 0, 0)})))
    assert "gradient and lime agree in every number: their maps are the same, or carry the same" in unknown


def test_every_control_of_an_audit_has_plain_words_and_says_what_its_failure_means():
    for name, plain in checks.CONTROLS.items():
        assert plain.name != name
        assert "_" not in plain.name
        assert plain.failed.startswith("If it fails, ")
    own = checks.plain(control("my_control", "?", "0", 0.0, 0.1))
    assert (own.name, own.failed) == ("my control", "If it fails, do not rely on the numbers.")


def test_the_annex_holds_the_facts_of_this_audit():
    found = annex.annex(fake_report(leakage=released_leakage()))
    opinion = {row[0].text: row[1].text for row in found.opinion.rows}
    likelihood = opinion["Likelihood that queries tell who was in the training data"]
    assert (
        "shows only the class: 8.3 % of the members recognised, 13.0 % with explanations (guessing 1.0 %)"
        in likelihood
    )
    assert likelihood.count("Where the service shows") == 3
    assert "63 shadow models" in opinion["By whom"]
    assert "Of 6 controls that were run, 6 passed." in opinion["How sure"]
    assert "1,797 records" in opinion["For whom"]
    measures = {row[0].text: row[1].text for row in found.assessment.rows}[
        "Measures against it (Art. 35(7)(d))"
    ]
    assert f"Tried: {WEAK}, {STRONG}. Under {STRONG} no leak was measurable" in measures
    explained = " ".join(row[1].text for row in found.explanation.rows)
    assert all(name in explained for name in MARGINS)
    bare = annex.annex(fake_report(leakage=[], utility=[], controls=[]))
    assert bare.opinion.rows[0][1].text == "Not measured."
