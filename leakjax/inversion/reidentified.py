"""The part of a study that finds whose answer a released one is."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.attack.invert.reidentify import hits, reidentify
from leakjax.defend import Sticky
from leakjax.explain import Explainer
from leakjax.inversion.guards import NOISE, PRESET
from leakjax.inversion.row import Raw, row
from leakjax.inversion.world import World

ATTACK = "re-identification"
MEASURE = "the subject is named first, share"
TOP5 = "the subject is among the first five, share"
EXPLAINERS = ("gradient", "input_x_gradient", "integrated_gradients(steps=20)")
CLASS_MEAN = "mean map of the class"
AVERAGED = 4  # times that candidates are asked where answers are noisy


class Guard(NamedTuple):
    """What a service does to its explanations.

    Attributes:
      defense: of every map.
      policy: fields of `Service`.
      repeats: how often an attacker asks each candidate.
    """

    defense: str = "none"
    policy: Mapping[str, Any] = MappingProxyType({})
    repeats: int = 1


GUARDS = {
    "none": Guard(),
    "round_to(2)": Guard("round_to(2)"),
    "sign": Guard("sign"),
    "keep_top_k(6)": Guard("keep_top_k(6)"),
    "segments of 2 x 2": Guard("coarsen(2)"),
    "signs of 2 x 2": Guard("coarsen(2)+sign"),
    "clipped, noise of 0.1": Guard(NOISE, repeats=AVERAGED),
    "clipped, noise of 1": Guard("clip_norm(1.0)+gaussian_noise(1.0)", repeats=AVERAGED),
    # A measurement: its secret need not be one.
    "clipped, sticky noise of 0.1": Guard(NOISE, {"sticky": Sticky(b"not secret at all", 0.05)}),
    PRESET: Guard(PRESET, repeats=AVERAGED),
    "only above 99 % confidence": Guard(policy={"least_confidence": 0.99}),
    CLASS_MEAN: Guard(),
}


def measure(world: World, index: int, targets: int, candidates: int) -> list[Raw]:
    """Finds the subjects of the answers of one model among candidates, under every guard of `GUARDS`."""
    draws = world.draws(index, ATTACK)
    pool = draws.permutation(len(world.points.x))[:candidates]
    subjects = draws.choice(len(pool), min(targets, len(pool)), replace=False)
    among = world.points.x[pool]
    out = []
    for explainer in EXPLAINERS:
        for name in GUARDS if explainer == EXPLAINERS[0] else ("none",):
            guard = GUARDS[name]
            shown = _class_means(world, index) if name == CLASS_MEAN else explainer
            offered = world.offered(
                index, shown, prediction="confidence(2)", guard=guard.defense, **guard.policy
            )
            released = offered.ask(among[subjects])
            found = reidentify(offered, released, among, repeats=guard.repeats)
            for top, what in ((1, MEASURE), (5, TOP5)):
                with_map, without = (
                    hits(found.distance[v], subjects, top=top) for v in ("both", "prediction")
                )
                setting = f"{explainer} and confidence(2)"
                out.append(row(ATTACK, setting, what, with_map, guard=name, baseline=without, asked=offered))
    return out


def _class_means(world: World, index: int) -> Explainer:
    """The explainer that shows the mean gradient over a class in place of a query's own."""
    answer = world.offered(index, EXPLAINERS[0]).ask(world.auxiliary.x)
    explained, maps = answer.explained_class[:, 0], answer.explanations[0]
    classes = range(world.points.classes)
    means = [
        maps[explained == label].mean(axis=0) if (explained == label).any() else 0 * maps[0]
        for label in classes
    ]
    table = jnp.asarray(np.stack(means))

    def mean_of_class(
        variables: Any, x: jax.Array, target: Any, *, key: Any, segments: Any = None
    ) -> jax.Array:
        return table[target]

    return mean_of_class
