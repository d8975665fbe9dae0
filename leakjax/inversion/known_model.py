"""The part of a study that inverts one explanation of a network whose weights are known, whatever the explainer."""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _spec
from leakjax.attack.invert.most_probable import Explains, most_probable
from leakjax.attack.invert.prior import priors_of
from leakjax.defend import harden, parse
from leakjax.explain import EXPLAINERS, LogitsFn
from leakjax.explain.named import named_of
from leakjax.inversion.guards import (
    AS_LABEL,
    AS_NOISE,
    AS_PLAIN,
    CLASS_MEAN,
    CONFIDENT,
    GUARDS,
    NOISE,
    PLAIN,
    POLICY,
    PRESET,
    SEGMENTS,
    STICKY,
    WHICH,
    Guard,
)
from leakjax.inversion.inverted import judged, subjects_of
from leakjax.inversion.row import Raw
from leakjax.inversion.world import World
from leakjax.oracle import Oracle

ATTACK = "inversion of a known model"
SHOWN = ("gradient", "input_x_gradient", "integrated_gradients(steps=8)")
MOST, FEATURES = (
    30,
    8_000,
)  # targets, and features of all of them together: a step takes long where there are many
# Of each guard on the first: what of it can be differentiated, and what else it does to a number, relative to their
# root mean square: rounding is far below that, a sign is all of it, a norm of 1 over 64 numbers is 1/8 each.
MODELLED = {
    "none": ("none", 3e-3),
    "round_to(2)": ("none", 0.03),
    "sign": ("none", 1.0),
    "keep_top_k(6)": ("keep_top_k(6)", 3e-3),
    WHICH: ("keep_top_k(6)+normalize()", 1.0),
    SEGMENTS: (GUARDS[SEGMENTS].defense, 3e-3),
    NOISE: ("clip_norm(1.0)", 0.8),
    CONFIDENT: ("none", 3e-3),
    PRESET: ("normalize()", 0.2),
}


LEFT_OUT = {STICKY: AS_NOISE, CLASS_MEAN: AS_LABEL, POLICY: AS_PLAIN}


def measure(world: World, index: int, targets: int, candidates: int) -> list[Raw]:
    """Finds the subjects of single explanations of one model, under every guard and by every explainer."""
    out = guarded(world, index, targets, candidates, world.guards(LEFT_OUT))
    for text in SHOWN[1:]:
        out += guarded(world, index, targets, candidates, {"none": PLAIN}, text)
    return out


def guarded(
    world: World,
    index: int,
    targets: int,
    candidates: int,
    guards: Mapping[str, Guard],
    text: str = SHOWN[0],
) -> list[Raw]:
    """Finds the subjects of single explanations under guards; the ceiling begins at the subjects themselves."""
    most = min(MOST, max(1, FEATURES // world.points.x[0].size))
    rows, among, subjects = subjects_of(world, world.draws(index, ATTACK), min(targets, most), candidates)
    out: list[Raw] = []
    for name, guard in guards.items():
        offered = world.offered(index, text, guard=guard)
        made = solved(world, index, offered, rows, name, text)
        out += judged(world, index, rows, ATTACK, text, name, *made, among, subjects, offered)
    return out


def solved(
    world: World, index: int, offered: Oracle, rows: np.ndarray, guard: str = "none", text: str = SHOWN[0]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs [targets, features] of one explanation each: found, the public class mean, and the ceiling."""
    shape, x = world.points.x.shape[1:], world.points.x[rows]
    priors = priors_of(world.auxiliary.x, world.auxiliary.y, world.points.classes)
    expected, error = MODELLED[guard]
    logits_fn: Any = world.model.logits_fn  # hashable, as functions are
    explain = _explains(logits_fn, shape, text, expected)
    answer = offered.ask(x)
    classes = answer.prediction.probabilities.argmax(axis=1)
    mean = np.stack([priors[label].mean for label in classes])
    maps = answer.explanations[0].reshape(len(rows), -1)
    told = np.isfinite(maps).all(axis=1)[:, None]  # not withheld
    given = dict[str, Any](error=error, seed=index, subjects=x.reshape(len(rows), -1))
    ends = most_probable(explain, world.variables(index), np.nan_to_num(maps), classes, priors, **given)
    found, best = (np.where(told, np.asarray(each), mean) for each in ends)
    return found, mean, best


@functools.lru_cache(maxsize=16)
def _explains(logits_fn: LogitsFn, shape: tuple[int, ...], text: str, expected: str) -> Explains:
    """The explanation of a flat input, through what the attacker expects of a guard: one function for all models."""
    call = _spec.read("explainers", text)
    named = named_of(call, EXPLAINERS.find(call.name)).make(logits_fn, shape, None)
    seen = harden(named, parse(expected))

    def explain(variables: Any, flat: jax.Array, label: jax.Array) -> jax.Array:
        return jnp.ravel(seen(variables, flat.reshape(shape), label, key=jax.random.key(0)))

    return explain
