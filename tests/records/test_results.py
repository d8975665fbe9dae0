from leakjax.records.results import results


def network(l2, **changes):
    plain = {
        "records": 12,
        "l2": l2,
        "accuracy": 0.5,
        "agreement": {"TracIn": {"correlation": 0.1}},
        "discovered": {"descent": list(range(200)), "true": [1] * 200},
        "defenses": {"none": {"most": 1.0}},
    }
    return {**plain, **changes}


def test_each_network_is_there_with_the_queries_it_was_asked():
    found = results({"network": [network(1.0), network(5.0, accuracy=0.9)]})
    assert list(found["networks"]) == ["12 records, l2 = 1", "12 records, l2 = 5"]
    first = found["networks"]["12 records, l2 = 1"]
    assert (first["queries"], first["records"], first["defenses"]) == ([100], 12, {"none": {"most": 1.0}})
    assert first["discovered"] == {"descent": [99], "true": [1]}
    assert found["approximations"]["TracIn; network, 12 records, l2 = 5"] == {
        "correlation": 0.1,
        "residual": None,
    }


def test_rows_of_one_setting_and_of_one_defense_are_averaged():
    sweep = [{"setting": name, "k=1": value} for name, value in (("a", 1.0), ("b", 5.0), ("a", 2.0))]
    defenses = [{"none": {"most": 4.0, "seen": None}}, {"none": {"most": 6.0, "seen": None}}]
    found = results({"sweep": sweep, "defenses": defenses})
    assert found["sweep"] == {"a": {"k=1": 1.5}, "b": {"k=1": 5.0}}
    assert found["defenses"] == {"none": {"most": 5.0, "seen": None}}
    assert "networks" not in found
