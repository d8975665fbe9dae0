import json

import pytest

from leakjax._validate import UsageError
from leakjax.evaluate.document import dumps, to_json
from leakjax.report.records import section
from tests.records.fake_records import fake_records
from tests.report.reader import Reader


def test_the_page_holds_the_report_and_escapes_it():
    reader = Reader(section.page(fake_records(), {}))
    assert reader.tags.count("main") == reader.tags.count("h1") == 1
    assert (
        "appears in its own explanation, five records long, in 25 % of the 40 cases of <adult>" in reader.text
    )
    assert "recovers 8 records by subspace reduction" in reader.text
    assert reader.table("group") == [["f&m", "40", *["25.0 % (20.0 % to 30.0 %)"] * 3]]
    assert reader.table("oracle") == [["exact", "8.5", "8.5", "8.5", "8.5"]]


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


def test_a_workdir_gives_a_section_below_the_headings_of_a_page(tmp_path):
    (tmp_path / "report.json").write_text(dumps(fake_records()))
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "figure9_static.png").write_bytes(bytes(24))
    reader = Reader(section.of_workdir(tmp_path))
    assert reader.tags[:2] == ["section", "h2"]
    assert "h1" not in reader.tags
    assert reader.tags.count("img") == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no report.json"),
        ("{", "its report.json is damaged"),
        ("[]", r"report=\[\]: must be an object"),
        ('{"schema": "leakjax.records/3"}', r"report\.config: missing"),
        ('{"schema": "leakjax/1"}', r"report\.schema='leakjax/1': must be 'leakjax.records/3'"),
    ],
)
def test_a_workdir_of_another_kind_is_named(tmp_path, content, words):
    if content is not None:
        (tmp_path / "report.json").write_text(content)
    with pytest.raises(UsageError, match=f"^records='{tmp_path}': .*{words}"):
        section.of_workdir(tmp_path)


def test_a_wrong_value_in_a_workdir_is_named_by_its_path(tmp_path):
    values = to_json(fake_records())
    values["results"]["defenses"]["no values"]["most"] = "six"
    (tmp_path / "report.json").write_text(json.dumps(values))
    with pytest.raises(
        UsageError, match=r"report\.results\.defenses\.no values\.most='six': must be a finite"
    ):
        section.of_workdir(tmp_path)
