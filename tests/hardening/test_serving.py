"""The study of who explains, on logistic regressions: who was trained on what, and that its rows are the audit's."""

import json

import jax
import numpy as np
import pytest

import leakjax
from leakjax import data, models, shadow
from leakjax._validate import UsageError
from leakjax._workdir import claim
from leakjax.auditing import Attacker
from leakjax.auditing.explainers import parse
from leakjax.auditing.pool import set_aside
from leakjax.auditing.prepare import prepare
from leakjax.evaluate.document import dumps, from_json
from leakjax.hardening import serving
from leakjax.hardening.document import ServingReport
from leakjax.hardening.serving import Serving
from leakjax.report import serving as findings

KEY = jax.random.key(3)
TRAINING = shadow.TrainConfig(epochs=30, batch_size=16, learning_rate=3e-2)
SETTINGS = Serving(targets=16, reference=4, folds=2, withheld=0.25, near=0.0)


@pytest.fixture(scope="module")
def trained():
    pool = set_aside(data.load("synthetic", points=200, features=40, classes=3), 60)
    model = models.make("logistic", 3)
    membership = np.asarray(data.membership(KEY, np.arange(22), len(pool.points.x)))
    ensemble = shadow.train_ensemble(
        model,
        pool.points.x,
        pool.points.y,
        TRAINING,
        key=KEY,
        membership=membership,
        ids=np.arange(22, dtype=np.int32),
    )
    return pool, model, ensemble


@pytest.fixture(scope="module")
def report(trained, tmp_path_factory):
    pool, model, ensemble = trained
    ready = prepare(
        model.logits_fn,
        ensemble,
        pool.points,
        targets=None,
        key=KEY,
        attacker=Attacker(explained_class="true"),
        untrained=None,
    )
    with claim(tmp_path_factory.mktemp("serving")) as held:
        return serving.serve(
            model, ready.subject, pool.background, parse("gradient"), SETTINGS, TRAINING,
            group=None, config={}, workdir=held, say=lambda line: None,
        )  # fmt: skip


@pytest.mark.slow
def test_the_targets_own_row_is_the_audits(report, trained):
    pool, model, ensemble = trained
    audited = leakjax.audit(
        model.logits_fn,
        jax.tree.map(lambda leaf: leaf[:18], ensemble),
        pool.points,
        explainers=["gradient"],
        targets=range(16),
        key=KEY,
        attacker=Attacker(explained_class="true", releases=("label", "vector")),
    )
    (margin,) = (
        row.margin
        for row in audited.leakage
        if (row.explainer, row.defense, row.view, row.release, row.attack)
        == ("gradient", "none", "both", "label", "stacked")
    )
    rows = {row.served: row for row in report.rows}
    assert rows["the target"].margin.value == pytest.approx(margin.tpr_at_fpr["0.01"].value, abs=1e-6)
    assert rows["the target"].lost.value == pytest.approx(0, abs=1e-6)
    assert rows["nobody where references are unsure"].lost.value > 0.1
    inside = np.asarray(ensemble.membership)[:16]
    of_model = jax.vmap(jax.vmap(model.logits_fn, (None, 0)), (0, None))
    logits = np.asarray(of_model(jax.tree.map(lambda leaf: leaf[:16], ensemble.variables), pool.points.x))
    right = logits.argmax(-1) == pool.points.y
    assert rows["the target"].predicts == pytest.approx(right[~inside].mean())
    assert rows["student of sub-models, predicts too"].predicts == rows["student of sub-models"].explains


@pytest.mark.slow
def test_what_was_found_reads_back_and_groups_share_what_is_withheld(report):
    again = from_json(ServingReport, json.loads(dumps(report)))
    assert dumps(again) == dumps(report)
    assert sum(row.points for row in report.withheld) == report.task.points == 140
    held = sum(row.points * row.withheld for row in report.withheld)
    assert held == pytest.approx(0.25 * 140, abs=1)
    assert findings.table(report).count("\n") == 2 + len(report.rows) - 1
    assert f"{report.near_duplicates} of 140 points" in findings.sentences(report)[1]


def test_settings_are_checked_before_any_compute():
    for wrong in (
        {"targets": 3},
        {"folds": 1},
        {"withheld": 1.5},
        {"step": 0.0},
        {"reference": 0},
        {"near": -1.0},
    ):
        (name,) = wrong
        with pytest.raises(UsageError, match=name):
            Serving(**wrong)
