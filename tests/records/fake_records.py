"""The report of a records study, written by hand."""

from leakjax.records.document import (
    DefenseRow,
    Draws,
    Graph,
    Network,
    RecordsReport,
    RecordsTask,
    Results,
    Share,
    Spread,
    Subspace,
)

LENGTHS = ("1", "5", "10")
SHARE = Share(value=0.25, low=0.2, high=0.3, points=40)


def spread(mean):
    return Spread(mean=mean, sd=0.5)


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
    return DefenseRow(**{**plain, **changes})


def fake_draws():
    half = spread(8.5)
    return Draws(
        self_revealing=dict.fromkeys(LENGTHS, SHARE),
        groups={"<sex>": {k: {"f&m": SHARE} for k in LENGTHS}},
        unconverged=0,
        graph=Graph(components=half, singletons=half, largest=half, max_in_degree=half, in_degree_zero=half),
        coverage=half,
        queries={"greedy": spread(12.0)},
        rank=half,
        subspace={"exact": Subspace(found=half, seen=half, queries=half, theta_error=half)},
        static={"true": dict.fromkeys(LENGTHS, spread(0.5))},
        auc_of_influence=None,
        auc_without_revealed=None,
    )


def fake_records(**changes):
    """The report, with other results."""
    results = {
        "draws": fake_draws(),
        "beside_paper": [],
        "defenses": {
            "none": row(subspace=8, seen=9, most=9.0),
            "one record": row(subspace=8, seen=8, descent=2, most=8.0),
            "no values": row(descent=None, most=6.0),
            "prototypes": row(epsilon=10.0, captured=None, likeness=0.4, descent=None, most=0.0),
        },
        "sweep": {},
        "approximations": {},
        "networks": {
            "12 records": Network(
                queries=[10, 20],
                records=12,
                accuracy=0.9,
                discovered={"descent": [3, 4], "true": [1, 2]},
                defenses={"none": row(), "no values": row(descent=None, most=6.0)},
            )
        },
        "sizes": [],
    }
    return RecordsReport(
        config={},
        environment={},
        task=RecordsTask(dataset="<adult>", points=40),
        results=Results(**{**results, **changes}),
        timings={},
    )
