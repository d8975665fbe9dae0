"""Attacks on the answers to further queries near a point: label-only augmentation, and perturbation trajectories."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.attack import logistic
from leakjax.attack.reading import log_odds, named_class
from leakjax.attack.registry import Attack, Least, Lesson, Protocol, registered
from leakjax.attack.replies import Replies
from leakjax.attack.statistics import statistics

_NEEDS = ("log_probabilities", "queries")


@registered
def augmentation(*, protocol: Protocol = "shadows") -> Attack:
    """Label-only: at which of the augmented queries the label is right, and at how many.

    Source: Choquette-Choo, Tramèr, Carlini & Papernot, "Label-Only Membership Inference Attacks" (ICML 2021, arXiv
    2007.14321), section 4.1; a logistic regression on the answers takes the place of their shallow network.

    Args:
      protocol: see `Attack`.
    """

    def reduce(seen: Replies, membership: jax.Array, known: jax.Array, scored: jax.Array) -> jax.Array:
        every = jnp.concatenate([seen.log_probabilities[:, None], seen.queries], axis=1)[scored]
        truth = named_class(seen)[scored]
        right = (jnp.argmax(every, axis=-1) == truth[:, None]).astype(jnp.float32)
        right = jnp.where(jnp.isfinite(every).any(axis=-1), right, jnp.nan)
        return jnp.concatenate([right, right.mean(axis=1, keepdims=True)], axis=1)

    return Attack("augmentation", ("prediction",), reduce, _fit, _score, needs=_NEEDS, protocol=protocol)


@registered
def trajectories() -> Attack:
    """How the log-odds of the class fall while features are taken away, most and least important ones first.

    The queries are those of `queries.removals`. Each step of a trajectory is set against what in- and out-models
    say there, and a logistic regression weighs the steps.

    Source: Liu, Wu, Yu & Zhang, "Please Tell Me More: Privacy Impact of Explainability through the Lens of Membership
    Inference Attack" (S&P 2024), section 4; calibration per point is ours.
    """

    def reduce(seen: Replies, membership: jax.Array, known: jax.Array, scored: jax.Array) -> jax.Array:
        every = jnp.concatenate([seen.log_probabilities[:, None], seen.queries], axis=1)
        classes = jnp.broadcast_to(named_class(seen)[:, None], every.shape[:2])
        odds = log_odds(every, classes)
        found = statistics(odds, membership, known, scored)
        deviation = found.answer - (found.mean_in + found.mean_out) / 2
        told = jnp.concatenate([deviation * found.spread[None], odds[scored]], axis=1)
        # A trajectory that breaks off is no trajectory.
        return jnp.where(jnp.isfinite(odds[scored]).all(axis=1, keepdims=True), told, jnp.nan)

    return Attack("trajectories", ("both",), reduce, _fit, _score, needs=_NEEDS, least=Least(2, 2))


def _fit(lesson: Lesson) -> logistic.Logistic:
    features = np.moveaxis(np.asarray(lesson.reduced), 0, -1)  # samples of one model are left out together
    use = lesson.valid.T & np.isfinite(features).all(axis=1)
    return logistic.fit([np.nan_to_num(features)], lesson.member.T, use)


def _score(fitted: logistic.Logistic, reduced: Any) -> np.ndarray:
    return np.asarray(reduced, np.float64) @ fitted.weights + fitted.bias
