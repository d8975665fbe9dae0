"""Likelihood ratios of discrete answers: labels, rounded confidences, classes among the top ones, sign maps.

A Gaussian does not fit an answer that takes few values, and overstates what lies beyond it. Here the answer of a model
is a code; what in- and out-models answer at a point are counts, smoothed by a Dirichlet prior whose mean comes from all
points: how often members and non-members give an answer of this *kind* (say, right with confidence 0.9).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.attack.roles import Pairs
from leakjax.attack.statistics import weights

# Prior counts; the weights of the ratios that they give are learned.
STRENGTHS = (0.5, 2.0, 8.0)


class Counts(NamedTuple):
    """What is known of the answers of scored models; each [pairs] at one point.

    `same_in`, `same_out`: how many in- and out-models of known membership answer the same; `count_in`, `count_out`: how
    many there are; `kind`: of the answer, int.
    """

    same_in: Any
    same_out: Any
    count_in: Any
    count_out: Any
    kind: Any


def counts(codes: jax.Array, kinds: jax.Array, membership: jax.Array, pairs: Pairs) -> Counts:
    """Counts the answers of one point.

    Args:
      codes: int [models], answers; equal numbers are equal answers.
      kinds: int [models], the kind of each answer, 0 and up; a function of the code.
      membership: bool [models].
      pairs: who is scored.

    Returns:
      `Counts`.
    """
    of_in, of_out = weights(membership, pairs.known)
    same = (codes[:, None] == codes[None]).astype(jnp.float32)
    return Counts(
        (of_in @ same)[pairs.of, pairs.scored],
        (of_out @ same)[pairs.of, pairs.scored],
        of_in.sum(axis=1)[pairs.of],
        of_out.sum(axis=1)[pairs.of],
        kinds[pairs.scored],
    )


def kind_rates(kinds: np.ndarray, membership: np.ndarray, known: np.ndarray, most: int) -> np.ndarray:
    """How often members and non-members give an answer of each kind, over all points.

    Args:
      kinds: int [models, points].
      membership: bool [models, points].
      known: bool [models], whose membership may be used.
      most: how many kinds there are.

    Returns:
      [2, kinds], non-members first; no rate is 0.
    """
    rates = np.empty((2, most))
    for inside in (0, 1):
        chosen = kinds[known][membership[known] == bool(inside)]
        seen = np.bincount(chosen, minlength=most) + 0.5
        rates[inside] = seen / seen.sum()
    return rates


def log_ratios(found: Counts, rates: np.ndarray, codes_of_kind: np.ndarray) -> np.ndarray:
    """Log-likelihood ratios "member over non-member" of discrete answers.

    Args:
      found: each [pairs, points].
      rates: from `kind_rates`.
      codes_of_kind: [kinds], how many codes share a kind, among which its rate is divided.

    Returns:
      [pairs, 1 + strengths, points]: of the kind alone, then of the code with each of the prior's strengths.
    """
    outside, inside = (rate / codes_of_kind for rate in rates)
    kind = np.asarray(found.kind)
    prior_in, prior_out = inside[kind], outside[kind]
    ratios = [np.log(prior_in / prior_out)]
    for strength in STRENGTHS:
        of_in = (np.asarray(found.same_in) + strength * prior_in) / (np.asarray(found.count_in) + strength)
        of_out = (np.asarray(found.same_out) + strength * prior_out) / (
            np.asarray(found.count_out) + strength
        )
        ratios.append(np.log(of_in / of_out))
    return np.stack(ratios, axis=1).astype(np.float32)
