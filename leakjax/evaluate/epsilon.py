"""Lower bounds on epsilon, the privacy parameter that a training procedure cannot have met if an attack does so well.

Over many models the guesses about one point are independent, and Clopper-Pearson intervals of both error rates bound
epsilon; thresholds and points are chosen on one half of the models and the bound holds for the other. Over the points
of one model the guesses are not independent, and the bound is that of one training run.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import special, stats

from leakjax import _validate

_HALVINGS = 60
_MOST = 64.0  # no finite number of guesses shows more


class Bound(NamedTuple):
    """A lower bound on epsilon and what it rests on.

    Attributes:
      epsilon: of differential privacy at the given delta and confidence; 0 where nothing is shown.
      point: which point was guessed about; -1 where many were.
      guesses: how many guesses the bound rests on.
    """

    epsilon: float
    point: int
    guesses: int


def from_errors(
    false_positives: int,
    nonmembers: int,
    false_negatives: int,
    members: int,
    *,
    delta: float,
    confidence: float,
) -> float:
    """Epsilon from counts of independent guesses by a rule that was fixed beforehand.

    Args:
      false_positives: non-members that were called members.
      nonmembers: of how many.
      false_negatives: members that were called non-members.
      members: of how many.
      delta: of differential privacy.
      confidence: of both intervals together.

    Returns:
      max(log((1 - delta - fnr) / fpr), log((1 - delta - fpr) / fnr), 0) at the upper ends of both rates.

    Source: Kairouz, Oh & Viswanath (ICML 2015), theorem 2.1; Jagielski, Ullman & Oprea, "Auditing Differentially
    Private Machine Learning" (NeurIPS 2020), algorithm 1.
    """
    _check(delta, confidence)
    tail = (1 - confidence) / 2
    fpr, fnr = _upper(false_positives, nonmembers, tail), _upper(false_negatives, members, tail)
    found = [0.0]
    for caught, alarms in ((1 - delta - fnr, fpr), (1 - delta - fpr, fnr)):
        if caught > 0:
            found.append(math.log(caught / alarms))
    return max(found)


def over_models(
    scores: np.ndarray,
    membership: np.ndarray,
    valid: np.ndarray,
    *,
    delta: float = 0.0,
    confidence: float = 0.95,
) -> Bound:
    """Epsilon from many models, for the point that looks worst on one half of them.

    Args:
      scores: [models, points], higher = member.
      membership: bool [models, points].
      valid: bool [models, points]; the others do not count.
      delta: of differential privacy, with respect to adding or removing one point.
      confidence: that epsilon is at least so large.

    Returns:
      `Bound`: point and threshold are chosen on the models at even places, the bound is of those at odd places.

    Raises:
      UsageError: shapes that disagree, a delta or a confidence out of range.
    """
    _check(delta, confidence)
    _validate.same_shape("scores", scores.shape, membership.shape, "membership")
    most, point, threshold = -math.inf, 0, math.inf
    for candidate in range(scores.shape[1]):
        use = valid[::2, candidate]
        values, inside = scores[::2, candidate][use], membership[::2, candidate][use]
        if inside.any() and not inside.all():
            promised, best = _promise(values, inside, delta)
            if promised > most:
                most, point, threshold = promised, candidate, best
    use = valid[1::2, point]
    called, inside = scores[1::2, point][use] >= threshold, membership[1::2, point][use]
    counts = (
        int((called & ~inside).sum()),
        int((~inside).sum()),
        int((~called & inside).sum()),
        int(inside.sum()),
    )
    return Bound(from_errors(*counts, delta=delta, confidence=confidence), point, len(inside))


def one_run(
    correct: int, guesses: int, points: int, *, delta: float = 0.0, confidence: float = 0.95
) -> float:
    """Epsilon from the points of one model, each a member by a fair coin of its own.

    Args:
      correct: guesses that were right.
      guesses: how many points were guessed about; how many was decided beforehand.
      points: how many coins were tossed, guessed about or not.
      delta: of differential privacy.
      confidence: that epsilon is at least so large.

    Returns:
      The largest epsilon under which so many right guesses are less likely than 1 - confidence; 0 where none is.

    Raises:
      UsageError: counts that are no counts.

    Source: Steinke, Nasr & Jagielski, "Privacy Auditing with One (1) Training Run" (NeurIPS 2023, arXiv 2305.08846),
    theorem 5.2 and appendix D.
    """
    _check(delta, confidence)
    if not 0 <= correct <= guesses <= points:
        raise _validate.fail(
            "guesses", guesses, f"must lie between the {correct} right ones and {points} points"
        )

    def chance(epsilon: float) -> float:
        right = 1 / (1 + math.exp(-epsilon))
        # That a binomial of `guesses` trials is at least `correct`; `stats.binom.sf` takes fifty times as long.
        surely = special.betainc(correct, guesses - correct + 1, right) if correct else 1.0
        if delta == 0 or correct == 0:
            return float(surely)
        counts = np.arange(1, correct + 1)
        nearly = np.cumsum(stats.binom.pmf(correct - counts, guesses, right))
        return float(min(1.0, surely + 2 * points * delta * np.max(nearly / counts)))

    low, high = 0.0, _MOST
    if guesses == 0 or chance(low) >= 1 - confidence:
        return 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if chance(middle) < 1 - confidence else (low, middle)
    return low


def of_points(
    scores: np.ndarray,
    membership: np.ndarray,
    valid: np.ndarray,
    guesses: int,
    *,
    delta: float = 0.0,
    confidence: float = 0.95,
) -> Bound:
    """`one_run` of the scores of one model: the highest are called members, as many of the lowest non-members.

    Args:
      scores: [points], higher = member.
      membership: bool [points].
      valid: bool [points]; the others are not guessed about.
      guesses: about how many points, half of them on either side; decided beforehand or on other models.
      delta: of differential privacy.
      confidence: that epsilon is at least so large.
    """
    order = np.flatnonzero(valid)[np.argsort(-scores[valid], kind="stable")]
    half = min(guesses, len(order)) // 2
    right = membership[order[:half]].sum() + (~membership[order[len(order) - half :]]).sum()
    found = one_run(int(right), 2 * half, len(scores), delta=delta, confidence=confidence)
    return Bound(found, -1, 2 * half)


def _promise(values: np.ndarray, inside: np.ndarray, delta: float) -> tuple[float, float]:
    """What epsilon the best threshold promises, with half a count added to each error, and that threshold."""
    thresholds = np.unique(values)[:, None]
    called = values[None] >= thresholds
    fpr = ((called & ~inside[None]).sum(axis=1) + 0.5) / ((~inside).sum() + 1)
    fnr = ((~called & inside[None]).sum(axis=1) + 0.5) / (inside.sum() + 1)
    ratios = np.maximum((1 - delta - fnr) / fpr, (1 - delta - fpr) / fnr)
    place = int(np.argmax(ratios))
    return float(ratios[place]), float(thresholds[place, 0])


def _upper(count: int, of: int, tail: float) -> float:
    """The upper end of the one-sided Clopper-Pearson interval of a rate."""
    return 1.0 if count >= of else float(stats.beta.ppf(1 - tail, count + 1, of - count))


def _check(delta: float, confidence: float) -> None:
    if not 0 <= delta < 1:
        raise _validate.fail("delta", delta, "must be at least 0 and below 1")
    if not 0 < confidence < 1:
        raise _validate.fail("confidence", confidence, "must lie between 0 and 1")
