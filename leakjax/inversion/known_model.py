"""The part of a study that inverts one explanation of a network whose weights are known, whatever the explainer."""

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _spec
from leakjax.attack.invert.most_probable import most_probable
from leakjax.attack.invert.prior import priors_of
from leakjax.defend import harden, parse
from leakjax.explain import EXPLAINERS, Explainer
from leakjax.explain.named import named_of
from leakjax.inversion.guards import GUARDS, PRESET, SEGMENTS
from leakjax.inversion.inverted import judged, subjects_of
from leakjax.inversion.row import Raw
from leakjax.inversion.world import World

ATTACK = "inversion of a known model"
SHOWN = ("gradient", "input_x_gradient", "integrated_gradients(steps=8)")
MOST = 30  # targets
# Of each guard on the first: what of it can be differentiated, and what else it does to a number, relative to their
# root mean square: rounding is far below that, a sign is all of it, a norm of 1 over 64 numbers is 1/8 each.
MODELLED = {
    "none": ("none", 3e-3),
    "round_to(2)": ("none", 0.03),
    "sign": ("none", 1.0),
    "keep_top_k(6)": ("keep_top_k(6)", 3e-3),
    SEGMENTS: (GUARDS[SEGMENTS], 3e-3),
    "clipped, noise of 0.1": ("clip_norm(1.0)", 0.8),
    PRESET: ("normalize()", 0.2),
}


def measure(world: World, index: int, targets: int, candidates: int) -> list[Raw]:
    """Finds the subjects of single explanations of one model; the ceiling begins at the subjects themselves."""
    draws = world.draws(index, ATTACK)
    rows, among, subjects = subjects_of(world, draws, min(targets, MOST), candidates)
    x, shape = world.points.x[rows], world.points.x.shape[1:]
    real = x.reshape(len(rows), -1)
    priors = priors_of(world.auxiliary.x, world.auxiliary.y, world.points.classes)
    variables = world.variables(index)
    out: list[Raw] = []
    for text, guard in [
        *((text, "none") for text in SHOWN),
        *((SHOWN[0], name) for name in list(GUARDS)[1:]),
    ]:
        call = _spec.read("explainers", text)
        explainer = named_of(call, EXPLAINERS.find(call.name)).make(world.model.logits_fn, shape, None)
        expected, error = MODELLED[guard]
        seen = harden(explainer, parse(expected))

        def explain(flat: jax.Array, label: jax.Array, by: Explainer = seen) -> jax.Array:
            return jnp.ravel(by(variables, flat.reshape(shape), label, key=jax.random.key(0)))

        offered = world.offered(index, text, guard=GUARDS[guard])
        answer = offered.ask(x)
        sought, classes = answer.explanations[0].reshape(len(rows), -1), answer.explained_class[:, 0]
        found = most_probable(explain, sought, classes, priors, error=error, seed=index)
        best = most_probable(explain, sought, classes, priors, error=error, starts=1, begin=real)
        mean = np.stack([priors[label].mean for label in classes])
        out += judged(ATTACK, text, guard, found, mean, best, real, among, subjects, offered, shape)
    return out
