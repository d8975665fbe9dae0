from dataclasses import replace

from leakjax.records.document import PaperRow, Share
from leakjax.records.study import ORACLES
from leakjax.report.records import section
from tests.records.fake_records import fake_draws, fake_records
from tests.report.reader import Reader


def test_the_page_holds_the_report_and_escapes_it():
    reader = Reader(section.page(fake_records(), {}))
    assert reader.tags.count("main") == reader.tags.count("h1") == 1
    assert (
        "appears in its own explanation, five records long, in 25 % of the 40 cases of <adult>" in reader.text
    )
    assert "recovers 8 records by subspace reduction" in reader.text
    assert reader.table("group") == [["f&m", "40", *["25.0 %", "20.0 % to 30.0 %"] * 3]]
    assert reader.table("what answers release") == [["exact values", "8.5", "8.5", "8.5", "8.5"]]


def test_shares_and_counts_of_the_paper_stand_apart_and_say_their_spread_in_one_way():
    rows = [
        PaperRow(what="self-revealing, k=1", ours=0.111, spread=0.0123, paper=0.10),
        PaperRow(what="components", ours=1749.2, spread=9.5, paper=1742),
    ]
    reader = Reader(section.page(fake_records(beside_paper=rows), {}))
    assert reader.table("95 % interval") == [["self-revealing, k=1", "11.1 %", "9.9 % to 12.3 %", "10.0 %"]]
    assert reader.table("± of a draw") == [["influence graph: components", "1749.2", "9.5", "1742"]]
    assert reader.text.count("±") == 2  # the heading, and what it means


def test_a_group_of_too_few_records_is_said_to_be_one():
    draws = fake_draws()
    few = Share(value=0.5, low=0.0, high=1.0, points=2)
    groups = {"<sex>": {k: {"f&m": few} for k in draws.groups["<sex>"]}}
    reader = Reader(section.page(fake_records(draws=replace(draws, groups=groups)), {}))
    assert reader.table("group") == [["f&m", "2", *["too few", ""] * 3]]


def test_every_oracle_of_the_study_has_words():
    assert set(section.ORACLES) == set(ORACLES)
    assert not any("_" in text for text in section.ORACLES.values())


def test_every_attack_has_a_column_unless_it_never_applies():
    reader = Reader(section.page(fake_records(), {}))
    linear, network = (rows for rows in reader.tables if rows[0][0] == "records revealed under")
    assert linear[0][1:] == [
        *("static uniform", "static marginal", "static true", "walked", "descent", "seen", "subspace", "most")
    ]
    assert linear[1:3] == [
        ["none", "4", "5", "6", "3", "7", "9", "8", "9"],
        ["one record", "4", "5", "6", "3", "2", "8", "8", "8"],
    ]
    assert linear[3] == ["no values", "4", "5", "6", "3", "-", "-", "-", "6"]
    assert network[0][1:] == ["static uniform", "static marginal", "static true", "walked", "descent", "most"]
    assert reader.table("attack") == [["descent", "3", "4"], ["true", "1", "2"]]


def test_the_verdict_names_attack_and_defense():
    text = Reader(section.page(fake_records(), {})).text
    assert (
        "Undefended, the best attack is subspace reduction, which reveals 9 of 40 training records." in text
    )
    assert "“no values” leaves the best attack 6 and “none” 9." in text
    assert "the best of them, “prototypes”, keeps a likeness of 0.4." in text
    assert "Undefended, the best attack is gradient descent, which reveals 7 of 12 training records." in text
