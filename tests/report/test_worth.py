from dataclasses import replace

import pytest

from leakjax.evaluate.document import Margin
from leakjax.evaluate.document.audit import NeighbourRow, WorthRow
from leakjax.report import page, worth
from tests.report.fake_report import estimate, explained, fake_report, released_leakage
from tests.report.reader import Reader


def same(value):
    return Margin(
        auc=estimate(value, 0.01), tpr_at_fpr={"0.001": estimate(value, 0.01), "0.01": estimate(value, 0.01)}
    )


def asked(queries=None):
    rows = released_leakage(left={"label": 1.0, "vector": 0.5})
    near = [
        NeighbourRow(
            release=release,
            queries=8,
            headline_fpr="0.01",
            auc=estimate(0.6, 0.01),
            tpr_at_fpr={"0.001": estimate(0.02, 0.01), "0.01": estimate(found, 0.01)},
            margin=same(0.01),
        )
        for release, found in (("label", 0.094), ("vector", 0.101))
    ]
    worths = [
        WorthRow(
            **vars(explained("integrated_gradients", defense)),
            release=release,
            headline_fpr="0.01",
            queries=queries if defense == "none" else 0,
            tried=8,
            beside=same(0.035),
        )
        for release in ("label", "vector")
        for defense in ("none", "clip_norm")
    ]
    return fake_report(leakage=rows, neighbours=near, worth=worths)


def test_what_queries_find_stands_beside_what_the_explanation_is_worth_in_them():
    first, second = worth.said(asked())
    assert first == (
        "Where the service shows only the class, 8 further queries near each record find 9.4 %; an explanation by "
        "integrated_gradients is worth more than 8 queries, and beside all of them it adds 3.5 percentage points "
        "(2.5 to 4.5)."
    )
    assert "shows all probabilities, 8 further queries near each record find 10.1 %" in second


def test_a_release_has_one_sentence_however_many_counts_of_queries_were_tried():
    report = asked()
    fewer = [
        replace(row, queries=4, tpr_at_fpr={**row.tpr_at_fpr, "0.01": estimate(0.091, 0.01)})
        for row in report.neighbours
    ]
    first, _ = worth.said(replace(report, neighbours=[*fewer, *report.neighbours]))
    assert "only the class, 4, 8 further queries near each record find 9.1 %, 9.4 %; an explanation" in first


@pytest.mark.parametrize(
    ("queries", "said"), [(None, "more than 8"), (0, "no query"), (1, "1 query"), (4, "at most 4")]
)
def test_the_table_has_a_row_for_each_explanation(queries, said):
    rows = Reader(page.render(asked(queries), {})).table("label: worth in queries")
    assert [row[0] for row in rows] == ["integrated_gradients", "clip_norm"]
    assert all(cell.startswith(said) for cell in rows[0][1:])
    assert rows[1][1:] == ["no query"] * 2


def test_nothing_is_said_where_nothing_was_asked():
    assert worth.listed(fake_report()) is None
    assert worth.said(fake_report()) == []
    assert "further queries" not in page.render(fake_report(), {})
    assert worth.said(replace(asked(), worth=[])) == []
