"""Which training records reveal themselves: those in their own explanation, by group."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import jax
import numpy as np
from scipy import stats

from leakjax._validate import UsageError
from leakjax.influence.exact import Service
from leakjax.records.answer import Answer
from leakjax.records.oracle import offer
from leakjax.records.part import RecordPart


class Share(NamedTuple):
    """A share over repeated draws.

    Attributes:
      value: Hits over all, of the draws together.
      low: Lower end of its 95 % interval over draws.
      high: Upper end.
      points: How many points it is a share of, over all draws.
    """

    value: float
    low: float
    high: float
    points: int


def self_explanations(
    service: Service, released: RecordPart, *, key: jax.Array, loss: str = "probability"
) -> Answer:
    """What the service releases when each of its records is the query.

    Args:
      service: From serve.
      released: What an explanation releases.
      key: Of the service.
      loss: See influence.

    Returns:
      The answers about all records and their labels, in their order.
    """
    return offer(service, released, key=key, loss=loss, written=False).ask(
        service.model.x[:, :-1], service.model.y
    )


def self_revealing(explanation: Answer, k: int) -> np.ndarray:
    """Which records are among the first k of their own explanation: bool [records].

    Source: Shokri, Strobel and Zick, section 5 (k-self-revealing).
    """
    if k > explanation.records.shape[1]:
        raise UsageError(f"k={k}: the explanations hold only {explanation.records.shape[1]} records")
    return (explanation.records[:, :k] == np.arange(len(explanation.records))[:, None]).any(axis=1)


def share(hits: Iterable[np.ndarray]) -> Share:
    """The share of true values over draws, as a ratio with its interval over draws.

    Args:
      hits: One bool [points] per draw; draws may differ in size and may be empty.

    Returns:
      The share; its interval is Student's over draws (of one draw, or all alike, that of a binomial).
    """
    draws = [np.asarray(hit, bool) for hit in hits]
    positive, sizes = (np.array([f(hit) for hit in draws], float) for f in (np.sum, np.size))
    total = sizes.sum()
    if not total:
        return Share(np.nan, np.nan, np.nan, 0)
    value = float(positive.sum() / total)
    if len(draws) == 1 or value in (0.0, 1.0):
        interval = stats.binomtest(int(positive.sum()), int(total)).proportion_ci()
        return Share(value, interval.low, interval.high, int(total))
    misfit = positive - value * sizes
    error = np.sqrt(len(draws) / (len(draws) - 1) * (misfit**2).sum()) / total
    half = float(stats.t.ppf(0.975, len(draws) - 1) * error)
    return Share(value, max(0.0, value - half), min(1.0, value + half), int(total))


def shares_by_group(hits: list[np.ndarray], groups: list[np.ndarray]) -> Mapping[str, Share]:
    """The share of hits within each group, over draws.

    Args:
      hits: One bool [points] per draw.
      groups: One str [points] per draw, the group of each point.

    Returns:
      Group name to share, the largest group first.
    """
    names, counts = np.unique(np.concatenate(groups), return_counts=True)
    return {
        str(names[at]): share([hit[group == names[at]] for hit, group in zip(hits, groups, strict=True)])
        for at in np.argsort(-counts, kind="stable")
    }


def auc(trained: np.ndarray, others: np.ndarray) -> float:
    """The probability that a training record's score is above another point's, ties counted half."""
    return float(stats.mannwhitneyu(trained, others).statistic / (len(trained) * len(others)))
