"""The models of a study: those that were trained before are taken as they are, at the gap that is named."""

import jax
import numpy as np

from leakjax import _workdir, shadow
from leakjax.auditing.options import Attacker
from leakjax.auditing.pool import Pool
from leakjax.data import Points
from leakjax.papers.world import Training, prepared
from leakjax.shadow import TrainConfig
from tests.shadow.small import MODEL, X, Y, train

POINTS = Points(X, Y, 3, "small", np.arange(len(X), dtype=np.int32))


def test_a_study_takes_models_from_an_ensemble(tmp_path):
    config = TrainConfig(epochs=8, batch_size=8, learning_rate=0.05, stop_at_gap=(0.01, 0.9))
    train(tmp_path / "ensemble", range(17), block=6, config=config)

    def fail(*whatever):
        raise AssertionError("trained anew")

    for gap in (0.01, None):
        training = Training(MODEL, TrainConfig(), 16, jax.random.key(1), tmp_path / "ensemble", gap)
        with _workdir.opened(tmp_path / "work") as store:
            found = prepared(
                training,
                Pool(POINTS, None),
                Attacker(),
                audit_points=30,
                workdir=store,
                say=fail,
                on_epoch=fail,
            )
        wanted = shadow.load(tmp_path / "ensemble", 16, gap=gap)
        jax.tree.map(np.testing.assert_array_equal, found.subject.variables, wanted.variables)
        assert found.subject.membership.shape == (16, 30)
        rows = np.searchsorted(POINTS.ids, found.subject.points.ids)
        np.testing.assert_array_equal(found.subject.membership, wanted.membership[:, rows])
    first, last = (shadow.load(tmp_path / "ensemble", gap=gap).variables for gap in (0.01, None))
    assert any(not np.array_equal(a, b) for a, b in zip(*map(jax.tree.leaves, (first, last)), strict=True))
