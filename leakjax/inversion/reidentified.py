"""The part of a study that finds whose answer a released one is."""

from collections.abc import Mapping

from leakjax.attack.invert.reidentify import hits, reidentify
from leakjax.inversion.guards import AS_PLAIN, AVERAGED, GUARDS, PLAIN, POLICY, Guard
from leakjax.inversion.row import Raw, row
from leakjax.inversion.world import World

ATTACK = "re-identification"
MEASURE = "the subject is named first, share"
TOP5 = "the subject is among the first five, share"
EXPLAINERS = ("gradient", "input_x_gradient", "integrated_gradients(steps=20)")
LEFT_OUT = {POLICY: AS_PLAIN}
# Beside those of all attacks.
OWN = {
    "signs of 2 x 2": Guard("coarsen(2)+sign"),
    "clipped, noise of 1": Guard("clip_norm(1.0)+gaussian_noise(1.0)", repeats=AVERAGED),
}


def measure(world: World, index: int, targets: int, candidates: int) -> list[Raw]:
    """Finds the subjects of the answers of one model among candidates, under every guard and by every explainer."""
    out = guarded(world, index, targets, candidates, world.guards(LEFT_OUT, OWN))
    for explainer in EXPLAINERS[1:]:
        out += guarded(world, index, targets, candidates, {"none": PLAIN}, explainer)
    # How much the prediction alone gives away when more of it is shown.
    for shown in ("confidence(4)", "vector"):
        out += guarded(world, index, targets, candidates, {"none": PLAIN}, prediction=shown)
    return out


def guarded(
    world: World,
    index: int,
    targets: int,
    candidates: int,
    guards: Mapping[str, Guard] = GUARDS,
    explainer: str = EXPLAINERS[0],
    prediction: str = "confidence(2)",
) -> list[Raw]:
    """Finds the subjects of the answers of one model among candidates, under some guards."""
    draws = world.draws(index, ATTACK)
    pool = draws.permutation(len(world.points.x))[:candidates]
    subjects = draws.choice(len(pool), min(targets, len(pool)), replace=False)
    among = world.points.x[pool]
    strange = ~world.ensemble.membership[index][pool[subjects]]
    out = []
    for name, guard in guards.items():
        offered = world.offered(index, explainer, prediction=prediction, guard=guard)
        released = offered.ask(among[subjects])
        found = reidentify(offered, released, among, repeats=guard.repeats)
        for top, what in ((1, MEASURE), (5, TOP5)):
            with_map, without = (hits(found.distance[v], subjects, top=top) for v in ("both", "prediction"))
            beside = {"baseline": without, "control": with_map[strange], "asked": offered}
            out.append(row(ATTACK, f"{explainer} and {prediction}", what, with_map, guard=name, **beside))
    return out
