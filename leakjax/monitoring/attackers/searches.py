"""Attacks that search along lines between records: for the boundary of a class, and for hyperplanes of hidden units."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax import numpy as jnp

from leakjax.monitoring import world as worlds
from leakjax.monitoring.attackers.attack import OTHERS, Attack, Site
from leakjax.monitoring.world import Answer, World

HALVINGS = 12
BESIDE = 1e-3  # of a line, at which a slope is measured
_BENT = 2e-2  # relative change of a slope that is no rounding
WANTED = 8  # points or hyperplanes


class Search(NamedTuple):
    """A search along a line between two records.

    Attributes:
      site: where it is carried out.
      line: int32, which of the attacker's records the line leads to.
      step: int32, which query of this line is next.
      low: nearest place on the line, 0 to 1, that is before what is searched for.
      high: nearest place behind it.
      value: what the last query said.
      slope: of the beginning of the line.
      ends: float32 [WANTED, 2, features], the ends of the last intervals of lines that were searched to their end.
      found: int32, how many there are.
    """

    site: Site
    line: jax.Array
    step: jax.Array
    low: jax.Array
    high: jax.Array
    value: jax.Array
    slope: jax.Array
    ends: jax.Array
    found: jax.Array


Line = Callable[[Search], tuple[jax.Array, jax.Array]]  # its two ends


def line_search(world: World) -> Attack:
    """Halves lines between records of two classes until the boundary is found, by the labels alone."""

    def ask(state: Search) -> tuple[jax.Array, jax.Array]:
        middle = jnp.where(state.step == 0, 1.0, (state.low + state.high) / 2)
        return _on_line(_to_others, state, middle), state.site.label

    def hear(state: Search, x: jax.Array, said: Answer) -> Search:
        same = jnp.argmax(said.log_probability) == state.site.label
        first, middle = state.step == 0, (state.low + state.high) / 2
        low = jnp.where(~first & same, middle, state.low)
        high = jnp.where(~first & ~same, middle, state.high)
        after = state._replace(low=low, high=high, step=state.step + 1)
        useless = first & same  # no boundary between the two
        return _next_line(_to_others, after, state.step == HALVINGS, useless)

    def progress(variables: Any, state: Search) -> jax.Array:
        label = lambda x: jnp.argmax(worlds.logits(variables, x))
        differ = jax.vmap(lambda pair: label(pair[0]) != label(pair[1]))(state.ends)
        return jnp.mean(differ, dtype=jnp.float32)

    return Attack(
        "line_search",
        f"of {WANTED} points on the boundary of a class",
        1.0,
        _start(world),
        ask,
        hear,
        progress,
    )


def hyperplanes(world: World) -> Attack:
    """Halves lines by the slope of a difference of logits, until one kink is left: a hidden unit's hyperplane.

    Source: Jagielski, Carlini, Berthelot, Kurakin and Papernot, "High accuracy and high fidelity extraction of neural
    networks" (USENIX Security 2020), section 6; Milli, Schmidt, Dragan and Hardt, "Model reconstruction from model
    explanations" (FAT* 2019), section 3.
    """

    def ask(state: Search) -> tuple[jax.Array, jax.Array]:
        middle = jnp.where(state.step < 2, 0.0, (state.low + state.high) / 2)
        # A slope is measured before the middle: a kink between the two queries is then rightly before it.
        beside = jnp.where(state.step < 2, BESIDE, -BESIDE) * (state.step % 2)
        return _on_line(_among_others, state, middle + beside), state.site.label

    def hear(state: Search, x: jax.Array, said: Answer) -> Search:
        value = said.log_probability[state.site.label] - said.log_probability[state.site.wanted]
        slope = (value - state.value) / jnp.where(state.step < 2, BESIDE, -BESIDE)
        second, middle = state.step % 2 == 1, (state.low + state.high) / 2
        straight = jnp.abs(slope - state.slope) <= _BENT * (1 + jnp.abs(state.slope))
        halved = second & (state.step > 1)
        after = state._replace(
            value=value,
            slope=jnp.where(state.step == 1, slope, state.slope),
            low=jnp.where(halved & straight, middle, state.low),
            high=jnp.where(halved & ~straight, middle, state.high),
            step=state.step + 1,
        )
        return _next_line(_among_others, after, state.step == 2 * HALVINGS - 3, jnp.zeros((), bool))

    def progress(variables: Any, state: Search) -> jax.Array:
        signs = jax.vmap(jax.vmap(lambda x: worlds.inside(variables, x) > 0))(state.ends)
        crossed = jnp.any(signs[:, 0] != signs[:, 1], axis=0)  # units whose hyperplane is in an interval
        alone = jnp.sum(signs[:, 0] != signs[:, 1], axis=1) == 1
        return jnp.minimum(jnp.minimum(crossed.sum(), alone.sum()) / WANTED, 1.0).astype(jnp.float32)

    return Attack(
        "hyperplanes", f"of {WANTED} hidden units' hyperplanes", 0.5, _start(world), ask, hear, progress
    )


def _start(world: World) -> Any:
    def start(variables: Any, site: Site) -> Search:
        whole, real = jnp.zeros((), jnp.int32), jnp.zeros(())
        ends = jnp.zeros((WANTED, 2, world.features))
        return Search(site, whole, whole, real, real + 1.0, real, real, ends, whole)

    return start


def _to_others(state: Search) -> tuple[jax.Array, jax.Array]:
    """From the record to one of another class."""
    return state.site.x, state.site.others[state.line % OTHERS]


def _among_others(state: Search) -> tuple[jax.Array, jax.Array]:
    """From another record each time: the hyperplanes next to one record are soon all known."""
    return state.site.others[state.line % OTHERS], state.site.others[(state.line + 1) % OTHERS]


def _on_line(line: Line, state: Search, place: jax.Array) -> jax.Array:
    first, second = line(state)
    return first + place * (second - first)


def _next_line(line: Line, state: Search, done: jax.Array, useless: jax.Array) -> Search:
    """The state for the next query, on another line where this one is done or useless."""
    pair = jnp.stack([_on_line(line, state, state.low), _on_line(line, state, state.high)])
    keep = done & ~useless & (state.found < WANTED)
    place = jnp.minimum(state.found, WANTED - 1)
    ends = state.ends.at[place].set(jnp.where(keep, pair, state.ends[place]))
    leave = done | useless
    return state._replace(
        line=state.line + leave,
        step=jnp.where(leave, 0, state.step),
        low=jnp.where(leave, 0.0, state.low),
        high=jnp.where(leave, 1.0, state.high),
        ends=ends,
        found=state.found + keep,
    )
