"""The part of a study that recovers the background of a Shapley explainer."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from leakjax.attack.invert.background import Recovered, one_row_values, recover_background, recover_rows
from leakjax.attack.invert.known_guard import known_guard
from leakjax.defend import parse
from leakjax.explain import Explainer, Segments, exact_shapley, grid, kernel_shap
from leakjax.inversion import guards
from leakjax.inversion.guards import AS_LABEL, AS_PLAIN
from leakjax.inversion.row import Raw, row
from leakjax.inversion.world import World
from leakjax.oracle import ExplanationPart, Release, Service, oracle

ATTACK = "leaking background"
MEASURE = "rows of the background named, share"
RESIDUAL = "relative residual"
BELIEVED = "backgrounds of strangers taken for candidates, share"
CELLS = (2, 4)  # along the sides of an image: 8 players
ROWS, LARGER, CANDIDATES, QUERIES = 20, (50, 100), 400, (30, 60)
SAMPLED = 62  # coalitions beside the empty and the full one


class Guard(NamedTuple):
    """What a service does to its Shapley values, and what its attacker knows of that.

    Attributes:
      defense: of every map.
      sampled: whether coalitions are sampled, 64 of 256.
      known: options of `recover_background`; None: what `known_guard` makes of whole maps.
    """

    defense: str = "none"
    sampled: bool = False
    known: dict[str, Any] | None = {}  # noqa: RUF012  # never written


LEFT_OUT = {
    "keep_top_k(6)": "as the 3 largest cells",
    guards.NOISE: "as noise of 0.25 rms",
    guards.PRESET: "as preset:integrated_gradients",
    "sign": "cells are kept by their size",
    guards.WHICH: "cells are kept by their size",
    guards.SEGMENTS: "cells are segments",
    guards.STICKY: "no two queries of one cell",
    guards.CONFIDENT: "other queries are explained",
    guards.CLASS_MEAN: AS_LABEL,
    guards.POLICY: AS_PLAIN,
    **dict.fromkeys((*guards.TRAININGS, guards.PRIVATE), "linear in the rows, whatever the weights"),
}
GUARDS = {
    "none": Guard(),
    "round_to(2)": Guard("round_to(2)", known={"released": lambda values: np.round(values, 2)}),
    "keep_top_k(3 cells)": Guard("top cells", known={"sparse": True}),
    "64 coalitions": Guard(sampled=True),
    "noise of 0.25 rms": Guard("noise"),
    "preset:integrated_gradients": Guard("preset:integrated_gradients", known=None),
}


def measure(world: World, index: int) -> list[Raw]:
    """Attacks the background of one model's service, under every guard of `GUARDS`."""
    draws = world.draws(index, ATTACK)
    segments = grid(world.points.x.shape[1:], CELLS)
    count = min(CANDIDATES, len(world.points.x) // 2)
    rows = min(ROWS, count // 4)
    chosen = draws.permutation(len(world.points.x))
    candidates = world.points.x[chosen[:count]]
    secret = np.sort(draws.choice(count, rows, replace=False))
    elsewhere = world.points.x[chosen[count : count + rows]]
    few = min(max(QUERIES), len(world.auxiliary.x))
    queries = world.auxiliary.x[draws.choice(len(world.auxiliary.x), few, replace=False)]
    terms, plain = _terms(world, index, queries, candidates, segments)
    rms = float(np.sqrt(np.mean(terms**2)))

    def attacked(
        name: str, held: np.ndarray, asking: int, size: int = rows
    ) -> tuple[Recovered, dict[str, Any]]:
        guard = GUARDS[name]
        logits_fn: Any = world.model.logits_fn  # hashable, as functions are
        explainer = _explainer(logits_fn, world.points.x.shape[1:], guard.sampled)
        part = ExplanationPart(explainer, "predicted", _defense(guard.defense, segments, rms))
        service = Service(_network(logits_fn), Held(world.variables(index), held))
        key = jax.random.fold_in(world.key, index)
        offered = oracle(service, Release("vector", (part,)), key=key, written=False)
        asks, who = queries[:asking], dict[str, Any](rows=size, seed=index)
        if guard.known is not None:
            given = dict[str, Any](segments=segments, terms=terms, **who, **guard.known)
            found = recover_background(offered, asks, candidates, **given)
        else:
            where = np.broadcast_to(np.asarray(segments.map), asks.shape[1:])
            known = known_guard(parse(guard.defense), asks, terms[:, :asking][..., where], key)
            found = recover_rows(
                offered,
                asks,
                candidates,
                alone=lambda place, _: known.terms[:, place],
                released=known.released,
                sparse=known.sparse,
                units=known.units,
                **who,
            )
        return found, {"guard": name, "asked": offered, "also_plain": plain * asking // few}

    out = []
    for name in GUARDS:
        for asking in (min(QUERIES), few) if name == "none" else (few,):
            setting = f"{asking} explained queries"
            found, asked = attacked(name, candidates[secret], asking)
            named = found.named
            right = np.isin(secret, [] if named is None else named.members)
            out.append(row(ATTACK, setting, MEASURE, right, baseline=np.full(rows, rows / count), **asked))
            if named is not None:
                out.append(row(ATTACK, setting, RESIDUAL, named.residual, **asked))
            strange, asked = attacked(name, elsewhere, asking)
            if strange.named is not None:
                setting += ", strangers"
                out.append(row(ATTACK, setting, RESIDUAL, strange.named.residual, **asked))
                out.append(row(ATTACK, setting, BELIEVED, float(strange.named.inside), **asked))
    for many in (size for size in LARGER if size < count):
        larger = np.sort(draws.choice(count, many, replace=False))
        found, asked = attacked("none", candidates[larger], few, many)
        right = np.isin(larger, [] if found.named is None else found.named.members)
        setting = f"{few} explained queries, {many} rows"
        out.append(row(ATTACK, setting, MEASURE, right, baseline=np.full(many, many / count), **asked))
    return out


def _terms(
    world: World, index: int, queries: np.ndarray, candidates: np.ndarray, segments: Segments
) -> tuple[np.ndarray, int]:
    """One-row values of all candidates by plain queries alone, and how many of these there were."""
    asked = world.offered(index)
    classes = asked.ask(queries, plain=True).prediction.probabilities.argmax(axis=1)

    def predict(x: np.ndarray) -> np.ndarray:
        return asked.ask(x, plain=True).prediction.probabilities

    terms = [
        one_row_values(predict, x, candidates, segments, int(explained), "probability")
        for x, explained in zip(queries, classes, strict=True)
    ]
    return np.stack(terms, axis=1), asked.plain


class Held(NamedTuple):
    """What a service with a background holds, as the variables of its model: one program for all backgrounds.

    Attributes:
      variables: of the model.
      background: [rows, ...].
    """

    variables: Any
    background: np.ndarray


@functools.lru_cache(maxsize=4)
def _network(logits_fn: Any) -> Callable[[Held, jax.Array], jax.Array]:
    return lambda held, x: logits_fn(held.variables, x)


@functools.lru_cache(maxsize=8)
def _explainer(logits_fn: Any, shape: tuple[int, ...], sampled: bool) -> Explainer:
    cells = grid(shape, CELLS)
    factory, options = (kernel_shap, {"samples": SAMPLED}) if sampled else (exact_shapley, {})

    def on_cells(held: Held, x: jax.Array, target: Any, *, key: jax.Array, segments: Any = None) -> jax.Array:
        explain = factory(logits_fn, background=held.background, output="probability", **options)
        return explain(held.variables, x, target, key=key, segments=cells)

    return on_cells


def _defense(name: str, segments: Segments, rms: float) -> str:
    """A guard as a defense; every cell has as many features as another, and they share a value."""
    features = np.size(segments.map) // segments.count
    if name == "top cells":
        return f"keep_top_k({3 * features})"
    return f"gaussian_noise({0.25 * rms:.3g})" if name == "noise" else name
