"""The part of a study that searches inputs which are explained as a released one is, by queries alone."""

import numpy as np

from leakjax.attack.invert.pattern import match_pattern
from leakjax.attack.invert.prior import priors_of
from leakjax.inversion.guards import GUARDS
from leakjax.inversion.inverted import judged, subjects_of
from leakjax.inversion.row import Raw, row
from leakjax.inversion.world import World

ATTACK = "search for an explanation"
DISTANCE = "distance of the explanations, over the norm of the released one"
EXPLAINER = "gradient"
STEPS, MOST = 12, 20  # of a search, and targets of it
ASKED = 50_000  # explained queries of all targets together at most
DIRECTIONS, PROBE = 128, 0.3  # so long that rounding to two digits leaves a difference


def measure(world: World, index: int, targets: int, candidates: int) -> list[Raw]:
    """Searches the subjects of explanations of one model from the public mean of their class, under every guard."""
    draws = world.draws(index, ATTACK)
    shape = world.points.x.shape[1:]
    most = min(MOST, max(1, ASKED // (STEPS * min(DIRECTIONS, int(np.prod(shape))))))
    rows, among, subjects = subjects_of(world, draws, min(targets, most), candidates)
    x = world.points.x[rows]
    priors = priors_of(world.auxiliary.x, world.auxiliary.y, world.points.classes)
    out: list[Raw] = []
    for name, guard in GUARDS.items():
        offered = world.offered(index, EXPLAINER, explained_class="asked", guard=guard)
        released = offered.ask(x)
        mean = np.stack([priors[c].mean for c in released.explained_class[:, 0]])
        found = match_pattern(
            offered, released, priors, shape, steps=STEPS, directions=DIRECTIONS, probe=PROBE
        )
        made, without, real = (each.reshape(len(rows), -1) for each in (found.x, mean, x))
        setting = f"{EXPLAINER}, from the public class mean"
        out += judged(ATTACK, setting, name, made, without, None, real, among, subjects, offered, shape)
        out.append(row(ATTACK, setting, DISTANCE, found.distance, guard=name, asked=offered))
    return out
