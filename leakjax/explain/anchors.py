"""Anchors: a few segments that, held fast, keep the model's decision whatever the others are."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from leakjax._validate import at_least, fail
from leakjax.explain.coalitions import background_rows
from leakjax.explain.segments import segments_for
from leakjax.explain.types import LogitsFn, Variables, check_features, map_chunked


class Anchor(NamedTuple):
    """A rule: while these segments are as in the example, the model decides for the target.

    Attributes:
      held: Which segments the rule holds, boolean [segments].
      precision: Share of the draws, other segments taken from background rows, that the model gives the
        target.
      coverage: Share of background rows that are in the example's quarter of the background's range of values
        in every feature that the rule holds.
      found: Whether precision is at least the threshold with the confidence asked for; else the best rule
        tried.
    """

    held: jax.Array
    precision: jax.Array
    coverage: jax.Array
    found: jax.Array


def anchors(
    logits_fn: LogitsFn,
    *,
    background: Any,
    threshold: float = 0.95,
    confidence: float = 0.95,
    most: int = 4,
    beam: int = 2,
    samples: int = 100,
    chunk: int = 64,
) -> Callable[..., Anchor]:
    """The shortest rule that a beam search finds, and among those as short the one of the greatest coverage.

    Each rule gets the same number of draws, where the paper's bandit spends more on those in doubt.

    Args:
      logits_fn: Logits [classes] of one example.
      background: Examples [rows, ...] that segments outside the rule are drawn from, a row each draw.
      threshold: Precision that a rule must reach.
      confidence: With which its lower bound (Chernoff) must reach it.
      most: Segments that a rule may hold.
      beam: Rules kept from each length to the next.
      samples: Draws for each rule.
      chunk: Rules tried at a time; memory is chunk x samples x what one run needs.

    Returns:
      `explainer(variables, x, target, *, key, segments=None) -> Anchor`, `most x beam x segments x samples`
      runs of the model.

    Raises:
      UsageError: On counts below 1, or a threshold or confidence outside (0, 1).

    Source: Ribeiro, Singh, Guestrin 2018, "Anchors: High-Precision Model-Agnostic Explanations", sections 2
      and 3.
    """
    for name, value in (("most", most), ("beam", beam), ("samples", samples)):
        at_least(name, value, 1)
    for name, share in (("threshold", threshold), ("confidence", confidence)):
        if not 0 < share < 1:
            raise fail(name, share, "must be between 0 and 1")

    def explainer(
        variables: Variables, x: jax.Array, target: Any, *, key: jax.Array, segments: Any = None
    ) -> Anchor:
        check_features("x", x)
        x = jnp.asarray(x)
        found, rows = segments_for(x, segments), background_rows(background, x)
        players = found.count
        drawn = rows[jax.random.randint(key, (samples,), 0, rows.shape[0])]
        inside = _in_quarter(rows, x)

        def judge(held: jax.Array) -> tuple[jax.Array, jax.Array]:
            fast = held[found.map]
            decided = jax.vmap(lambda row: jnp.argmax(logits_fn(variables, jnp.where(fast, x, row))))(drawn)
            covered = jnp.all((inside | ~fast[None]).reshape(rows.shape[0], -1), axis=1)
            return (decided == target).mean(dtype=x.dtype), covered.mean(dtype=x.dtype)

        def sure(precision: jax.Array) -> jax.Array:
            # The Chernoff bound: with this confidence the draws would not come from a precision below the
            # threshold.
            enough = samples * _divergence(precision, threshold) >= -math.log(1 - confidence)
            return (precision >= threshold) & enough

        kept = jnp.zeros((beam, players), bool)
        best = Anchor(kept[0], *judge(kept[0]), jnp.zeros((), bool))
        best = best._replace(found=sure(best.precision))
        for _ in range(min(most, players)):
            tried = (kept[:, None] | jnp.eye(players, dtype=bool)[None]).reshape(-1, players)
            grown = (tried.sum(1) > kept[0].sum()) & _first_of_equals(tried)
            precision, coverage = map_chunked(judge, tried, chunk)
            reached = grown & sure(precision)
            # Rules that reach the threshold come first, by coverage; the others follow by precision.
            score = jnp.where(reached, 1 + coverage, jnp.where(grown, precision / 2, -1))
            order = jnp.argsort(-score)[:beam]
            top = order[0]
            new = Anchor(tried[top], precision[top], coverage[top], reached[top])
            better = ~best.found & (new.found | (new.precision > best.precision))
            best = jax.tree.map(lambda old, new, better=better: jnp.where(better, new, old), best, new)
            kept = jnp.where((score[order] >= 0)[:, None], tried[order], tried[top][None])
        return best

    return explainer


def _divergence(share: jax.Array, threshold: float) -> jax.Array:
    """Kullback-Leibler divergence of Bernoulli distributions."""
    return jax.scipy.special.rel_entr(share, threshold) + jax.scipy.special.rel_entr(1 - share, 1 - threshold)


def _first_of_equals(rules: jax.Array) -> jax.Array:
    """Whether no rule before it is the same, boolean [rules]."""
    same = jnp.all(rules[:, None] == rules[None], axis=-1)
    return ~jnp.any(jnp.tril(same, -1), axis=1)


def _in_quarter(rows: jax.Array, x: jax.Array) -> jax.Array:
    """Whether each feature of each row lies in the same quarter of the rows' range, by quantiles, as x's."""
    edges = jnp.quantile(rows, jnp.asarray([0.25, 0.5, 0.75], rows.dtype), axis=0)
    return (edges[:, None] <= rows[None]).sum(0) == (edges <= x[None]).sum(0)[None]
