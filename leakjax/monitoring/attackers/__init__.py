"""The attackers of a monitored service, each a state machine that asks and hears."""

from leakjax.monitoring.attackers.attack import ACTIONS, Attack, Played, Site, play, site
from leakjax.monitoring.attackers.explained import ascent, real_points, uniform_noise
from leakjax.monitoring.attackers.gradients import finite_differences, nes
from leakjax.monitoring.attackers.masks import lime_masks
from leakjax.monitoring.attackers.searches import hyperplanes, line_search
from leakjax.monitoring.world import World

ATTACKERS = {
    "finite_differences": finite_differences,
    "nes": nes,
    "lime_masks": lime_masks,
    "line_search": line_search,
    "hyperplanes": hyperplanes,
    "uniform_noise": uniform_noise,
    "ascent": ascent,
    "real_points": real_points,
}
# Those whose copies are trained when all queries have been asked.
COPYING = ("uniform_noise", "real_points")
# What a monitor is meant to catch: attacks without explanations, which do not hide.
AIMED_AT = ("finite_differences", "nes", "lime_masks", "line_search", "hyperplanes")


def make(world: World) -> dict[str, Attack]:
    """Every attack on a world, by name."""
    return {name: attack(world) for name, attack in ATTACKERS.items()}


__all__ = [
    "ACTIONS",
    "AIMED_AT",
    "ATTACKERS",
    "COPYING",
    "Attack",
    "Played",
    "Site",
    "World",
    "make",
    "play",
    "site",
]
