from dataclasses import replace

import pytest

from leakjax.evaluate import headline
from tests.report.fake_report import MARGINS, estimate, fake_report, leakage, leakage_row, released_leakage


def test_the_headline_attack_is_the_first_listed_and_not_the_best():
    strong = leakage_row("none", "none", "prediction", 0.5, attack="strong")
    report = fake_report(leakage=[strong, *leakage()])
    assert headline.row(report.leakage, "prediction").attack == "lira"
    assert headline.tpr(report.leakage, headline.row(report.leakage, "prediction")).value == 0.083


def test_both_sides_of_a_comparison_know_the_same_of_the_label():
    unaware = [replace(row, label_known=False, attack="other") for row in leakage()]
    aware = [row for row in leakage() if row.view == "prediction"]
    report = fake_report(leakage=[*aware, *unaware])
    assert headline.row(report.leakage, "prediction").label_known is False


def test_a_view_without_the_headline_attack_shows_its_first_attack():
    rows = [row for row in leakage() if not (row.view == "explanation" and row.attack == "lira")]
    assert headline.row(rows, "explanation", "gradient").attack == "norm_threshold"


def test_rows_that_know_the_label_are_not_set_beside_rows_that_do_not():
    unaware = [replace(row, label_known=False) for row in leakage()]
    rows = [row for row in leakage() if row.view == "prediction"]
    rows += [row for row in unaware if row.view != "prediction"]
    assert headline.row(rows, "prediction") is None


def test_the_worst_explainer_is_the_one_whose_plain_explanation_adds_most():
    assert headline.worst(leakage()).explainer == max(MARGINS, key=lambda name: MARGINS[name][0])


def test_the_worst_row_is_a_plain_one_although_a_hardened_one_of_another_explainer_adds_more():
    margins = {"gradient": (0.01, 0.05, 0.0), "smoothgrad": (0.03, 0.02, 0.0)}
    worst = headline.worst(leakage(margins))
    assert (worst.explainer, worst.defense, worst.view) == ("smoothgrad", "none", "both")


def test_a_margin_that_could_not_be_measured_is_never_the_worst():
    margins = {"gradient": (float("nan"), 0.0, 0.0), "smoothgrad": (-0.03, 0.0, 0.0)}
    assert headline.worst(leakage(margins)).explainer == "smoothgrad"
    assert headline.worst([row for row in leakage() if row.view != "both"]) is None


def test_rows_of_another_release_are_not_set_beside_the_leading_one():
    rows = [replace(row, release="label") if row.view == "prediction" else row for row in leakage()]
    assert headline.row(rows, "prediction") is None


def test_each_release_has_its_own_rows():
    rows = released_leakage({"gradient": (0.03, 0.0, 0.0), "smoothgrad": (0.01, 0.0, 0.0)}, {"label": 1.0})
    rows += released_leakage({"gradient": (0.01, 0.0, 0.0), "smoothgrad": (0.06, 0.0, 0.0)}, {"vector": 1.0})
    assert headline.releases(rows) == ["label", "vector"]
    assert headline.worst(rows).explainer == headline.worst(rows, "label").explainer == "gradient"
    worst = headline.worst(rows, "vector")
    assert (worst.explainer, worst.release, headline.margin(rows, worst).value) == (
        "smoothgrad",
        "vector",
        0.06,
    )
    assert headline.row(rows, "prediction", release="vector").release == "vector"
    assert headline.row(rows, "explanation", "gradient", release="vector").release == "none"


@pytest.mark.parametrize(
    ("value", "spread", "smallest", "grade"),
    [
        (0.03, 0.02, 0.05, "leaks"),
        (0.0, 0.02, 0.02, "no measurable leak"),
        (0.0, 0.021, 0.02, "inconclusive"),
        (0.0, 0.001, 0.021, "inconclusive"),
        (0.0, 0.001, float("nan"), "inconclusive"),
        (0.0, float("nan"), 0.001, "not measured"),
        (float("nan"), float("nan"), 0.001, "not measured"),
    ],
)
def test_a_margin_is_graded_by_what_the_audit_could_have_missed(value, spread, smallest, grade):
    assert headline.grade(estimate(value, spread), smallest) == grade


def test_defenses_are_listed_after_plain_whatever_their_order():
    report = fake_report(leakage=leakage()[::-1])
    assert headline.defenses(report.leakage)[0] == "none"
    listed = headline.listed(report.leakage)
    assert [defense for _, defense, _ in listed[:3]].count("none") == 1
    assert listed[0][1] == "none"
