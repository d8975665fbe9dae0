"""One explainer on all points of a sitting: its maps, and what the stacked attack finds in them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from leakjax import _memory
from leakjax.auditing.chunks import Program
from leakjax.auditing.explanations import explain_program, stream_explanations
from leakjax.auditing.rows import Found, Sitting
from leakjax.auditing.score import score
from leakjax.explain import Explainer


class Shown(NamedTuple):
    """What one explainer shows.

    Attributes:
      maps: float32 [models, points, ...], before any defense.
      found: what the stacked attack finds, one for each defense.
    """

    maps: np.ndarray
    found: list[Found]


def shown(sitting: Sitting, explainer: Explainer, defend: Sequence[Program]) -> Shown:
    """Explains every point by every model once, and attacks what each defense releases of it.

    The maps are held, so that every further attack sees those that the stacked one saw; `check_memory` says whether
    they fit.

    Args:
      sitting: of the points.
      explainer: of one example.
      defend: from `defend_program`, for the sitting's subject.
    """
    subject, parts = sitting.subject, []
    program = explain_program(subject, explainer)

    def explain(*chunk: Any) -> Any:
        maps = program(*chunk)
        parts.append(np.asarray(maps))
        return maps

    streamed = stream_explanations(explain, defend, subject, sitting.predictions, np.zeros(0, int))
    found = []
    for one in streamed:
        beside = None if sitting.near is None else score(subject, sitting.near.base, one, alone=False).both
        found.append(Found.of(score(subject, sitting.base, one), one, beside))
    # The last chunk was filled up with points of the first.
    return Shown(np.concatenate(parts, axis=1)[:, : len(subject.points.x)], found)


def check_memory(models: int, points: int, shape: tuple[int, ...]) -> None:
    """Raises UsageError where the maps of one explainer do not fit.

    Args:
      models: how many explain.
      points: how many are explained.
      shape: of one example.
    """
    size = 4 * models * points * int(np.prod(shape))
    _memory.check("audit_points", points, 2 * size, f"the maps of {models} models at {points:,} points")
