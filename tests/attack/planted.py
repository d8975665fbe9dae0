"""Answers whose leakage is known, for tests of attacks."""

import numpy as np
from sklearn.metrics import roc_auc_score

from leakjax.attack.stacked import Answers


def planted(shifts, seed=0, models=32, points=200):
    """Signals around a mean of each point's own, each shifted for members by so many standard deviations.

    Returns membership [models, points], the signals [models, points, signals] and the log-likelihood ratio of one who
    knows means and shifts [models, points].
    """
    generator = np.random.default_rng(seed)
    membership = generator.random((models, points)) < 0.5
    mean = 3 * generator.normal(size=(1, points, len(shifts)))
    signals = mean + generator.normal(size=(models, points, len(shifts))) + shifts * membership[..., None]
    oracle = np.sum(shifts * (signals - mean - np.asarray(shifts) / 2), axis=-1)
    return membership, signals.astype(np.float32), oracle


def answers(signals):
    """`Answers` of scalar signals alone."""
    return Answers(np.asarray(signals, np.float32))


def mean_auc(scores, membership, valid=None):
    """The mean over models of the AUC over valid points."""
    valid = np.ones_like(membership) if valid is None else valid
    return np.mean([roc_auc_score(m[v], s[v]) for s, m, v in zip(scores, membership, valid, strict=True)])
