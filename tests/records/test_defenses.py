"""The table of defenses, on a model whose answers are known without any training."""

from functools import partial

import numpy as np
import pytest

from leakjax.records import encode, study
from leakjax.records.answer import answer_of
from leakjax.records.defenses import Target, compare_defenses, measure
from leakjax.records.oracle import RecordOracle, in_chunks
from leakjax.records.part import RecordPart, explain
from tests.influence.conftest import task

# Five records lead in a sector of the plane each; the sixth, a short one, leads nowhere.
ANGLES = np.pi * np.array([0.0, 0.2, 0.4, 0.6, 0.8, 0.0])
RECORDS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1) * np.array([1, 1, 1, 1, 1, 0.1])[:, None]


def offer(released, key):
    def answers(x, y):
        shown = explain(x @ RECORDS.T, x, RECORDS, released, key=key)
        return answer_of(np.full(len(x), 0.5), *shown)

    return RecordOracle(in_chunks(answers), 2)


@pytest.fixture
def target(key):
    outside = np.random.default_rng(0).standard_normal((300, 2))
    return Target(
        offer=partial(offer, key=key),
        x=RECORDS,
        y=np.arange(6) % 2,
        outside=outside,
        labels=np.zeros(300, int),
        blocks=np.arange(2),
        loss="probability",
        threshold=None,
    )


@pytest.fixture
def rows(target, key):
    return compare_defenses(target, k=1, queries=200, prototypes=20, key=key)


@pytest.mark.parametrize(
    "name", ["none", "one record", "no sign", "float32", "3 digits", "1 digit", "clipped values"]
)
def test_every_attack_finds_what_leads_somewhere(rows, name):
    row = rows[name]
    statics = [row[f"static_{each}"] for each in ("uniform", "marginal", "true")]
    assert [*statics, row["descent"], row["most"]] == [5] * 5
    # Each of the five explains itself; the sixth is explained by the first.
    assert row["advantage"] == row["advantage_nearby"] == pytest.approx(5 / 6)
    assert row["walked"] == 1
    assert (row["captured"], row["likeness"]) == (1, 1)
    assert row["subspace"] is row["seen"] is row["epsilon"] is None


def test_without_values_there_is_nothing_to_descend(rows):
    assert rows["no values"] == {**rows["none"], "descent": None, "values": None}


def test_leaving_oneself_out_stops_the_exact_query_alone(rows):
    assert rows["no self"]["advantage"] == 0
    assert rows["no self"]["advantage_nearby"] == pytest.approx(5 / 6)
    assert rows["no self"]["static_true"] == 5


def test_noise_reveals_what_would_lead_nowhere(rows):
    row = rows["noisy selection, high"]
    assert row["most"] == 6
    assert row["advantage"] < 5 / 6
    assert row["captured"] < 1


def test_prototypes_show_no_record(rows):
    for name, epsilon in (("public prototypes", None), ("private prototypes", 10.0)):
        row = rows[name]
        assert (row["most"], row["descent"], row["captured"], row["epsilon"]) == (0, None, None, epsilon)
        assert row["likeness"] < 1


def test_the_most_is_the_most_that_any_attack_revealed(target, key):
    row = measure(target, RecordPart(k=1), target.outside[:3] @ RECORDS.T, k=1, queries=3, key=key)
    found = [row.static_uniform, row.static_marginal, row.static_true, row.descent]
    assert row.walked == 1 < max(found) == row.most <= 3  # three queries show three records at the most


@pytest.mark.parametrize("loss", ["probability", "cross_entropy"])
def test_the_table_of_a_service_holds_the_loss_it_was_asked_for(key, loss):
    x, y = task(80, 4)
    small = encode.Task("small", x, y, np.arange(4), {})
    drawn = study.make_draw(small, 30, l2=1.0, key=key)
    rows = study.defenses(small, drawn, k=2, queries=20, loss=loss, threshold=1e-12, prototypes=5)
    model = drawn.service.model

    def changes(design, labels):
        sign = 2 * labels[:, None] - 1
        with_all = sign * (design @ model.theta)[:, None]
        without = sign * (design @ drawn.service.without.theta.T)
        if loss == "probability":
            return 1 / (1 + np.exp(-without)) - 1 / (1 + np.exp(-with_all))
        return np.log1p(np.exp(-without)) - np.log1p(np.exp(-with_all))

    top = np.argsort(-np.abs(changes(model.x, model.y)), axis=1)[:, :2]
    assert rows["none"]["advantage"] == pytest.approx((top == np.arange(30)[:, None]).any(axis=1).mean())
    assert 4 <= rows["none"]["subspace"] <= 5
    assert rows["none"]["subspace"] <= rows["none"]["seen"] <= rows["none"]["most"]
    asked = drawn.outside[:-5][:20]
    outside = changes(np.column_stack([x[asked], np.ones(20)]), y[asked])
    two = -np.sort(-np.abs(outside), axis=1)[:, :2]
    assert rows["none"]["captured"] == rows["none"]["likeness"] == rows["none"]["values"] == 1
    assert rows["one record"]["captured"] == pytest.approx(two[:, 0].sum() / two.sum())
    assert rows["one record"]["likeness"] < 1
    magnitude = np.abs(outside)
    leading = np.argsort(-magnitude, axis=1)[:, :2]
    pairs = [np.take_along_axis(each, leading, axis=1).ravel() for each in (outside, magnitude)]
    assert abs(rows["no sign"]["values"]) == pytest.approx(abs(np.corrcoef(*pairs)[0, 1]))
    assert rows["clipped values"]["values"] < 1
    assert rows["no values"]["values"] is None
