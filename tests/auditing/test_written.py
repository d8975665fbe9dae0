"""What an ensemble answers, written down: the audit of that file finds what an audit of the ensemble finds."""

import jax
import numpy as np
import pytest

import leakjax
from leakjax import shadow
from leakjax._validate import UsageError
from leakjax.auditing import Run
from leakjax.auditing.written import write_answers
from leakjax.data import Points
from leakjax.data.mapped import mapped
from leakjax.explain import gradient, smoothgrad
from leakjax.shadow import TrainConfig, store, stored
from tests.shadow.small import MODEL, X, Y, train

KEY = jax.random.key(7)
POINTS = Points(X, Y, 3, "small", np.arange(len(X), dtype=np.int32))
EXPLAINERS = ["gradient", "smoothgrad(samples=2)"]


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    path = tmp_path_factory.mktemp("written")
    train(path, range(16), block=6, config=TrainConfig(epochs=30, batch_size=8, learning_rate=0.02))
    return path


def test_answers_are_those_of_each_model_to_each_point(directory, tmp_path):
    wanted = [1, 5, 7, 15]
    ids = write_answers(
        tmp_path / "a.npz", directory, MODEL, POINTS, explainers=EXPLAINERS, models=wanted, key=KEY
    )
    assert ids == wanted
    with np.load(tmp_path / "a.npz") as by_numpy:
        found = dict(by_numpy)
    ensemble = shadow.load(directory, wanted)
    np.testing.assert_array_equal(found["member"], ensemble.membership)
    np.testing.assert_array_equal(found["labels"], Y)
    np.testing.assert_array_equal(found["x"], X)
    explain = {"gradient": gradient(MODEL.logits_fn), EXPLAINERS[1]: smoothgrad(MODEL.logits_fn, samples=2)}
    for row, point in ((0, 0), (2, 39), (3, 17)):
        own = jax.tree.map(lambda leaf, row=row: leaf[row], ensemble.variables)
        logits = MODEL.logits_fn(own, X[point])
        np.testing.assert_allclose(found["logits"][row, point], logits, rtol=1e-4, atol=1e-5)
        key = jax.random.fold_in(jax.random.fold_in(jax.random.fold_in(KEY, wanted[row]), point), 0)
        for name, explainer in explain.items():
            attribution = explainer(own, X[point], logits.argmax(), key=key)
            got = found[f"attributions_{name}"][row, point]
            np.testing.assert_allclose(got, attribution, rtol=1e-4, atol=1e-5)


def test_no_two_blocks_are_held_and_a_failure_leaves_no_file(directory, tmp_path, monkeypatch):
    assert [block.ids.tolist() for block in store.blocks(directory, 8, without=[2])] == [
        [0, 1, 3, 4, 5],
        [6, 7],
    ]
    read = stored.read

    def fail(path):
        if "models-000006" in str(path):
            raise stored.Damaged(f"{path}: damaged")
        return read(path)

    monkeypatch.setattr(stored, "read", fail)
    with pytest.raises(UsageError, match="damaged"):
        write_answers(tmp_path / "a.npz", directory, MODEL, POINTS, explainers=["gradient"], key=KEY)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_an_audit_of_the_file_agrees_with_that_of_the_ensemble(directory, tmp_path):
    write_answers(tmp_path / "a.npz", directory, MODEL, POINTS, explainers=["gradient"], key=KEY)
    said = Run(say=lambda text: None)
    options = {"defenses": ["none"], "attacks": ["stacked"], "key": KEY, "run": said}
    by_file = leakjax.score(mapped(tmp_path / "a.npz"), **options)
    ensemble = shadow.load(directory)
    by_models = leakjax.audit(MODEL.logits_fn, ensemble, POINTS, explainers=["gradient"], **options)

    def rows(report):
        return {
            (row.view, row.release, row.explainer): row for row in report.leakage if row.defense == "none"
        }

    ours, theirs = rows(by_file), rows(by_models)
    assert ours.keys() == theirs.keys()
    assert {view for view, _, _ in ours} == {"prediction", "explanation", "both"}
    for about, row in ours.items():
        assert row.auc.value == pytest.approx(theirs[about].auc.value, abs=2e-3), about
        for rate, found in row.tpr_at_fpr.items():
            assert found.value == pytest.approx(theirs[about].tpr_at_fpr[rate].value, abs=5e-3), about
