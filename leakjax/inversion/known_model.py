"""The part of a study that inverts one explanation of a network whose weights are known, whatever the explainer."""

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _spec
from leakjax.attack.invert.most_probable import most_probable
from leakjax.attack.invert.prior import priors_of
from leakjax.explain import EXPLAINERS, Explainer
from leakjax.explain.named import named_of
from leakjax.inversion.inverted import judged, subjects_of
from leakjax.inversion.row import Raw
from leakjax.inversion.world import World

ATTACK = "inversion of a known model"
SHOWN = ("gradient", "input_x_gradient", "integrated_gradients(steps=8)")
MOST = 30  # targets


def measure(world: World, index: int, targets: int, candidates: int) -> list[Raw]:
    """Finds the subjects of single explanations of one model; the ceiling begins at the subjects themselves."""
    draws = world.draws(index, ATTACK)
    rows, among, subjects = subjects_of(world, draws, min(targets, MOST), candidates)
    x, shape = world.points.x[rows], world.points.x.shape[1:]
    real = x.reshape(len(rows), -1)
    priors = priors_of(world.auxiliary.x, world.auxiliary.y, world.points.classes)
    variables = world.variables(index)
    out: list[Raw] = []
    for text in SHOWN:
        call = _spec.read("explainers", text)
        explainer = named_of(call, EXPLAINERS.find(call.name)).make(world.model.logits_fn, shape, None)

        def explain(flat: jax.Array, label: jax.Array, by: Explainer = explainer) -> jax.Array:
            return jnp.ravel(by(variables, flat.reshape(shape), label, key=jax.random.key(0)))

        offered = world.offered(index, text)
        answer = offered.ask(x)
        sought, classes = answer.explanations[0].reshape(len(rows), -1), answer.explained_class[:, 0]
        found = most_probable(explain, sought, classes, priors, seed=index)
        best = most_probable(explain, sought, classes, priors, starts=1, begin=real)
        mean = np.stack([priors[label].mean for label in classes])
        out += judged(ATTACK, text, "none", found, mean, best, real, among, subjects, offered, shape)
    return out
