"""Re-identification: whose answer is it? A released answer is compared with those to every candidate.

The attacker puts each candidate to the service and sees how its answer comes out *through the same guard*, so that
rounding, signs and segments change both sides alike.
"""

from typing import NamedTuple

import numpy as np

from leakjax._validate import fail
from leakjax.oracle import Answer, Oracle

KNOWS = "the released answer, candidates among whom its subject is, and answers to them"
VIEWS = ("prediction", "explanation", "both")
# Candidates that are asked once more, to see how noisy answers are; and differences that are rounding alone, relative
# to those between candidates.
_AGAIN, _ROUNDING = 32, 1e-4


class Matched(NamedTuple):
    """How the candidates were ranked.

    Attributes:
      distance: of each view of `VIEWS`, [released, candidates]; infinite where a candidate was not answered.
      asked: candidates that were answered.
      note: what kept the attack from going on, "" if nothing did.
    """

    distance: dict[str, np.ndarray]
    asked: int
    note: str


def reidentify(
    oracle: Oracle[Answer], released: Answer, candidates: np.ndarray, *, repeats: int = 1, account: int = 1
) -> Matched:
    """Ranks candidates as the subjects of released answers.

    Args:
      oracle: of the same service and release.
      released: the answers [released] whose subjects are sought.
      candidates: [candidates, ...].
      repeats: how often each candidate is asked, for services whose answers are noisy: the mean map is compared.
      account: whose queries they are.

    Returns:
      `Matched`.

    Raises:
      UsageError: fewer than two candidates.
    """
    if len(candidates) < 2:
        raise fail("candidates", len(candidates), "must be at least 2, or there is nobody to tell apart")
    answers = [oracle.ask(candidates, account=account) for _ in range(repeats)]
    answered = np.logical_or.reduce([answer.answered for answer in answers])
    own = [_maps(answer) for answer in answers]
    with np.errstate(invalid="ignore"):
        counts = np.sum([np.isfinite(maps) for maps in own], axis=0)
        mean = np.nansum(own, axis=0) / np.where(counts, counts, np.nan)
    prediction = _prediction_distance(released, answers[0])
    explanation = _map_distance(_maps(released), mean)
    again = oracle.ask(candidates[:_AGAIN], account=account)
    same = np.arange(len(again.action))
    twice = (
        _prediction_distance(again, answers[0])[same, same],
        _map_distance(_maps(again), own[0])[same, same],
    )
    both = weighed(prediction, twice[0]) + weighed(explanation, twice[1])
    distance = {"prediction": prediction, "explanation": explanation, "both": both}
    for each in distance.values():
        each[:, ~answered] = np.inf
    note = "" if answered.all() else f"{np.sum(~answered)} of {len(candidates)} candidates were not answered"
    return Matched(distance, int(answered.sum()), note)


def hits(distance: np.ndarray, subjects: np.ndarray, *, top: int = 1) -> np.ndarray:
    """The chance that a subject is among the nearest candidates, ties broken at random.

    Args:
      distance: [released, candidates].
      subjects: int [released], the candidate that each answer is about.
      top: how many are named.

    Returns:
      [released], 0 to 1.
    """
    own = np.take_along_axis(distance, np.asarray(subjects)[:, None], axis=1)
    nearer, tied = (distance < own).sum(axis=1), (distance == own).sum(axis=1)
    chance = np.clip((top - nearer) / tied, 0.0, 1.0)
    return np.where(np.isfinite(own[:, 0]), chance, 0.0)


def _maps(answer: Answer) -> np.ndarray:
    """All maps of an answer side by side, [queries, features]; without any, [queries, 0]."""
    count = len(answer.action)
    parts = [np.asarray(maps, np.float64).reshape(count, -1) for maps in answer.explanations]
    return np.concatenate([np.zeros((count, 0)), *parts], axis=1)


def _prediction_distance(released: Answer, asked: Answer) -> np.ndarray:
    """[released, candidates]: other classes are farther than any difference of numbers."""
    left, right = released.prediction, asked.prediction
    classes = (left.classes[:, None] != right.classes[None]).sum(axis=2)
    # Of a whole vector the probabilities are compared: their logarithms weigh what is next to impossible.
    spread = [np.asarray(p.probabilities, np.float64) for p in (left, right)]
    one, other = (np.exp(p) if p.shape[1] > 1 and (p <= 0).all() else p for p in spread)
    numbers = np.sqrt(((one[:, None] - other[None]) ** 2).sum(axis=2)) if one.shape[1] else 0.0
    return np.nan_to_num(10.0 * classes + numbers, nan=np.inf)


def _map_distance(released: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """[released, candidates]: the Euclidean distance of maps; equal for all where one is withheld."""
    one, other = np.nan_to_num(released), np.nan_to_num(asked)
    # A map that is withheld is like every other that is.
    withheld = np.isnan(released).any(axis=1)[:, None] != np.isnan(asked).any(axis=1)[None]
    squared = (
        ((one[:, None] - other[None]) ** 2).sum(axis=2) if one.shape[1] else np.zeros((len(one), len(other)))
    )
    return np.sqrt(squared) + np.where(withheld, 1e6, 0.0)


def weighed(distance: np.ndarray, twice: np.ndarray) -> np.ndarray:
    """Squared distances in units of how far two answers to the same candidate are apart, so that views can be added.

    Args:
      distance: any shape.
      twice: how far two answers to one question are apart, any number of them.

    Returns:
      The shape of `distance`.
    """
    finite = distance[np.isfinite(distance)]
    least = _ROUNDING * (np.median(finite) if finite.size else 1.0) + 1e-12
    noise = np.mean(np.minimum(twice, 1e6) ** 2)
    return distance**2 / (noise + least**2)
