"""The part of a study that finds whose answer a released one is."""

from leakjax.attack.invert.reidentify import hits, reidentify
from leakjax.inversion.row import Raw, row
from leakjax.inversion.world import World

ATTACK = "re-identification"
MEASURE = "the subject is named first, share"
TOP5 = "the subject is among the first five, share"
EXPLAINERS = ("gradient", "input_x_gradient", "integrated_gradients(steps=20)")
GUARDS = {
    "none": "none",
    "round_to(2)": "round_to(2)",
    "sign": "sign",
    "keep_top_k(6)": "keep_top_k(6)",
    "16 segments": "coarsen(2)",
    "16 signs": "coarsen(2)+sign",
    "clipped, noise of 0.1": "clip_norm(1.0)+gaussian_noise(0.1)",
    "clipped, noise of 1": "clip_norm(1.0)+gaussian_noise(1.0)",
}


def measure(world: World, index: int, targets: int, candidates: int) -> list[Raw]:
    """Finds the subjects of the answers of one model among candidates, under every guard of `GUARDS`."""
    draws = world.draws(index, ATTACK)
    pool = draws.permutation(len(world.points.x))[:candidates]
    subjects = draws.choice(len(pool), min(targets, len(pool)), replace=False)
    among = world.points.x[pool]
    out = []
    for explainer in EXPLAINERS:
        for name, guard in GUARDS.items() if explainer == EXPLAINERS[0] else [("none", "none")]:
            offered = world.offered(index, explainer, prediction="confidence(2)", guard=guard)
            released = offered.ask(among[subjects])
            found = reidentify(offered, released, among, repeats=4 if "noise" in name else 1)
            for top, what in ((1, MEASURE), (5, TOP5)):
                with_map, without = (
                    hits(found.distance[v], subjects, top=top) for v in ("both", "prediction")
                )
                shown = f"{explainer} and confidence(2)"
                out.append(row(ATTACK, shown, what, with_map, guard=name, baseline=without, asked=offered))
    return out
