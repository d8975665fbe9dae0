"""The part of a study that copies models from their answers."""

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import models
from leakjax.attack.extract import distill, linear, relu
from leakjax.inversion.guards import GUARDS
from leakjax.inversion.networks import relu as relu_network
from leakjax.inversion.networks import trained_one
from leakjax.inversion.row import Raw, row
from leakjax.inversion.world import World
from leakjax.oracle import ExplanationPart, Release, Service, oracle
from leakjax.shadow import TrainConfig

ATTACK = "extraction"
AGREES = "same class as the service on new points, share"
UNITS = 128
BUDGETS = (30, 100)


def measure(world: World, index: int, epochs: int) -> list[Raw]:
    """Copies a linear model, a ReLU network, and the target model itself by distillation."""
    return [*_linear(world, index, epochs), *_relu(world, index, epochs), *_distilled(world, index)]


def _linear(world: World, index: int, epochs: int) -> list[Raw]:
    model = models.make("logistic", world.points.classes)
    key = jax.random.fold_in(world.key, 1)
    variables = trained_one(
        model, world.points, world.ensemble.membership[index], TrainConfig(epochs=epochs), key, index
    )
    offered = oracle(Service(model.logits_fn, variables), Release("vector"), key=key, written=False)
    found = linear.extract_linear(offered, world.points.x.shape[1:])
    new = world.auxiliary.x
    theirs = np.asarray(jax.vmap(model.logits_fn, (None, 0))(variables, jnp.asarray(new)))
    same = relu.agreement(found(new), theirs)
    return [row(ATTACK, "linear model, n + 1 answers", AGREES, same, asked=offered)]


def _relu(world: World, index: int, epochs: int) -> list[Raw]:
    model = relu_network(world.points.classes, UNITS)
    key = jax.random.fold_in(world.key, 2)
    variables = trained_one(
        model, world.points, world.ensemble.membership[index], TrainConfig(epochs=epochs), key, index
    )
    release = Release("vector", (ExplanationPart("gradient", "asked"),))
    new = world.auxiliary.x
    theirs = np.asarray(jax.vmap(model.logits_fn, (None, 0))(variables, jnp.asarray(new)))
    hidden = np.asarray(variables["params"]["Dense_0"]["kernel"], np.float64)
    offered = oracle(Service(model.logits_fn, variables), release, key=key, written=False)
    found = relu.extract_relu(offered, new.shape[1:], world.points.classes, seed=index)
    setting = f"ReLU network of {UNITS} units, from gradients"
    same = relu.agreement(found(new), theirs)
    units = relu.units_found(found, hidden)
    per_unit = found.explained / UNITS
    return [
        row(ATTACK, setting, AGREES, same, asked=offered),
        row(ATTACK, setting, "hidden units found, share", units, asked=offered),
        row(ATTACK, setting, "explained queries a unit", per_unit, asked=offered),
    ]


def _distilled(world: World, index: int) -> list[Raw]:
    draws = world.draws(index, ATTACK)
    key = jax.random.fold_in(jax.random.fold_in(world.key, 3), index)
    own = world.auxiliary.x[draws.permutation(len(world.auxiliary.x))]
    new = world.points.x[world.others(index)]
    theirs = world.offered(index).ask(new, plain=True).prediction.probabilities
    out = []
    for budget in BUDGETS:
        queries, alone = own[:budget], None
        for name, guard in GUARDS.items() if budget == BUDGETS[-1] else [("none", "none")]:
            same = {}
            for view in distill.VIEWS if name == "none" else ("both",):
                offered = world.offered(index, "gradient", guard=guard)
                student = distill.distill(offered, world.model, queries, view=view, key=key)
                same[view] = relu.agreement(student(new), theirs)
            alone = same.get("prediction", alone)
            setting = f"distillation with gradients, {budget} real points"
            out.append(row(ATTACK, setting, AGREES, same["both"], guard=name, baseline=alone, asked=offered))
    return out
