"""The part of a study that searches inputs which are explained as a released one is, by queries alone."""

from collections.abc import Mapping

import numpy as np

from leakjax.attack.invert.pattern import Matched, match_pattern
from leakjax.attack.invert.prior import priors_of
from leakjax.inversion.guards import AS_LABEL, CLASS_MEAN, Guard
from leakjax.inversion.inverted import judged, subjects_of
from leakjax.inversion.row import Raw, row
from leakjax.inversion.world import World
from leakjax.oracle import Oracle

ATTACK = "search for an explanation"
DISTANCE = "distance of the explanations, over the norm of the released one"
EXPLAINER = "gradient"
STEPS, MOST = 12, 20  # of a search, and targets of it
ASKED = 50_000  # explained queries of all targets together at most
DIRECTIONS, PROBE = 128, 0.3  # so long that rounding to two digits leaves a difference


LEFT_OUT = {CLASS_MEAN: AS_LABEL}


def measure(world: World, index: int, targets: int, candidates: int) -> list[Raw]:
    """Searches the subjects of explanations of one model from the public mean of their class, under every guard."""
    return guarded(world, index, targets, candidates, world.guards(LEFT_OUT))


def guarded(
    world: World, index: int, targets: int, candidates: int, guards: Mapping[str, Guard]
) -> list[Raw]:
    """Searches the subjects of explanations of one model from the public mean of their class, under some guards."""
    shape = world.points.x.shape[1:]
    most = min(MOST, max(1, ASKED // (STEPS * min(DIRECTIONS, int(np.prod(shape))))))
    rows, among, subjects = subjects_of(world, world.draws(index, ATTACK), min(targets, most), candidates)
    out: list[Raw] = []
    for name, guard in guards.items():
        offered = world.offered(index, EXPLAINER, explained_class="asked", guard=guard)
        found, mean = searched(world, offered, rows)
        made = found.x.reshape(len(rows), -1)
        setting = f"{EXPLAINER}, from the public class mean"
        out += judged(world, index, rows, ATTACK, setting, name, made, mean, None, among, subjects, offered)
        distance = np.minimum(found.distance, 1.0)  # of a map that is withheld, all of it
        out.append(row(ATTACK, setting, DISTANCE, distance, guard=name, asked=offered))
    return out


def searched(world: World, offered: Oracle, rows: np.ndarray) -> tuple[Matched, np.ndarray]:
    """Where the searches for the explanations of some rows end, and where they begin [targets, features]."""
    priors = priors_of(world.auxiliary.x, world.auxiliary.y, world.points.classes)
    released = offered.ask(world.points.x[rows])
    mean = np.stack([priors[c].mean for c in released.prediction.probabilities.argmax(axis=1)])
    shape = world.points.x.shape[1:]
    found = match_pattern(offered, released, priors, shape, steps=STEPS, directions=DIRECTIONS, probe=PROBE)
    return found, mean
