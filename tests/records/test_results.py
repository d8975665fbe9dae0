from leakjax.records.results import network_of
from leakjax.records.summary import average_defenses, average_rows
from tests.records.fake_records import row


def test_a_network_is_attacked_with_as_many_queries_as_it_was_asked():
    network = {
        "records": 12,
        "l2": 1.0,
        "accuracy": 0.5,
        "discovered": {"descent": list(range(200)), "true": [1] * 200},
        "defenses": {"none": vars(row(most=1.0))},
    }
    found = network_of(network)
    assert (found.queries, found.records, found.defenses["none"].most) == ([100], 12, 1.0)
    assert found.discovered == {"descent": [99], "true": [1]}


def test_rows_are_averaged_and_what_does_not_apply_stays_so():
    assert average_rows([{"a": 1.0, "b": None}, {"a": 2.0, "b": None}]) == {"a": 1.5, "b": None}
    rows = [{"none": vars(row(most=most))} for most in (4.0, 6.0)]
    assert average_defenses(rows)["none"].most == 5.0
