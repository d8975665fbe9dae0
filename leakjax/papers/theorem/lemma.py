"""Lemma F.1's conditions for models of one feature, as the paper writes them and as they are."""

import numpy as np

from leakjax.papers.theorem.family import Family

_EQUAL = 1e-12


def statement(family: Family) -> int:
    """The first of the lemma's four statements that is true of a family, as it is written.

    1: all weights are the full model's, and all shifts go one way. 2: all models meet the full one in one point.
    3: all weights are the full model's, shifts go both ways, and b <= log((exp(b_1) + exp(b_m)) / 2). 4: none of them.
    """
    apart, shift = family.ws[:, 0] - family.w[0], family.bs - family.b
    if np.all(np.abs(apart) < _EQUAL):
        if np.all(shift >= 0) or np.all(shift <= 0):
            return 1
        middle = np.log((np.exp(family.bs.min()) + np.exp(family.bs.max())) / 2)
        return 3 if family.b <= middle else 4
    if np.all(np.abs(apart) >= _EQUAL) and np.ptp(shift / apart) < 1e-9:
        return 2
    return 4


def says_one(family: Family) -> bool:
    """Whether the lemma as it is written says that one record alone can be revealed."""
    return statement(family) != 4


def one_in_truth(family: Family) -> bool:
    """Whether one record alone can be revealed, as we correct the lemma.

    Models that meet the full one in one point reveal one record only if all are steeper, or all flatter: sigmoids are
    not lines, near the point the largest change of slope is on top, far from it the flattest model. Shifts both ways
    reveal two records exactly where exp(b) lies between the harmonic and the arithmetic mean of the outermost two:
    with A < B < C the exponentials, |f_1 - f| = |f_m - f| has the one solution
    exp(w y) = (2 A C - B (A + C)) / (2 B - A - C), and it is positive there alone.
    """
    kind = statement(family)
    apart = family.ws[:, 0] - family.w[0]
    if kind == 1:
        return True
    if kind == 2:
        return bool(np.all(apart > 0) or np.all(apart < 0))
    if np.all(np.abs(apart) < _EQUAL):
        low, middle, high = np.exp([family.bs.min(), family.b, family.bs.max()])
        return not 2 * low * high / (low + high) < middle < (low + high) / 2
    return False
