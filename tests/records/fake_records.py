"""The report.json of a records experiment, written by hand."""

from leakjax.records.section import SCHEMA

SHARE = {"value": 0.25, "low": 0.2, "high": 0.3, "points": 40}


def row(**changes):
    """A row of the table of defenses."""
    plain = {
        "epsilon": None,
        "advantage": 0.2,
        "advantage_nearby": 0.2,
        "static_uniform": 4,
        "static_marginal": 5,
        "static_true": 6,
        "walked": 3.0,
        "descent": 7,
        "subspace": None,
        "seen": None,
        "subspace_queries": None,
        "most": 7.0,
        "captured": 1.0,
        "likeness": 1.0,
        "values": 1.0,
    }
    return {**plain, **changes}


def fake_records(**changes):
    """The document, with other results."""
    results = {
        "draws": {
            "self_revealing": {"5": SHARE},
            "groups": {"<sex>": {"5": {"f&m": SHARE}}},
            "rank": {"mean": 8.5},
            "subspace": {
                "exact": {name: {"mean": 8.5} for name in ("found", "seen", "queries", "theta_error")}
            },
            "queries": {"greedy": {"mean": 12.0}},
        },
        "defenses": {
            "none": row(subspace=8, seen=9, most=9.0),
            "one record": row(subspace=8, seen=8, descent=2, most=8.0),
            "no values": row(descent=None, most=6.0),
            "prototypes": row(epsilon=10.0, captured=None, likeness=0.4, descent=None, most=0.0),
        },
        "networks": {
            "12 records": {
                "queries": [10, 20],
                "records": 12,
                "accuracy": 0.9,
                "discovered": {"descent": [3, 4], "true": [1, 2]},
                "defenses": {"none": row(), "no values": row(descent=None, most=6.0)},
            }
        },
    }
    return {
        "schema": SCHEMA,
        "task": {"dataset": "<adult>", "points": 40},
        "results": {**results, **changes},
    }
