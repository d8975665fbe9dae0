import json

import pytest

from leakjax._validate import UsageError
from leakjax.evaluate.document import dumps, to_json
from leakjax.report import sections
from tests.records.fake_records import fake_records
from tests.report.fake_report import fake_report
from tests.report.reader import Reader


def test_each_folder_becomes_the_section_of_its_kind_in_the_order_given(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "figures").mkdir(parents=True)
        (tmp_path / name / "report.json").write_text(dumps(fake_records()))
    (tmp_path / "two" / "figures" / "figure9_static.png").write_bytes(bytes(24))
    first, second = sections.of_workdirs([tmp_path / "one", str(tmp_path / "two")])
    for section, pictures in ((first, 0), (second, 1)):
        reader = Reader(section)
        assert reader.tags[:2] == ["section", "h2"]
        assert "h1" not in reader.tags
        assert reader.tags.count("img") == pictures
        assert "recovers 8 records by subspace reduction" in reader.text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, r"holds no report\.json \(No such file"),
        ("{", r"its report\.json is damaged"),
        ("[]", r"is of kind None, which is none of leakjax\.records"),
        (
            json.dumps(to_json(fake_report())),
            r"is of kind 'leakjax\.report/\d+', which is none of leakjax\.records",
        ),
        ('{"schema": "leakjax.records/3"}', r"report\.config: missing"),
        (
            '{"schema": "leakjax.records/1"}',
            r"report\.schema='leakjax\.records/1': must be 'leakjax\.records/\d+'",
        ),
    ],
)
def test_a_folder_of_another_kind_is_named(tmp_path, content, said):
    if content is not None:
        (tmp_path / "report.json").write_text(content)
    with pytest.raises(UsageError, match=f"^with='{tmp_path}': .*{said}"):
        sections.of_workdirs([tmp_path])


def test_a_wrong_value_in_a_folder_is_named_by_its_path(tmp_path):
    values = to_json(fake_records())
    values["results"]["defenses"]["no values"]["most"] = "six"
    (tmp_path / "report.json").write_text(json.dumps(values))
    with pytest.raises(
        UsageError, match=r"report\.results\.defenses\.no values\.most='six': must be a finite"
    ):
        sections.of_workdirs([tmp_path])


def test_each_study_that_watches_or_attacks_a_service_has_a_section():
    kinds = {document.SCHEMA.partition("/")[0] for document in sections.SECTIONS}
    assert kinds == {"leakjax.records", "leakjax.inversion", "leakjax.monitor"}
