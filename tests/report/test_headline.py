import pytest

from leakjax.report import headline, words
from tests.report.fake_report import MARGINS, fake_report, figure, leakage, leakage_row


def test_the_headline_attack_is_the_first_listed_and_not_the_best():
    strong = {**leakage_row("none", "none", "prediction", 0.5), "attack": "strong"}
    report = fake_report(leakage=[strong, *leakage()])
    assert headline.row(report, "prediction")["attack"] == "lira"
    assert headline.tpr(report, headline.row(report, "prediction"))["value"] == 0.083


def test_both_sides_of_a_comparison_know_the_same_of_the_label():
    unaware = [{**row, "label_known": False, "attack": "other"} for row in leakage()]
    aware = [row for row in leakage() if row["view"] == "prediction"]
    report = fake_report(leakage=[*aware, *unaware])
    assert headline.row(report, "prediction")["label_known"] is False


def test_a_view_without_the_headline_attack_shows_its_first_attack():
    rows = [row for row in leakage() if not (row["view"] == "explanation" and row["attack"] == "lira")]
    assert headline.row(fake_report(leakage=rows), "explanation", "gradient")["attack"] == "norm_threshold"


def test_rows_that_know_the_label_are_not_set_beside_rows_that_do_not():
    unaware = [{**row, "label_known": False} for row in leakage()]
    rows = [row for row in leakage() if row["view"] == "prediction"]
    rows += [row for row in unaware if row["view"] != "prediction"]
    assert headline.row(fake_report(leakage=rows), "prediction") is None


def test_without_plain_explanations_the_worst_is_the_one_whose_hardened_ones_add_most():
    rows = [row for row in leakage() if row["defense"] != "none" or row["view"] == "prediction"]
    report = fake_report(leakage=rows)
    assert headline.worst(report) == "integrated_gradients"
    assert words.hardening(report)[0].startswith(
        "integrated_gradients hardened with clip_norm: the explanation"
    )


def test_the_worst_explainer_is_the_one_whose_plain_explanation_adds_most():
    assert headline.worst(fake_report()) == max(MARGINS, key=lambda name: MARGINS[name][0])


def test_defenses_are_listed_after_plain_whatever_their_order():
    report = fake_report(leakage=leakage()[::-1])
    assert headline.defenses(report)[0] == "none"
    listed = headline.listed(report)
    assert [defense for _, defense, _ in listed[:3]].count("none") == 1
    assert listed[0][1] == "none"


def test_the_rate_is_that_of_the_rows():
    rows = [{**row, "headline_fpr": "0.001"} for row in leakage()]
    report = fake_report(leakage=rows)
    assert headline.tpr(report, headline.row(report, "prediction"))["value"] == pytest.approx(0.083 / 4)
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
    margin = figure(value, spread)
    assert words.verdict(margin) == verdict
    assert ("weakest planted" in words.added(fake_report(), margin)) == (verdict.startswith("no "))


def test_it_says_what_an_explanation_gives_away_alone_plain_and_hardened():
    report = fake_report()
    explainer = headline.worst(report)
    plain = headline.tpr(report, headline.row(report, "explanation", explainer))["value"]
    for name, sentence in zip(headline.defenses(report)[1:], words.hardening(report)[1::2], strict=True):
        hardened = headline.tpr(report, headline.row(report, "explanation", explainer, name))["value"]
        assert f"alone catches {words.percent(plain)} of" in sentence
        assert f"{words.percent(hardened)} when hardened" in sentence


def test_what_was_audited_on_fewer_records_is_compared_on_those():
    worst = headline.worst(fake_report())
    rows = leakage()
    for row in rows:
        if row["explainer"] == worst:
            row["nonmembers"] = 250
            row["tpr_at_fpr"]["0.01"] = figure(row["tpr_at_fpr"]["0.01"]["value"] + 0.02, 0.006)
    report = fake_report(leakage=rows)
    (note,) = words.fewer(report)
    for said in ("some 250", "in place of 898", "alone catches 10.3 %"):
        assert said in note
    assert words.lead(report).startswith(
        "An attacker who sees only predictions catches 10.3 % of the training records at 1 % false alarms "
        f"among the fewer that {worst} explained;"
    )
    marked = {name for name, _, both in headline.listed(report) if "†" in words.caught_with(report, both)}
    assert marked == {worst}
    assert words.fewer(fake_report()) == []
