import json

import jsonschema
import pytest

from leakjax._validate import UsageError
from leakjax.evaluate.document import dumps, from_json, json_schema, to_json
from leakjax.records.document import RecordsReport
from tests.records.fake_records import fake_records, row


def test_a_report_follows_the_schema_and_survives_its_file():
    values = json.loads(dumps(fake_records()))
    jsonschema.validate(values, json_schema(RecordsReport))
    assert to_json(from_json(RecordsReport, values)) == values


def test_the_order_of_names_is_kept():
    values = json.loads(dumps(fake_records()))
    assert list(values["results"]["defenses"]) == ["none", "one record", "no values", "prototypes"]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("defenses",), {"no values": vars(row())}, 'report.results.defenses: must hold "none"'),
        (
            ("networks", "12 records", "defenses"),
            {},
            "report.results.networks.12 records.defenses: must not be",
        ),
        (
            ("networks", "12 records", "queries"),
            [1],
            "report.results.networks.12 records.discovered.descent: must",
        ),
        (
            ("draws", "groups", "<sex>", "5"),
            {},
            "report.results.draws.groups.<sex>: must name the same groups",
        ),
        (("draws", "self_revealing"), {}, "report.results.draws.self_revealing.1: missing"),
    ],
)
def test_results_that_no_page_could_show_are_refused(path, value, message):
    values = to_json(fake_records())
    place = values["results"]
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(UsageError) as error:
        from_json(RecordsReport, values)
    assert str(error.value).startswith(message)
