from dataclasses import replace

import pytest

from leakjax.evaluate.document import BackgroundRow, Estimate
from leakjax.report import advice, backgrounds, page
from tests.report.fake_report import explained, fake_report
from tests.report.reader import Reader


def row(compared_with="the background", defense="none", *, named=1.0, low=0.83, cosine=1.0, **changes):
    given = {
        "knows": "weights",
        "rows": 20,
        "candidates": 80,
        "explained": 30,
        "plain": 0,
        "chance": 0.25,
        "residual": 1e-7,
        "residual_without": 0.06,
        "believed": True,
    }
    return BackgroundRow(
        **vars(explained("integrated_gradients", defense)),
        compared_with=compared_with,
        recovered=Estimate(named, low, 1.0),
        cosine=cosine,
        **{**given, **changes},
    )


def attacked(**changes):
    return fake_report(
        backgrounds=[
            row(**changes),
            row("k-means centres", named=0.9, low=0.68, cosine=0.99),
            row("zeros", named=0.2, low=0.06, cosine=0.59),
            row("private centres", named=0.2, low=0.06, cosine=0.71),
        ]
    )


def test_the_page_says_that_a_background_is_recoverable_and_what_hides_it():
    (said,) = backgrounds.said(attacked())
    assert said == (
        "The background of integrated_gradients is recoverable: 100.0 % of the 20 records that integrated_gradients "
        "compares with are named among 80 candidates (chance: 25.0 %) from 30 explained queries, by whoever knows the "
        "model. Of what names no more than chance does, this changes least: private centres (cosine to the plain "
        "explanations 0.71)."
    )
    text = page.render(attacked(), {})
    assert "is recoverable" in text
    rows = Reader(text).table("rows named")
    assert [each[0] for each in rows] == [
        "integrated_gradients",
        "the background",
        "k-means centres",
        "zeros",
        "private centres",
    ]
    assert rows[1][1] == "100.0 % (83.0 % to 100.0 %)"
    assert any("as private centres" in step for step in advice.next_steps(attacked()))


def test_one_that_was_not_recovered_asks_for_nothing():
    report = attacked(named=0.3, low=0.1, knows="answers", plain=38430)
    (said,) = backgrounds.said(report)
    assert said.startswith(
        "The background of integrated_gradients was not recovered: 30.0 % of the 20 records"
    )
    assert "30 explained queries and 38,430 for predictions alone, by whoever has nothing but answers" in said
    assert not any("nobody's records" in step for step in advice.next_steps(report))


def test_nothing_is_said_where_no_explainer_compares():
    assert backgrounds.listed(fake_report()) is None
    assert backgrounds.said(fake_report()) == []
    assert "compare with" not in page.render(fake_report(), {})


def test_where_nothing_hides_it_that_is_said():
    report = attacked()
    report = replace(report, backgrounds=report.backgrounds[:2])
    assert backgrounds.said(report)[0].endswith("Nothing that was tried in its place hides it.")


@pytest.mark.parametrize(("low", "said"), [(0.26, True), (0.25, False)])
def test_recoverable_means_more_than_chance(low, said):
    assert row(low=low).recoverable is said
