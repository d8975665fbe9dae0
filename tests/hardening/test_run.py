"""The study on ridge regressions in closed form: nothing is chosen on targets, and margins are those of the audit."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import leakjax
from leakjax import defend
from leakjax._validate import UsageError
from leakjax.auditing import Attacker
from leakjax.data import Points
from leakjax.evaluate.document import dumps, from_json
from leakjax.hardening import HardeningReport, Search, harden
from leakjax.report import hardening as findings
from leakjax.shadow.ensemble import from_arrays

MODELS, POINTS, FEATURES = 36, 120, 4
BESIDE = "project_out('one')"
SEARCH = Search(
    targets=16,
    policies=("true",),
    trials=6,
    points=60,
    front=2,
    repeats=(100,),
    beside=(defend.parse(BESIDE),),
    seed=1,
)
KEY = jax.random.key(7)


def logits_fn(variables, x):
    return jnp.stack([jnp.zeros(()), x[:-1] @ variables["w"]])


def summed(variables, x, target, *, key, segments=None):
    """Says in its sum who is a member, beside a map that all models share but for a little."""
    inside = jnp.sum(jnp.where(jnp.arange(POINTS) == x[-1], variables["membership"], 0.0))
    towards = jnp.where(target == 1, 1.0, -1.0)  # so that it is useful under both classes
    own = jnp.concatenate([towards * x[:-1] * variables["w"], jnp.zeros(1)])
    return own - own.mean() + 0.05 * (inside - 0.5)


@pytest.fixture(scope="module")
def points():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(POINTS, FEATURES))
    y = (x[:, 0] + x[:, 1] + 0.3 * rng.normal(size=POINTS) > 0).astype(np.int32)
    x = np.column_stack([x, np.arange(POINTS)]).astype(np.float32)
    return Points(x, y, 2, "small", np.arange(POINTS, dtype=np.int32), 0, {}, ())


@pytest.fixture(scope="module")
def ensemble(points):
    rng = np.random.default_rng(4)
    membership = rng.random((MODELS, POINTS)) < 0.5
    weights = []
    for rows in membership:
        design = points.x[rows, :-1]
        weights.append(
            np.linalg.solve(design.T @ design + np.eye(FEATURES), design.T @ (4.0 * points.y[rows] - 2))
        )
    variables = {"w": np.stack(weights).astype(np.float32), "membership": membership.astype(np.float32)}
    return from_arrays(variables, membership)


def study(ensemble, points, **options):
    given = {"explainers": [leakjax.explain.own(summed)], "key": KEY, "search": SEARCH, **options}
    return harden(logits_fn, ensemble, points, **given)


@pytest.fixture(scope="module")
def report(ensemble, points, tmp_path_factory):
    return study(ensemble, points, store=tmp_path_factory.mktemp("kept"))


@pytest.mark.slow
def test_margins_are_those_of_the_audit_and_the_leak_in_the_sum_is_gone_without_it(report, ensemble, points):
    audited = leakjax.audit(
        logits_fn,
        ensemble,
        points,
        explainers=[leakjax.explain.own(summed)],
        defenses=["none", BESIDE],
        targets=range(16),
        key=KEY,
        attacker=Attacker(explained_class="true", releases=("label", "vector")),
    )
    measured = {row.defense: row for row in report.measured}
    for row in audited.leakage:
        if row.view == "both" and row.attack == "stacked":
            ours = measured[row.defense]
            margin = ours.margin if row.release == "label" else ours.margin_vector
            theirs = row.margin.tpr_at_fpr["0.01"]
            np.testing.assert_allclose(
                (margin.value, margin.low, margin.high), (theirs.value, theirs.low, theirs.high), atol=1e-6
            )
    plain, without = measured["none"], measured[BESIDE]
    assert plain.counts
    assert plain.margin.value > 0.5
    assert plain.cut.value == 0
    assert without.cut.value > 0.9
    assert without.cut.low > 0.8
    assert {row.role for row in report.measured} >= {"plain", "recommended", "beside"}
    for row in report.measured:
        assert (row.repeats > 1) == (row.role == "averaged")
    shown = {row.role: row for row in report.measured}
    assert shown["denoised"].defense == shown["recommended"].defense
    assert shown["denoised"].lost == shown["recommended"].lost
    assert shown["denoised"].margin != shown["recommended"].margin
    assert plain.cosine == pytest.approx(1, abs=1e-6)
    assert plain.lost.value == pytest.approx(0, abs=1e-6)
    assert 0 < without.cosine < 1


@pytest.mark.slow
def test_nothing_is_chosen_on_a_target(report, ensemble, points):
    flipped = np.asarray(ensemble.membership).copy()
    flipped[:16] = ~flipped[:16]
    other = study(ensemble._replace(membership=flipped), points)
    assert other.tried == report.tried
    assert [one.defense for one in other.recommended] == [one.defense for one in report.recommended]
    assert other.measured != report.measured


def numbers(report):
    return dumps(dataclasses.replace(report, timings={}))


@pytest.mark.slow
def test_what_is_finished_is_kept_and_the_document_reads_back(report, ensemble, points, tmp_path):
    again = study(ensemble, points, store=tmp_path)
    once_more = study(ensemble, points, store=tmp_path)
    for one in (again, once_more):
        assert numbers(one) == numbers(report)
    assert numbers(from_json(HardeningReport, json.loads(dumps(again)))) == numbers(again)
    findings.publish(again, tmp_path)
    assert {path.name for path in (tmp_path / "tables").iterdir()} >= {"measured.csv", "tried.csv"}
    assert (tmp_path / "figures/front.png").stat().st_size > 5000
    lines = findings.table(again).splitlines()
    assert len(lines) == 2 + len(again.measured)
    assert "| 0 % (0 to 0) |" in lines[2]
    assert again.recommended[0].defense in findings.sentences(again)[0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"targets": 3}, "targets=3"),
        ({"policies": ("asked",)}, "explained_classes='asked'"),
        ({"policies": ()}, "explained_classes"),
        ({"trials": 0}, "trials=0"),
        ({"most_lost": 2.0}, "most_lost=2.0"),
        ({"front": 0}, "front=0"),
    ],
)
def test_what_cannot_be_searched_is_named(options, said):
    with pytest.raises(UsageError, match=said):
        dataclasses.replace(SEARCH, **options)


def test_targets_need_shadows_beside_them(ensemble, points):
    with pytest.raises(UsageError, match="models=36"):
        study(ensemble, points, search=dataclasses.replace(SEARCH, targets=35))
