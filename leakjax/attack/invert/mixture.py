"""Which of many candidates a mean was taken over: an observation that is linear in its members names them.

The mean explanation over a background, a partial dependence curve and a class's mean map are all sums of one term a
member. Whoever can compute the terms of candidates solves for their weights, and sees in what is left over whether
the members were among the candidates at all.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from leakjax._validate import at_least, fail

_ROUNDS = 20  # of weights and units in turn
_SLACK = 2.0  # how far above the simulated residuals one of a real mean may lie


class Named(NamedTuple):
    """Who was found to be in a mean.

    Attributes:
      members: int [named], candidates, heaviest first.
      weights: [candidates], at least 0; those of a mean over n members are 1/n for a member and 0 otherwise.
      residual: norm of what the candidates leave unexplained over the norm of the observation.
      tolerance: the residual below which the observation can be a mean of candidates.
    """

    members: np.ndarray
    weights: np.ndarray
    residual: float
    tolerance: float

    @property
    def inside(self) -> bool:
        """Whether the members are among the candidates, so that the names can be believed."""
        return self.residual <= self.tolerance


def name_members(
    terms: np.ndarray,
    observed: np.ndarray,
    *,
    members: int,
    seed: int,
    released: Callable[[np.ndarray], np.ndarray] | None = None,
    shown: np.ndarray | None = None,
    simulations: int = 2,
    pieces: int | None = None,
) -> Named:
    """Names the candidates that a mean was taken over, by non-negative least squares.

    Args:
      terms: [candidates, equations], what each candidate would contribute.
      observed: [equations].
      members: how many there are in the mean; a service often says so, and a wrong number only moves the cut.
      seed: of the simulated means that the tolerance is set on.
      released: what a mean [equations] is put through before it is shown, as far as the attacker knows it: rounding,
        say. None: nothing.
      shown: bool [equations], which of them say anything; None: all.
      simulations: how many means of random candidates set the tolerance.
      pieces: into how many parts of one length the equations fall of which each was shown in a unit of its own, as
        maps that are brought to one norm are; None: all in the unit of the terms.

    Returns:
      `Named`.

    Raises:
      UsageError: fewer than two candidates, no member, or no equation that says anything.
    """
    terms, observed = np.asarray(terms, np.float64), np.asarray(observed, np.float64)
    if len(terms) < 2:
        raise fail("candidates", len(terms), "must be at least 2, or there is nobody to tell apart")
    at_least("members", members, 1)
    kept = np.isfinite(observed) & np.isfinite(terms).all(axis=0)
    kept &= True if shown is None else shown
    if not kept.any():
        raise fail("observed", len(observed), "holds no number that was shown")
    piece = None if pieces is None else np.repeat(np.arange(pieces), len(observed) // pieces)[kept]
    scale = np.abs(observed[kept]).max() or 1.0
    used, seen = terms[:, kept] / scale, observed[kept] / scale
    solve = _Solver(used, piece)
    weights, residual = solve(seen)
    generator = np.random.default_rng(seed)
    simulated = []
    for _ in range(simulations):
        rows = generator.choice(len(terms), min(members, len(terms)), replace=False)
        mean = terms[rows].mean(axis=0)
        mean = (mean if released is None else released(mean))[kept] / scale
        simulated.append(solve(mean)[1])
    order = np.argsort(-weights, kind="stable")[:members]
    named = order[weights[order] > 0]
    return Named(named, weights, residual, _SLACK * max(simulated, default=0.0) + 1e-6)


class _Solver:
    """Non-negative least squares for many observations of the same terms [candidates, equations]."""

    def __init__(self, terms: np.ndarray, piece: np.ndarray | None) -> None:
        self._terms, self._piece = terms, piece
        # Of more equations than candidates as many orthogonal ones say all.
        self._axes, self._small = np.linalg.qr(terms.T)

    def __call__(self, observed: np.ndarray) -> tuple[np.ndarray, float]:
        """The weights, and the relative residual; where pieces have units of their own, found in turn with these."""
        if self._piece is None:
            return self._once(observed)
        own = np.maximum(np.bincount(self._piece, observed**2), 1e-30)
        fitted = self._terms.mean(axis=0)
        for _ in range(_ROUNDS):
            units = np.bincount(self._piece, fitted * observed) / own
            weights, residual = self._once(np.maximum(units, 0)[self._piece] * observed)
            # Of weights and units one scale is free.
            weights = weights / max(float(weights.sum()), 1e-30)
            fitted = self._terms.T @ weights
        return weights, residual

    def _once(self, observed: np.ndarray) -> tuple[np.ndarray, float]:
        weights, _ = nnls(self._small, self._axes.T @ observed, maxiter=30 * len(self._terms))
        left = float(np.linalg.norm(self._terms.T @ weights - observed))
        return weights, left / max(float(np.linalg.norm(observed)), 1e-30)
