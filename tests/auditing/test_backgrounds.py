import jax
import jax.numpy as jnp
import numpy as np
import pytest

import leakjax
from leakjax import UsageError
from leakjax.auditing import Budget, backgrounds
from leakjax.auditing.backgrounds import instead, share
from leakjax.auditing.compared import Compared
from leakjax.auditing.explainers import parse
from leakjax.auditing.resolve import resolve
from leakjax.auditing.subject import Subject
from leakjax.data import Points
from leakjax.evaluate.document import Report, from_json, to_json
from tests.auditing.world import FEATURES, logits_fn

KEY = jax.random.key(3)
RNG = np.random.default_rng(0)


def squares(variables, x):
    """Two outputs, squares of linear ones: integrated gradients over a row have a closed form."""
    return (x.reshape(-1) @ variables) ** 2


def network(variables, x):
    return jnp.tanh(x @ variables["in"]) @ variables["out"]


def subject_of(models=8, points=60):
    rng = np.random.default_rng(1)
    variables = {
        "in": rng.normal(size=(models, 6, 16)).astype(np.float32),
        "out": rng.normal(size=(models, 16, 3)).astype(np.float32),
    }
    x = rng.normal(size=(points, 6)).astype(np.float32)
    y = rng.integers(3, size=points).astype(np.int32)
    ids = np.arange(models, dtype=np.int32)
    own = Points(x, y, 3, "small", np.arange(points, dtype=np.int32))
    return Subject(network, variables, ids, own, rng.random((models, points)) < 0.5, ids, KEY)


def methods_of(subject, explainers, background, defenses=("none",)):
    budget = Budget(background=background)
    return resolve(explainers, defenses, ("stacked",), subject=subject, budget=budget, say=print)


def test_terms_are_the_explanations_over_each_candidate_alone():
    weights, queries, rows = RNG.normal(size=(4, 2)), RNG.normal(size=(5, 4)), RNG.normal(size=(3, 4))
    method = parse("integrated_gradients(steps=3, background=3)")
    compared = Compared(squares, jnp.asarray(weights, jnp.float32), method, KEY)
    found, plain, knows = compared.terms(queries.astype(np.float32), rows.astype(np.float32), vector=True)
    target = ((queries @ weights) ** 2).argmax(axis=1)
    expected = np.zeros((3, 5, 4))
    for r, row in enumerate(rows):
        for q, x in enumerate(queries):
            w = weights[:, target[q]]
            expected[r, q] = (x - row) * w * (w @ (x + row))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert (plain, knows) == (0, "weights")
    shown = compared.offered(rows.astype(np.float32)).ask(queries.astype(np.float32)).explanations[0]
    np.testing.assert_allclose(shown, expected.mean(axis=0), rtol=1e-4, atol=1e-4)


def test_a_background_is_recovered_and_what_stands_in_its_place_is_measured():
    subject = subject_of()
    secret = np.random.default_rng(9).normal(size=(8, 6)).astype(np.float32)
    methods = methods_of(
        subject, ["integrated_gradients(steps=8, background=8)", "gradient"], secret, ("none", "round_to(2)")
    )
    rows = backgrounds.backgrounds(subject, methods, secret, marks={})
    assert {row.explainer for row in rows} == {"integrated_gradients(steps=8, background=8)"}
    plain, rounded, zeros, *others, fresh = rows
    assert plain.plain_one
    assert (plain.rows, plain.candidates, plain.chance, plain.explained, plain.plain) == (8, 32, 0.25, 30, 0)
    assert plain.recovered.value == 1.0
    assert plain.recoverable
    assert plain.believed
    assert plain.residual < 1e-4 < plain.residual_without
    assert plain.cosine == pytest.approx(1.0)
    assert (rounded.defense, rounded.recovered.value) == ("round_to(2)", 1.0)
    assert zeros.compared_with == "zeros"
    assert not zeros.recoverable
    assert not zeros.believed
    assert len(others) == 4
    assert fresh.compared_with == backgrounds.ANEW
    assert fresh.residual > 0.01


def test_shapley_values_of_few_players_need_answers_alone():
    subject = subject_of()
    secret = np.random.default_rng(9).normal(size=(5, 6)).astype(np.float32)
    explainer = "exact_shapley(output='probability', background=5)"
    methods = methods_of(subject, [explainer], secret)
    plain = backgrounds.backgrounds(subject, methods, secret, marks={})[0]
    assert plain.knows == "answers"
    assert plain.recovered.value == 1.0
    assert plain.plain == 30 + 30 * 20 * 2**6


def test_nothing_is_run_where_no_explainer_compares(monkeypatch):
    subject = subject_of()
    monkeypatch.setattr(backgrounds, "_work", lambda *given: pytest.fail("it ran"))
    secret = subject.points.x[:8] + 1
    methods = methods_of(subject, ["gradient", "integrated_gradients(steps=2)"], secret)
    assert backgrounds.backgrounds(subject, methods, secret, marks={}) == []


def test_what_stands_in_the_place_has_as_many_rows():
    rows = RNG.normal(size=(10, 2, 3)).astype(np.float32)
    made = instead(rows, RNG.normal(size=(50, 2, 3)).astype(np.float32), seed=0)
    assert all(each.shape == rows.shape and each.dtype == rows.dtype for each in made.values())
    np.testing.assert_allclose(
        made["the mean of its rows"], np.broadcast_to(rows.mean(0), rows.shape), atol=1e-6
    )


def test_the_interval_of_a_share_is_clopper_and_pearsons():
    assert share(20, 20).low == pytest.approx(0.025 ** (1 / 20))
    assert share(0, 10).high == pytest.approx(1 - 0.025 ** (1 / 10))
    assert (share(0, 10).low, share(20, 20).high) == (0.0, 1.0)


@pytest.mark.slow
def test_the_report_of_an_audit_holds_the_rows(points, ensemble):
    """Of six models: fewer are attacked more cheaply."""
    few = jax.tree.map(lambda leaf: leaf[:6], ensemble)
    rows = np.random.default_rng(2).normal(size=(4, FEATURES + 1)).astype(np.float32)

    def audit(explainer, rows):
        return leakjax.audit(
            logits_fn,
            few,
            points,
            explainers=[explainer],
            attacks=["difference(signal='map_log_l1')"],
            key=KEY,
            budget=Budget(background=rows),
        )

    report = audit("integrated_gradients(steps=2, background=4)", rows)
    assert len(report.backgrounds) == 7
    assert report.backgrounds[0].rows == 4
    assert "background" in report.timings
    assert to_json(from_json(Report, to_json(report))) == to_json(report)
    with pytest.raises(UsageError, match="needs a background"):
        audit("integrated_gradients(background=4)", None)
    with pytest.raises(UsageError, match="needs 5 rows of a background that has 4"):
        audit("integrated_gradients(background=5)", rows)
