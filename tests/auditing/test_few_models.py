"""Four to seven models: only attacks that need no more are run, points with too few models are dropped and counted."""

import io

import jax
import numpy as np
import pytest

import leakjax
from leakjax._validate import UsageError
from leakjax.auditing import Run
from leakjax.report import show, to_json
from tests.auditing.world import EXPLAINERS, POINTS, logits_fn

ATTACKS = ["stacked", "threshold(signal='map_log_l1')", "difference(signal='map_log_l1')", "rmia"]


def few(ensemble, count):
    variables = {name: leaf[:count] for name, leaf in ensemble.variables.items()}
    history = jax.tree.map(lambda leaf: leaf[:count], ensemble.history)
    return ensemble._replace(
        variables=variables,
        membership=ensemble.membership[:count],
        ids=ensemble.ids[:count],
        history=history,
    )


def audit(ensemble, points, count, **options):
    given = {"explainers": {"leaky": EXPLAINERS["leaky"]}, "attacks": ATTACKS, "key": jax.random.key(7)}
    return leakjax.audit(logits_fn, few(ensemble, count), points, **{**given, **options})


@pytest.mark.slow
@pytest.mark.parametrize("count", [4, 5, 7])
def test_attacks_that_need_few_models_are_run_and_the_report_says_what_is_not(
    ensemble, points, count, tmp_path
):
    said = []
    report = audit(ensemble, points, count, run=Run(group="side", say=said.append))
    assert {row.attack for row in report.leakage} == set(ATTACKS[1:])
    assert [one.name for one in report.left_out] == ["stacked"]
    assert any(
        f"stacked is left out: needs at least 8 models, and there are {count}" in line for line in said
    )
    rows = {row.attack: row for row in report.leakage if row.view == "explanation"}
    # Members' maps are longer, whatever the other models say; the sign of a threshold is fixed beforehand.
    assert rows["difference(signal='map_log_l1')"].auc.value < 0.1
    inside = ensemble.membership[:count]
    others = [np.delete(inside, model, axis=0) for model in range(count)]
    lost = np.logical_or.reduce([rest.all(axis=0) | ~rest.any(axis=0) for rest in others])
    assert report.task.dropped_points == lost.sum() > 0
    assert [control.name for control in report.controls if control.failed] == []
    (control,) = [control for control in report.controls if control.not_run]
    assert "at least 8 models" in control.not_run
    assert to_json(report)["smallest_margin"]["value"] is None
    shown = io.StringIO()
    show(report, tmp_path, file=shown)
    assert "records" in shown.getvalue()


@pytest.mark.slow
def test_from_eight_models_on_the_stacked_attack_leads(ensemble, points):
    report = audit(ensemble, points, 8, attacks=["stacked"])
    (row,) = [row for row in report.leakage if row.view == "both" and row.release == "vector"]
    assert row.attack == "stacked"
    assert row.margin.auc.low > 0.1
    assert list(report.left_out) == []


def test_what_too_few_models_cannot_do_is_named(ensemble, points):
    with pytest.raises(UsageError, match=r"models=3.*at least 4"):
        audit(ensemble, points, 3)
    with pytest.raises(UsageError, match=r"needs at least 8 models, and there are 5"):
        audit(ensemble, points, 5, attacks=["stacked"])
    with pytest.raises(UsageError, match=r"models=4.*lira needs 2 in- and 2 out-models"):
        audit(ensemble, points, 4, attacks=["lira"])
    coins = np.random.default_rng(0).random((5, POINTS)) < 0.5
    with pytest.raises(UsageError, match=r"models=5.*at least 8"):
        leakjax.score({"member": coins, "attributions": np.zeros((5, POINTS, 3))}, key=jax.random.key(0))


@pytest.mark.slow
def test_where_nothing_leaks_four_models_say_so(points):
    """Coins that no model has seen: the mean AUC over several draws is a half, whatever is dropped."""
    found = []
    for seed in range(6):
        generator = np.random.default_rng(seed)
        membership = generator.random((4, POINTS)) < 0.5
        weights = generator.normal(size=(4, points.x.shape[1] - 1, 2)).astype(np.float32)
        variables = {"w": weights, "b": np.zeros((4, 2), np.float32), "membership": 0.0 * membership}
        ensemble = leakjax.shadow.from_arrays(variables, membership)
        report = leakjax.audit(
            logits_fn,
            ensemble,
            points,
            explainers={"leaky": EXPLAINERS["leaky"]},
            attacks=["difference", "rmia", "base", "threshold"],
            key=jax.random.key(seed),
        )
        found.append([row.auc.value for row in report.leakage if row.release == "vector"])
    error = np.std(found, axis=0) / len(found) ** 0.5
    assert (np.abs(np.mean(found, axis=0) - 0.5) < 4 * error).all()
