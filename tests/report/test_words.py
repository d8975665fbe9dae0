from dataclasses import replace

import pytest

from leakjax.evaluate import headline
from leakjax.evaluate.document import PrivateTraining
from leakjax.report import words
from tests.report.fake_report import estimate, fake_report, fake_task, leakage


def test_without_plain_explanations_the_worst_is_the_one_whose_hardened_ones_add_most():
    rows = [row for row in leakage() if row.defense != "none" or row.view == "prediction"]
    report = fake_report(leakage=rows)
    assert headline.worst(report.leakage).explainer == "integrated_gradients"
    assert words.hardening(report)[0].startswith(
        "integrated_gradients hardened with clip_norm: the explanation"
    )


def test_the_rate_is_that_of_the_rows():
    rows = [replace(row, headline_fpr="0.001") for row in leakage()]
    report = fake_report(leakage=rows)
    assert headline.tpr(report.leakage, headline.row(report.leakage, "prediction")).value == pytest.approx(
        0.083 / 4
    )
    assert "at 0.1 % false alarms" in words.lead(report)


@pytest.mark.parametrize(
    ("value", "spread", "verdict"),
    [
        (0.02, 0.01, "leaks"),
        (0.01, 0.01, "no measurable extra leakage"),  # reaches 0
        (0.01, 0.02, "no measurable extra leakage"),
        (-0.02, 0.01, "no measurable extra leakage"),
        (0.02, float("nan"), "not measured"),
    ],
)
def test_a_margin_leaks_only_if_its_whole_interval_is_above_0(value, spread, verdict):
    margin = estimate(value, spread)
    assert words.verdict(margin) == verdict
    assert ("weakest planted" in words.added(fake_report(), margin)) == (verdict.startswith("no "))


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
    assert words.lead(report).startswith(
        "An attacker who sees only predictions catches 10.3 % of the training records at 1 % false alarms "
        f"among the fewer that {worst} explained;"
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
