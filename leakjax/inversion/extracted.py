"""The part of a study that copies a linear model from plain answers, and target models by distillation."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.attack.extract import distill, linear
from leakjax.attack.extract.relu import agreement
from leakjax.inversion.guards import AS_NOISE, AS_PLAIN, PLAIN, POLICY, STICKY, Guard
from leakjax.inversion.row import Raw, row
from leakjax.inversion.world import World, network
from leakjax.oracle import Oracle, Release, Service, oracle

ATTACK = "extraction"
AGREES = "same class as the service on new points, share"
BUDGETS = (30, 100)
LEFT_OUT = {STICKY: AS_NOISE, POLICY: AS_PLAIN}


def measure(world: World, index: int) -> list[Raw]:
    """Copies a linear model, and the target model itself by distillation."""
    few = guarded(world, index, {"none": PLAIN}, BUDGETS[0])
    rest = guarded(world, index, world.guards(LEFT_OUT))
    return [*_linear(world, index), *few, *rest]


def _linear(world: World, index: int) -> list[Raw]:
    model = network("logistic", world.points.classes)
    key = jax.random.fold_in(world.key, 1)
    variables = world.trained(model, world.points, index, key)
    offered = oracle(Service(model.logits_fn, variables), Release("vector"), key=key, written=False)
    found = linear.extract_linear(offered, world.points.x.shape[1:])
    new = world.auxiliary.x
    theirs = np.asarray(jax.vmap(model.logits_fn, (None, 0))(variables, jnp.asarray(new)))
    same = agreement(found(new), theirs)
    return [row(ATTACK, "linear model, n + 1 answers", AGREES, same, asked=offered)]


def guarded(world: World, index: int, guards: Mapping[str, Guard], budget: int = BUDGETS[-1]) -> list[Raw]:
    """Distils the target model from answers to real points, under some guards."""
    draws = world.draws(index, ATTACK)
    key = jax.random.fold_in(jax.random.fold_in(world.key, 3), index)
    queries = world.auxiliary.x[draws.permutation(len(world.auxiliary.x))][:budget]
    new = world.points.x[world.others(index)]
    theirs = world.offered(index).ask(new, plain=True).prediction.probabilities

    def agrees(offered: Oracle, view: str) -> np.ndarray:
        student = distill.distill(offered, world.model, queries, view=view, key=key)
        return agreement(student(new), theirs)

    alone = agrees(world.offered(index, "gradient"), "prediction")
    out = []
    for name, guard in guards.items():
        offered = world.offered(index, "gradient", guard=guard)
        setting = f"distillation with gradients, {budget} real points"
        same = agrees(offered, "both")
        out.append(row(ATTACK, setting, AGREES, same, guard=name, baseline=alone, asked=offered))
    return out
