"""Reconstructions of the same points side by side: what each attack makes of one answer about each."""

from collections.abc import Callable
from typing import Any

import numpy as np

from leakjax.attack.invert import ascent
from leakjax.inversion import inverted, known_model, patterns
from leakjax.inversion.world import World

SHOWN = 8  # points in a figure
Inputs = dict[str, np.ndarray]


def shown_rows(world: World) -> np.ndarray:
    """Rows of the pool whose reconstructions a page may show: the first that no target model was trained on."""
    return np.flatnonzero(~world.ensemble.membership.any(axis=0))[:SHOWN]


def pictures(world: World, part: str, index: int) -> dict[str, Any]:
    """The reconstructions of one part as images [points, height, width] by name, nested lists.

    Args:
      world: what is attacked.
      part: of the study.
      index: of the model.

    Returns:
      What was sought first; nothing where the part reconstructs none, points are no images or all were trained on.
    """
    shape, rows = world.points.x.shape[1:], shown_rows(world)
    if part not in _MADE or len(shape) != 3 or not len(rows):
        return {}
    made = {"sought": world.points.x[rows], **_MADE[part](world, index, rows)}
    return {name: np.round(each.reshape(-1, *shape)[..., 0], 3).tolist() for name, each in made.items()}


def _closed_form(world: World, index: int, rows: np.ndarray) -> Inputs:
    offered = world.offered(index, "gradient")
    found, mean, _ = inverted.from_gradients(world, index, offered, rows, inverted.EXACT)
    return {"public mean of the class": mean, "closed form, one gradient": found}


def _known_model(world: World, index: int, rows: np.ndarray) -> Inputs:
    found, _, _ = known_model.solved(world, index, world.offered(index, known_model.SHOWN[0]), rows)
    return {"known model, one gradient": found}


def _decoders(world: World, index: int, rows: np.ndarray) -> Inputs:
    offered = world.offered(index, "gradient", prediction=inverted.ROUNDED)
    return {
        name: inverted.decoded(world, index, offered, world.auxiliary.x, rows, view)
        for name, view in (
            ("decoder, confidence to 2 digits", "prediction"),
            ("decoder, with gradient", "both"),
        )
    }


def _searches(world: World, index: int, rows: np.ndarray) -> Inputs:
    offered = world.offered(index, patterns.EXPLAINER, explained_class="asked")
    return {"search for the gradient, no weights": patterns.searched(world, offered, rows)[0].x}


def _climbs(world: World, index: int, rows: np.ndarray) -> Inputs:
    """Climbs to the class of each point, which is all that they are told."""
    offered = world.offered(index, inverted.SLOPES, explained_class="asked")
    start = inverted.starts(world, world.draws(index, inverted.ASCENT), len(rows))
    steps = inverted.STEPS["explanation"]
    found = ascent.ascend(offered, world.points.y[rows], start, way="explanation", steps=steps, seed=index)
    return {"query ascent to its class": found.x}


_MADE: dict[str, Callable[[World, int, np.ndarray], Inputs]] = {
    "closed_form": _closed_form,
    "known_model": _known_model,
    "learned": _decoders,
    "ascent": _climbs,
    "patterns": _searches,
}
