"""Attacks that compare the target's probability of the true class with that of reference models at the same point.

They differ in what they call usual there: a mean probability (RMIA, BASE), a mean loss (calibrated difference), or the
whole distribution of the out-models (Attack-R).
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _validate
from leakjax.attack.reading import log_probability, named_class, reader
from leakjax.attack.registry import Attack, Least, Lesson, registered
from leakjax.attack.replies import Replies
from leakjax.attack.statistics import weights


def _log_mean(logs: jax.Array, weight: jax.Array) -> jax.Array:
    """log of the weighted mean of exp(logs [models]) with weights [pairs, models]; missing ones do not count."""
    there = jnp.isfinite(logs)
    highest = jnp.max(jnp.where(there, logs, -jnp.inf))
    highest = jnp.where(jnp.isfinite(highest), highest, 0.0)
    shares = jnp.where(there, jnp.exp(logs - highest), 0.0)
    count = weight @ there.astype(logs.dtype)
    return jnp.log(weight @ shares / jnp.maximum(count, 1)) + highest


def _log_true(seen: Replies) -> jax.Array:
    return log_probability(seen.log_probabilities, named_class(seen))


_NEEDS = ("log_probabilities",)


@registered
def rmia(*, online: bool = True, gamma: float = 2.0, a: float = 0.3) -> Attack:
    """RMIA: the share of other points z over which the point x dominates, (p(x) / P(x)) / (p(z) / P(z)) >= gamma.

    p is the target's probability of the true class and P its mean over reference models; z are points of the same
    target whose membership the attacker does not know.

    Args:
      online: P is the mean of the in- and of the out-models' means (equation 9); if not, ((1 + a) P_out + 1 - a) / 2
        stands for it (equation 10).
      gamma: how much x must dominate.
      a: how probable members are beside non-members, for the offline attack.

    Source: Zarifzadeh, Liu & Shokri, "Low-Cost High-Power Membership Inference Attacks" (ICML 2024, arXiv 2312.03262),
    equations 3 to 5 and appendix B.2.2.
    """
    _validate.positive("gamma", gamma)

    def reduce(seen: Replies, membership: jax.Array, known: jax.Array, scored: jax.Array) -> Any:
        logs = _log_true(seen)
        of_in, of_out = weights(membership, known)
        mean_out = _log_mean(logs, of_out)
        if online:
            usual = jnp.logaddexp(_log_mean(logs, of_in), mean_out) - jnp.log(2.0)
        else:
            usual = jnp.log(((1 + a) * jnp.exp(mean_out) + (1 - a)) / 2)
        return logs[scored] - usual

    def fit(lesson: Lesson) -> list[np.ndarray]:
        population = np.asarray(lesson.targets, np.float64)
        return [np.sort(column[np.isfinite(column)]) for column in population.T]

    def score(fitted: list[np.ndarray], reduced: Any) -> np.ndarray:
        ratios = np.asarray(reduced, np.float64)
        columns = [
            np.searchsorted(others, column - np.log(gamma), side="right") / max(1, len(others))
            for others, column in zip(fitted, ratios.T, strict=True)
        ]
        return np.where(np.isfinite(ratios), np.stack(columns, axis=1), np.nan)

    least = Least(1, 1) if online else Least(0, 1)
    return Attack("rmia", ("prediction",), reduce, fit, score, needs=_NEEDS, least=least, population=True)


@registered
def base(*, online: bool = True, scale: float = 1.0) -> Attack:
    """BASE: log p(x) of the target less the log of the mean of p(x) over reference models.

    Args:
      online: whether the mean is over all reference models; if not, over those that were not trained on x.
      scale: of that threshold, for the offline attack.

    Source: Lassila, Östman, Ngo & Graell i Amat, "Practical Bayes-Optimal Membership Inference Attacks" (arXiv
    2505.24089), equation 8 and its offline form.
    """

    def reduce(seen: Replies, membership: jax.Array, known: jax.Array, scored: jax.Array) -> Any:
        logs = _log_true(seen)
        of_in, of_out = weights(membership, known)
        usual = _log_mean(logs, of_in + of_out) if online else scale * _log_mean(logs, of_out)
        return logs[scored] - usual

    return Attack(
        "base",
        ("prediction",),
        reduce,
        needs=_NEEDS,
        least=Least() if online else Least(0, 1),
    )


@registered
def difference(*, signal: str = "loss") -> Attack:
    """Calibrated difference: the signal of the target less its mean over the models not trained on the point.

    Source: Watson, Guo, Cormode & Sablayrolles, "On the Importance of Difficulty Calibration in Membership Inference
    Attacks" (ICLR 2022, arXiv 2111.08440), equation 6.

    Args:
      signal: a name that `reading.reader` knows; its sign is that of `threshold`.
    """
    read = reader(signal)

    def reduce(seen: Replies, membership: jax.Array, known: jax.Array, scored: jax.Array) -> Any:
        signals = read.sign * read.read(seen)
        there = jnp.isfinite(signals)
        # Around a value that all models share, so that the mean of large numbers keeps its digits.
        centre = jnp.nanmedian(jnp.where(there, signals, jnp.nan))
        around = jnp.where(there, signals - centre, 0.0)
        _, of_out = weights(membership, known)
        usual = of_out @ around / jnp.maximum(of_out @ there.astype(around.dtype), 1)
        return jnp.where(there, around, jnp.nan)[scored] - usual

    return Attack("difference", (read.view,), reduce, needs=read.needs, least=Least(0, 1))


@registered
def attack_r(*, signal: str = "loss") -> Attack:
    """Attack-R: the share of out-models whose signal is less like a member's than the target's; ties count by half.

    Source: Ye, Maddi, Murakonda, Bindschaedler & Shokri, "Enhanced Membership Inference Attacks against Machine
    Learning Models" (CCS 2022, arXiv 2111.09679), section 4.3.

    Args:
      signal: a name that `reading.reader` knows; its sign is that of `threshold`.
    """
    read = reader(signal)

    def reduce(seen: Replies, membership: jax.Array, known: jax.Array, scored: jax.Array) -> Any:
        signals = read.sign * read.read(seen)
        there = jnp.isfinite(signals)
        _, of_out = weights(membership, known)
        of_out = of_out * there.astype(of_out.dtype)[None]
        answer = signals[scored][:, None]
        below = (signals[None] < answer) + 0.5 * (signals[None] == answer)
        share = jnp.sum(of_out * below, axis=1) / jnp.maximum(of_out.sum(axis=1), 1)
        return jnp.where(there[scored], share, jnp.nan)

    return Attack("attack_r", (read.view,), reduce, needs=read.needs, least=Least(0, 1))
