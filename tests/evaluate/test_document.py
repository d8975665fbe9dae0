import copy
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import jsonschema
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.evaluate.document import (
    Estimate,
    Report,
    aside,
    described,
    document,
    dumps,
    field_table,
    from_json,
    json_schema,
    to_json,
)


@document()
class Leaf:
    """The end of a branch."""

    size: int = described("how large it is", "mm")
    colour: Literal["red", "green"] = described("what it looks like", default="green")
    length: float = described("how long it is", "mm", default=1.5)


@document()
class Tree:
    """A plant."""

    SCHEMA = "tree/1"

    leaves: Sequence[Leaf] = described("what hangs on it")
    heights: Mapping[Literal["then", "now"], Estimate] = described("how high it was", "m")
    owners: Mapping[str, str | None] = described("who had it")
    tall: bool = described("whether it is")
    notes: Mapping[str, Any] = described("what else is known")
    picture: object = aside(default=None)


def tree(**changes):
    high = Estimate(3.0, 2.5, 3.5)
    parts = {
        "leaves": [Leaf(size=1), Leaf(size=2, colour="red", length=math.nan)],
        "heights": {"then": high, "now": Estimate(math.inf, math.nan, 4)},
        "owners": {"first": "Ada", "last": None},
        "tall": True,
        "notes": {"rings": (1, 2), "deep": {"x": np.float64(0.5), "y": None}},
    }
    return Tree(**{**parts, **changes})


WRITTEN = {
    "schema": "tree/1",
    "leaves": [
        {"size": 1, "colour": "green", "length": 1.5},
        {"size": 2, "colour": "red", "length": None},
    ],
    "heights": {
        "then": {"value": 3.0, "low": 2.5, "high": 3.5},
        "now": {"value": None, "low": None, "high": 4},
    },
    "owners": {"first": "Ada", "last": None},
    "tall": True,
    "notes": {"rings": [1, 2], "deep": {"x": 0.5, "y": None}},
}


def test_a_document_is_written_as_its_types_say_and_numbers_that_are_not_finite_are_null():
    assert to_json(tree(picture=object())) == WRITTEN


def test_what_was_written_is_read_again():
    read = from_json(Tree, json.loads(dumps(tree())))
    assert to_json(read) == WRITTEN
    assert math.isnan(read.leaves[1].length)
    assert read.leaves[0] == Leaf(size=1)
    assert read.picture is None


def test_arrays_and_numbers_of_numpy_are_written_as_plain_ones():
    written = to_json(tree(leaves=[Leaf(size=np.int32(4), length=np.float32(0.5))], tall=np.bool_(False)))
    assert json.loads(json.dumps(written))["leaves"] == [{"size": 4, "colour": "green", "length": 0.5}]
    assert written["tall"] is False


def changed(path, value):
    broken = copy.deepcopy(WRITTEN)
    place = broken
    for key in path[:-1]:
        place = place[key]
    if value is KeyError:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return broken


BROKEN = [
    (("schema",), "tree/0", "report.schema='tree/0': must be 'tree/1'"),
    (("surprise",), 1, "report.surprise: unknown; the fields are leaves, heights"),
    (("tall",), KeyError, "report.tall: missing (whether it is)"),
    (("tall",), 1, "report.tall=1: must be true or false"),
    (("leaves",), {}, "report.leaves={}: must be a list"),
    (("leaves", 0), 3, "report.leaves[0]=3: must be an object"),
    (("leaves", 1, "size"), True, "report.leaves[1].size=True: must be a whole number"),
    (("leaves", 1, "size"), 1.0, "report.leaves[1].size=1.0: must be a whole number"),
    (("leaves", 1, "size"), None, "report.leaves[1].size=None: must be a whole number"),
    (("leaves", 1, "length"), "3", "report.leaves[1].length='3': must be a finite number or null"),
    (("leaves", 1, "colour"), "blue", "report.leaves[1].colour='blue': must be one of red, green"),
    (("leaves", 1, "colour"), ["red"], "report.leaves[1].colour=['red']: must be one of red, green"),
    (("heights", "now"), KeyError, "report.heights.now: missing"),
    (
        ("heights", "soon"),
        WRITTEN["heights"]["then"],
        "report.heights.soon: unknown; the fields are then, now",
    ),
    (("owners", "first"), 3, "report.owners.first=3: must be a text"),
    (("notes",), None, "report.notes=None: must be an object"),
]


@pytest.mark.parametrize(("path", "value", "message"), BROKEN)
def test_a_wrong_value_is_one_line_with_path_value_and_rule(path, value, message):
    with pytest.raises(UsageError) as error:
        from_json(Tree, changed(path, value))
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


# To JSON Schema 1.0 is a whole number.
@pytest.mark.parametrize(("path", "value"), [case[:2] for case in BROKEN if type(case[1]) is not float])
def test_the_schema_refuses_what_reading_refuses(path, value):
    schema = json_schema(Tree)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(WRITTEN, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(changed(path, value), schema)


def test_numbers_that_are_not_finite_are_not_read():
    with pytest.raises(UsageError, match=r"leaves\[0\]\.length=nan: must be a finite number or null"):
        from_json(Tree, changed(("leaves", 0, "length"), math.nan))


def test_a_long_wrong_value_makes_a_short_error():
    with pytest.raises(UsageError) as error:
        from_json(Tree, changed(("heights",), list(range(100_000))))
    assert len(str(error.value)) < 120


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"leaves": [WRITTEN["leaves"][0]]}, r"report\.leaves\[0\]=\{.*\}: must be a Leaf"),
        ({"leaves": [Leaf(size="3")]}, r"report\.leaves\[0\]\.size='3': must be a whole number"),
        ({"notes": {"a": [{1}]}}, r"report\.notes\.a\[0\]: a set has no form in JSON"),
        ({"owners": {3: "x"}}, r"report\.owners=3: must be an object whose names are texts"),
    ],
)
def test_a_document_that_is_not_of_its_types_is_not_written(changes, message):
    with pytest.raises(UsageError, match=message):
        to_json(tree(**changes))


def test_a_hint_without_a_form_is_refused():
    @document()
    class Wrong:
        """Of no use."""

        when: complex = described("what it is")

    with pytest.raises(TypeError, match="has no form in a document"):
        json_schema(Wrong)


def test_meaning_and_unit_are_in_the_schema_and_in_the_table():
    leaf = json_schema(Tree)["$defs"]["Leaf"]
    assert leaf["description"] == "The end of a branch."
    assert leaf["properties"]["size"] == {"type": "integer", "description": "how large it is", "unit": "mm"}
    assert "unit" not in leaf["properties"]["colour"]
    table = field_table(Tree)
    assert "| length | a finite number or null | mm | how long it is |" in table.splitlines()
    assert "### Estimate" in table


def test_every_field_of_an_audit_says_what_it_means():
    definitions = json_schema(Report)["$defs"]
    said = [
        field["description"]
        for record in definitions.values()
        for name, field in record["properties"].items()
        if name != "schema"
    ]
    assert len(said) > 90
    assert all(len(meaning) > 5 for meaning in said)
