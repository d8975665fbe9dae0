"""Every stage of an audit tells how far it is, from its beginning to its end and never back."""

import jax
import numpy as np
import pytest

import leakjax
from leakjax import _progress
from leakjax.auditing import Run
from tests.auditing.world import EXPLAINERS, logits_fn


@pytest.mark.slow
def test_every_stage_has_one_bar_that_goes_forward(ensemble, points):
    told = {}

    def begin(stage):
        told[stage] = []

    def tell(share):
        told[next(reversed(told))].append(share)

    with _progress.watched_by(tell):
        leakjax.audit(
            logits_fn,
            ensemble,
            points,
            explainers={"gradient": EXPLAINERS["gradient"]},
            defenses=("none", "clip_norm(1.0)"),
            attacks=("stacked", "map_ratio"),
            targets=[0, 5],
            key=jax.random.key(7),
            run=Run(say=begin),
        )
    stages = {"predict", "explain gradient", "attack by map_ratio", "controls", "evaluate"}
    assert set(told) == stages
    for stage, shares in told.items():
        assert shares[-1] == 1, stage
        assert (np.diff(shares) >= 0).all(), stage
        if stage != "predict":  # of points that fit one chunk and a half
            assert len(shares) > 3, stage
