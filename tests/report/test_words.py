from dataclasses import replace

import pytest

from leakjax.evaluate import headline
from leakjax.evaluate.document import PrivateTraining, SmallestMargin
from leakjax.report import verdict, words
from tests.report.fake_report import estimate, fake_report, fake_task, leakage, released_leakage


def test_without_plain_explanations_the_worst_is_the_one_whose_hardened_ones_add_most():
    rows = [row for row in leakage() if row.defense != "none" or row.view == "prediction"]
    report = fake_report(leakage=rows)
    assert headline.worst(report.leakage).explainer == "integrated_gradients"
    assert words.hardening(report)[0].startswith(
        "integrated_gradients hardened with clip_norm, where the service shows all probabilities: the explanation"
    )


def test_the_rate_is_that_of_the_rows():
    rows = [replace(row, headline_fpr="0.001") for row in leakage()]
    report = fake_report(leakage=rows)
    assert headline.tpr(report.leakage, headline.row(report.leakage, "prediction")).value == pytest.approx(
        0.083 / 4
    )
    assert "at 0.1 % false alarms" in verdict.basis(report)[0]
    assert "(chance 0.11 %)" in verdict.lead(report)


@pytest.mark.parametrize(
    ("value", "spread", "smallest", "said"),
    [
        (0.02, 0.01, 0.005, "leaks"),
        (0.03, 0.02, 0.05, "leaks"),  # however coarse the audit
        (0.005, 0.005, 0.005, "no measurable leak above 1.0 percentage points"),  # reaches 0
        (-0.02, 0.01, 0.005, "no measurable leak above 0.50 percentage points"),
        (
            0.01,
            0.02,
            0.005,
            "inconclusive (a leak of up to 3.0 percentage points could have gone unseen)",
        ),
        (
            0.0,
            0.001,
            0.048,
            "inconclusive (a leak of up to 4.8 percentage points could have gone unseen)",
        ),
        (
            0.0,
            0.001,
            float("nan"),
            "inconclusive (none of the leaks that were planted to test this audit showed)",
        ),
        (0.02, float("nan"), 0.005, "not measured"),
    ],
)
def test_no_leak_is_said_to_be_absent_that_the_audit_could_not_have_seen(value, spread, smallest, said):
    report = fake_report(smallest_margin=SmallestMargin(fpr="0.01", value=smallest))
    margin = estimate(value, spread)
    assert words.verdict(report, margin) == said
    assert words.mark(report, margin) == {"no": "*", "inconclusive": "?"}.get(said.split()[0], "")
    added = words.added(report, margin)
    assert added.startswith(
        {"leaks": "the explanation adds", "not measured": "what the explanation adds could"}.get(said, said)
    )


def test_the_verdict_says_each_release_by_its_own_rows():
    report = fake_report(leakage=released_leakage(left={"label": 1.0, "confidence(1)": 0.05, "vector": 0.0}))
    assert verdict.lead(report) == (
        "Where your service shows only the class, an attacker finds 8.3 % of the training records from the class "
        "alone and 13.0 % with the explanations (chance 1.0 %). Where it shows the class and its probability to "
        "1 decimal, or all probabilities, an attacker finds 8.3 % and 8.3 % of the training records, and your "
        "explanations add nothing that we could measure (an audit like this could have seen 0.69 percentage points)."
    )


def test_the_verdict_takes_the_worst_explainer_of_each_release():
    rows = released_leakage({"gradient": (0.03, 0.0, 0.0), "smoothgrad": (0.01, 0.0, 0.0)}, {"label": 1.0})
    others = released_leakage({"gradient": (0.01, 0.0, 0.0), "smoothgrad": (0.06, 0.0, 0.0)}, {"vector": 1.0})
    said = verdict.lead(fake_report(leakage=rows + others))
    assert "from the class alone and 11.3 % with" in said
    assert (
        "Where it shows all probabilities, an attacker finds 8.3 % of the training records from that alone "
        in said
    )
    assert "and 14.3 % with the explanations." in said


def test_an_audit_that_sees_little_is_inconclusive():
    coarse = SmallestMargin(fpr="0.01", value=0.048)
    rows = released_leakage({"gradient": (0.0, 0.0, 0.0)}, {"label": 1.0, "vector": 1.0})
    said = verdict.lead(fake_report(leakage=rows, smallest_margin=coarse))
    assert said.endswith(
        "and what your explanations add is inconclusive: a leak of up to 4.8 percentage points could have gone unseen."
    )
    assert "nothing" not in said


@pytest.mark.parametrize(
    ("release", "said"),
    [
        ("label", "only the class"),
        ("confidence(1)", "the class and its probability to 1 decimal"),
        ("confidence(2)", "the class and its probability to 2 decimals"),
        ("top(3)", "the probabilities of the 3 likeliest classes"),
        ("vector", "all probabilities"),
        ("none", "no prediction"),
    ],
)
def test_a_release_is_said_in_words(release, said):
    assert words.released(release) == said


def test_it_says_what_an_explanation_gives_away_alone_plain_and_hardened():
    report = fake_report()
    explainer = headline.worst(report.leakage).explainer
    plain = headline.tpr(report.leakage, headline.row(report.leakage, "explanation", explainer)).value
    for name, sentence in zip(
        headline.defenses(report.leakage)[1:], words.hardening(report)[1::2], strict=True
    ):
        hardened = headline.tpr(
            report.leakage, headline.row(report.leakage, "explanation", explainer, name)
        ).value
        assert f"alone catches {words.percent(plain)} of" in sentence
        assert f"{words.percent(hardened)} when hardened" in sentence


def test_what_was_audited_on_fewer_records_is_compared_on_those():
    worst = headline.worst(leakage()).explainer
    rows = [
        replace(
            row,
            nonmembers=250,
            tpr_at_fpr={**row.tpr_at_fpr, "0.01": estimate(row.tpr_at_fpr["0.01"].value + 0.02, 0.006)},
        )
        if row.explainer == worst
        else row
        for row in leakage()
    ]
    report = fake_report(leakage=rows)
    (note,) = words.fewer(report)
    for said in ("some 250", "in place of 898", "alone catches 10.3 %"):
        assert said in note
    assert verdict.lead(report).startswith(
        "Where your service shows all probabilities, an attacker finds 10.3 % of the training records "
        f"among the fewer that {worst} explained from that alone"
    )
    marked = {
        name for name, _, both in headline.listed(report.leakage) if "†" in words.caught_with(report, both)
    }
    assert marked == {worst}
    assert words.fewer(fake_report()) == []


def test_private_training_is_said_with_its_epsilon():
    promised = PrivateTraining(epsilon=2.345, delta=1e-5, noise_multiplier=1.5, clip_norm=1.0)
    sentence = words.task(fake_report(task=fake_task(private=promised)))
    for said in ("epsilon 2.35 at delta 1e-05", "noise multiplier 1.5", "clipped to 1"):
        assert said in sentence
    assert "private" not in words.task(fake_report())
