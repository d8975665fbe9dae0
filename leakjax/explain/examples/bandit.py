"""Which few of many arms win most often, told in as few draws as the doubt needs: KL-LUCB."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import rel_entr

ALPHA = 1.1  # Power of the looks at an arm in the exploration rate; any above 1 serves.
LOOKS = ALPHA / (ALPHA - 1)  # No less than the sum of looks^-ALPHA: the bounds hold at all looks at once.


class Arms(NamedTuple):
    """What is known of each arm.

    Attributes:
      alive: Which arms take part, boolean [arms].
      wins: Draws that were won, int32 [arms].
      draws: Draws made, int32 [arms].
      low: Lower bound of each arm's share of wins, [arms].
      high: Upper bound, [arms].
    """

    alive: jax.Array
    wins: jax.Array
    draws: jax.Array
    low: jax.Array
    high: jax.Array

    @property
    def mean(self) -> jax.Array:
        """Share of the draws that were won, -1 for arms that take no part, [arms]."""
        return jnp.where(self.alive, self.wins / jnp.maximum(self.draws, 1), -1)

    def leaders(self, top: int) -> jax.Array:
        """The `top` arms of the highest mean, best first, those that take no part last, int32 [top]."""
        return jax.lax.top_k(self.mean, min(top, self.alive.shape[0]))[1]


def explore(
    draw: Callable[[jax.Array, jax.Array], jax.Array],
    alive: jax.Array,
    *,
    top: int,
    threshold: Any,
    delta: Any,
    tolerance: Any,
    batch: int,
    samples: int,
    population: int,
) -> tuple[Arms, jax.Array]:
    """Tells the `top` arms of the highest share of wins, then whether each of those reaches the threshold.

    Each round draws from two arms: first from those not yet drawn from; then, until their bounds overlap by
    no more than the tolerance, from the leader of the lowest lower bound and the follower of the highest
    upper bound; then from leaders whose bounds have the threshold between them, the least drawn first. An arm
    that is alone in doubt gets both parts. An arm's draws are without replacement, so that what is left of
    its population bounds its share too; the Chernoff bound holds all the more (Hoeffding 1963, section 6).

    Args:
      draw: `draw(arms, numbers) -> won`, each [2 x batch]: whether an arm wins its draw of that number, 0 to
        population - 1.
      alive: Which arms take part, boolean [arms].
      top: How many leaders are sought.
      threshold: Share of wins that a leader is judged by.
      delta: Probability that any arm's lower bound ever fails; the same for the upper bounds.
      tolerance: Shares that are as good as equal.
      batch: Draws from each of a round's two arms.
      samples: Most draws, as a mean over the arms that take part; those of `top` arms are kept back for the
        judgement of the leaders. At least 2 x batch.
      population: Draws that an arm has.

    Returns:
      The arms, and how many draws were asked for, int32: 2 x batch a round, some of them beyond an arm's
      population, and never more than samples x arms that take part.

    Source: KL-LUCB of Kaufmann, Kalyanakrishnan 2013, "Information Complexity in Bandit Subset Selection", as
      in Ribeiro, Singh, Guestrin 2018, "Anchors", algorithm 1; but the exploration rate counts the looks at
      each arm alone, which gives the same guarantee by a union over arms and looks.
    """
    count = alive.shape[0]
    rivals = alive.sum(dtype=jnp.int32)
    most, kept_back = samples * rivals, samples * jnp.minimum(top, rivals)

    def doubtful(arms: Arms, runs: jax.Array) -> jax.Array:
        """Which arms the next round may draw from, boolean [arms]."""
        leads = jnp.zeros(count, bool).at[arms.leaders(top)].set(True) & alive
        lows = jnp.where(leads, arms.low, jnp.inf)
        highs = jnp.where(alive & ~leads, arms.high, -jnp.inf)
        contested = jnp.zeros(count, bool).at[jnp.stack([lows.argmin(), highs.argmax()])].set(True)
        contest = (highs.max() - lows.min() > tolerance) & (runs + 2 * batch <= most - kept_back)
        unsettled = leads & (arms.low < threshold) & (arms.high >= threshold)
        fresh = alive & (arms.draws == 0)
        asked = jnp.where(fresh.any(), fresh, jnp.where(contest, contested, unsettled))
        return asked & (arms.draws < population)

    def go_on(state: tuple[Arms, jax.Array, jax.Array]) -> jax.Array:
        _, runs, asked = state
        return asked.any() & (runs + 2 * batch <= most)

    def play(state: tuple[Arms, jax.Array, jax.Array]) -> tuple[Arms, jax.Array, jax.Array]:
        arms, runs, asked = state
        # Those in doubt come first, the least drawn before the others.
        two = jax.lax.top_k(jnp.where(asked, -arms.draws, -population), min(2, count))[1]
        first, second = two[0], jnp.where(asked[two[-1]], two[-1], two[0])
        pair = jnp.stack([first, second])
        start = arms.draws[pair] + jnp.where(first == second, jnp.array([0, batch], jnp.int32), 0)
        numbers = (start[:, None] + jnp.arange(batch, dtype=jnp.int32)[None]).reshape(-1)
        who, there = jnp.repeat(pair, batch), numbers < population
        won = draw(who, jnp.minimum(numbers, population - 1)) & there
        arms = arms._replace(
            wins=arms.wins.at[who].add(won.astype(jnp.int32)),
            draws=arms.draws.at[who].add(there.astype(jnp.int32)),
        )
        wins, draws = arms.wins[pair], arms.draws[pair]
        looks = jnp.ceil(draws / batch)
        low, high = kl_bounds(wins / draws, jnp.log(LOOKS * rivals * looks**ALPHA / delta) / draws)
        # Compiled, a division by a constant is not rounded to the nearest share; `whole` is none, but equal.
        whole = jnp.maximum(draws, population)
        arms = arms._replace(
            low=arms.low.at[pair].set(jnp.maximum(low, wins / whole)),
            high=arms.high.at[pair].set(jnp.minimum(high, (wins + population - draws) / whole)),
        )
        runs = runs + 2 * batch
        return arms, runs, doubtful(arms, runs)

    none, zeros = jnp.zeros(count, jnp.int32), jnp.zeros(count)
    arms, runs = Arms(alive, none, none, zeros, zeros + 1), jnp.int32(0)
    arms, runs, _ = jax.lax.while_loop(go_on, play, (arms, runs, doubtful(arms, runs)))
    return arms, runs


def kl_bounds(mean: jax.Array, level: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The lowest and the highest share whose divergence from the mean is at most the level, by bisection.

    Args:
      mean: Observed shares, [arms].
      level: Largest Kullback-Leibler divergence of the Bernoulli distribution of the mean from that of the
        share, [arms].

    Returns:
      The bounds [arms], rounded outwards.
    """
    mean = jnp.stack([mean, mean])

    def halve(_: Any, ends: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        within, beyond = ends
        middle = (within + beyond) / 2
        divergence = rel_entr(mean, middle) + rel_entr(1 - mean, 1 - middle)
        near = divergence <= jnp.stack([level, level])
        return jnp.where(near, middle, within), jnp.where(near, beyond, middle)

    beyond = jnp.stack([jnp.zeros_like(level), jnp.ones_like(level)])
    low, high = jax.lax.fori_loop(0, jnp.finfo(mean.dtype).nmant + 2, halve, (mean, beyond))[1]
    return low, high
