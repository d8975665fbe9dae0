"""Anchors: a few segments that, held fast, keep the model's decision whatever the others are."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax._validate import a_count, at_least, fail, is_concrete
from leakjax.explain.examples.bandit import explore
from leakjax.explain.masking.coalitions import background_rows
from leakjax.explain.registry import registered
from leakjax.explain.segments import Segments, segments_for
from leakjax.explain.types import ExampleExplainer, LogitsFn, Variables, checked, map_chunked

FEW = 10  # values of a feature that are told apart one by one
HEAVY = 0.1  # share of the rows from which a value is a bin of its own


class Anchor(NamedTuple):
    """A rule: while these segments are like the example's, the model decides for the target.

    A feature is like the example's where it has the same value, if the background has few values of it, and else
    where it is in the same quarter of the background's rows; a value that many rows share is a part of its own.

    Attributes:
      held: Which segments the rule holds, boolean [segments].
      precision: Share of the draws that the model gives the target: background rows that take the example's values
        in the segments that the rule holds and that are not like the example's there.
      coverage: Share of background rows that are like the example in every feature that the rule holds.
      found: Whether, with the confidence asked for, the precision over all background rows is at least the
        threshold; else this is the most precise rule tried.
      runs: Runs of the model that the search took, int32.
    """

    held: jax.Array
    precision: jax.Array
    coverage: jax.Array
    found: jax.Array
    runs: jax.Array


def _rules(shape: tuple[int, ...], players: int, *, most: int, beam: int, samples: int, **_: Any) -> int:
    grown = sum((beam if held else 1) * (players - held) for held in range(min(most, players)))
    return samples * (1 + grown)


@registered("example", runs=_rules, stochastic=True, masks=True, needs_background=True)
def anchors(
    logits_fn: LogitsFn,
    *,
    background: Any,
    threshold: Any = 0.95,
    confidence: Any = 0.95,
    tolerance: Any = 0.1,
    most: int = 4,
    beam: int = 2,
    samples: int = 200,
    batch: int = 16,
    chunk: int = 64,
) -> ExampleExplainer[Anchor]:
    """The rule of the greatest coverage among those that a beam search finds precise.

    At each length a bandit tells the `beam` most precise rules from the other candidates and then whether
    each is precise enough; these grow by one segment, and a longer rule is tried only while it covers more
    than the best one found. The background is the whole world of a rule: its rows are drawn without
    replacement, and a rule that has seen them all is known exactly.

    A row that the model gives logits that are not finite is not decided for the target. Where a target
    outside the classes or an example that is not finite is traced, nothing is tried, nothing is found, and
    precision and coverage are NaN. The options are those of the source, each with its default.

    Args:
      logits_fn: Logits [classes] of one example.
      background: Examples [rows, ...] that segments outside the rule are drawn from, a row each draw.
      threshold: Precision that a rule must reach.
      confidence: Probability that a rule which is said to reach it does, whatever the number of rules tried.
      tolerance: Precisions that are as good as equal when the rules of a length are told apart.
      most: Segments that a rule may hold.
      beam: Rules kept from each length to the next.
      samples: Most draws, as a mean over the candidates of a length; the bandit shares them out as doubt asks
        and leaves what it does not need.
      batch: Draws for each of two rules at a time, before the bandit looks again.
      chunk: Draws held at a time; memory is chunk x what one run needs.

    Returns:
      `explainer(variables, x, target, *, key, segments=None) -> Anchor`, at most `samples` runs of the model
      for each candidate: the empty rule, one rule a segment, and of each further length
      `beam x (segments it may add)`. In a vmap every example takes the time of the one longest in doubt.

    Raises:
      UsageError: On counts below 1, fewer samples than 2 x batch, a threshold, confidence or tolerance
        outside (0, 1), a background that is not finite, or a target outside the classes.

    Source: Ribeiro, Singh, Guestrin 2018, "Anchors: High-Precision Model-Agnostic Explanations", section 3,
      algorithms 1 and 2.
    """
    for name, count in (("most", most), ("beam", beam), ("batch", batch)):
        at_least(name, count, 1)
    a_count("samples", samples, 2 * batch)
    for name, share in (("threshold", threshold), ("confidence", confidence), ("tolerance", tolerance)):
        if is_concrete(share) and not 0 < share < 1:
            raise fail(name, share, "must be between 0 and 1")
    if is_concrete(background) and not np.all(np.isfinite(np.asarray(background))):
        raise fail("background", "non-finite", "must hold finite numbers alone")

    def explainer(
        variables: Variables, x: jax.Array, target: Any, *, key: jax.Array, segments: Any = None
    ) -> Anchor:
        x, target, sane = checked(logits_fn, variables, x, target)
        found = segments_for(x, segments)
        # Left to the compiler, the sort of a constant background is many times slower.
        with jax.ensure_compile_time_eval():
            rows = background_rows(background, x)
            bins = _bins_of(rows)
        players, population = found.count, rows.shape[0]
        inside = _alike(rows, bins, x, found)

        def decided(held: jax.Array, row: jax.Array, alike: jax.Array) -> jax.Array:
            logits = logits_fn(variables, jnp.where((held & ~alike)[found.map], x, row))
            return (jnp.argmax(logits) == target) & jnp.isfinite(jnp.max(logits))

        def covered(held: jax.Array) -> jax.Array:
            return jnp.all(inside | ~held[None], axis=1).mean(dtype=float)

        def search(state: _Search) -> _Search:
            order = jax.random.permutation(jax.random.fold_in(key, state.length), population)

            def draw(rules: jax.Array, numbers: jax.Array) -> jax.Array:
                drawn = (rules, order[numbers])
                return map_chunked(
                    lambda at: decided(state.tried[at[0]], rows[at[1]], inside[at[1]]), drawn, chunk
                )

            arms, runs = explore(
                draw,
                state.alive,
                top=beam,
                threshold=threshold,
                delta=(1 - confidence) / (1 + most),
                tolerance=tolerance,
                batch=batch,
                samples=samples,
                population=population,
            )
            leaders, runs = arms.leaders(beam), state.best.runs + runs
            precision, valid = arms.mean[leaders], arms.alive[leaders] & (arms.low[leaders] >= threshold)
            first = jnp.argmax(jnp.where(valid, 2 + state.coverage[leaders], precision))
            top = leaders[first]
            new = Anchor(state.tried[top], precision[first], state.coverage[top], valid[first], runs)
            # The first rule takes the place of none, whose precision is NaN.
            better = new.found | (~state.best.found & ~(new.precision <= state.best.precision))
            best = jax.tree.map(lambda new, old: jnp.where(better, new, old), new, state.best)

            length = state.length + 1
            tried = (state.tried[leaders][:, None] | jnp.eye(players, dtype=bool)[None]).reshape(-1, players)
            coverage = map_chunked(covered, tried, chunk)
            alive = jnp.repeat(arms.alive[leaders], players) & _first_of_length(tried, length)
            alive &= ~best.found | (coverage > best.coverage)
            return _Search(length, tried, alive, coverage, best._replace(runs=runs))

        candidates = beam * players
        unknown = jnp.full((), jnp.nan)
        nothing = Anchor(jnp.zeros(players, bool), unknown, unknown, jnp.zeros((), bool), jnp.int32(0))
        start = _Search(
            length=jnp.int32(0),
            tried=jnp.zeros((candidates, players), bool),
            alive=(jnp.arange(candidates) == 0) & sane,
            coverage=jnp.ones(candidates),
            best=nothing,
        )
        best = jax.lax.while_loop(lambda s: s.alive.any() & (s.length <= most), search, start).best
        return best._replace(precision=best.precision.astype(x.dtype), coverage=best.coverage.astype(x.dtype))

    return explainer


class _Search(NamedTuple):
    """Where the beam search stands: the rules of one length, and the best of the shorter ones."""

    length: jax.Array
    tried: jax.Array
    alive: jax.Array
    coverage: jax.Array
    best: Anchor


def _first_of_length(rules: jax.Array, length: jax.Array) -> jax.Array:
    """Whether a rule holds so many segments and no rule before it is the same, boolean [rules]."""
    held = rules.astype(jnp.float32)
    same = held @ held.T == length
    return (rules.sum(1) == length) & ~jnp.any(jnp.tril(same, -1), axis=1)


class _Bins(NamedTuple):
    """How the background tells values of a feature apart; each of an example's shape but for the edges' first axis.

    Attributes:
      edges: Quartiles, [3, ...].
      heavy: Edges that so many rows share that they are a bin of their own, boolean [3, ...].
      few: Whether each value is a bin, boolean.
    """

    edges: jax.Array
    heavy: jax.Array
    few: jax.Array

    def of(self, values: jax.Array) -> jax.Array:
        """The number of the bin of each of the values [rows, ...]."""
        above = (self.edges[:, None] <= values[None]).sum(0)
        return above + (self.heavy[:, None] & (self.edges[:, None] < values[None])).sum(0)


def _bins_of(rows: jax.Array) -> _Bins:
    edges = jnp.quantile(rows, jnp.asarray([0.25, 0.5, 0.75], rows.dtype), axis=0)
    heavy = (rows[None] == edges[:, None]).mean(1) >= HEAVY
    return _Bins(edges, heavy, 1 + (jnp.diff(jnp.sort(rows, 0), axis=0) > 0).sum(0) <= FEW)


def _alike(rows: jax.Array, bins: _Bins, x: jax.Array, segments: Segments) -> jax.Array:
    """Whether a row is like x all over a segment, [rows, segments]."""
    inside = jnp.where(bins.few[None], rows == x[None], bins.of(rows) == bins.of(x[None]))
    start = jnp.ones((rows.shape[0], segments.count), bool)
    return start.at[:, segments.map.reshape(-1)].min(inside.reshape(rows.shape[0], -1))
