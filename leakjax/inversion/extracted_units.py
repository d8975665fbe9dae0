"""The part of a study that finds the units of ReLU networks."""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.attack.extract import distill, hinges, relu, told
from leakjax.inversion.extracted import AGREES
from leakjax.inversion.guards import AS_LABEL, CLASS_MEAN, NOISE, PLAIN, PRESET, STICKY, Guard
from leakjax.inversion.row import Raw, row
from leakjax.inversion.world import World, network
from leakjax.models import Model
from leakjax.oracle import Answer, ExplanationPart, Oracle, Release, Service, oracle

ATTACK = "extraction of a ReLU network"
FOUND, EACH = "hidden units found, share", "explained queries a unit"
UNITS = 128
# Fewer for whoever asks some thousand times a unit, and as often again for every feature of an input.
MOST_GUARDED, LEAST_GUARDED, GUARDED_WEIGHTS = 16, 4, 6000
# A student learns from so many plain answers: to the attacker's own points but a fifth, and around them.
PLAIN_ANSWERS, AROUND = 4000, 0.3
BLURRED = (NOISE, STICKY, PRESET)  # guards that draw noise: hinges are told for a ceiling
LEFT_OUT = {CLASS_MEAN: AS_LABEL}


def measure(world: World, index: int) -> list[Raw]:
    """Finds the units of a large network from plain gradients, and those of a small one under every guard."""
    return [*_from_gradients(world, index), *guarded(world, index, world.guards(LEFT_OUT))]


def _from_gradients(world: World, index: int) -> list[Raw]:
    model, variables = _network(world, index, UNITS)
    new = world.auxiliary.x
    offered = _offered(world, model, variables, PLAIN)
    found = relu.extract_relu(offered, new.shape[1:], world.points.classes, seed=index)
    setting = f"{UNITS} units, from the jumps of gradients"
    same = relu.agreement(found(new), _logits(model, variables, new))
    units = relu.units_found(found.hidden, _hidden(variables))
    return [
        row(ATTACK, setting, AGREES, same, asked=offered),
        row(ATTACK, setting, FOUND, units, asked=offered),
        row(ATTACK, setting, EACH, found.explained / UNITS, asked=offered),
    ]


def guarded(world: World, index: int, guards: Mapping[str, Guard]) -> list[Raw]:
    """Finds units from where explanations change, under some guards, beside a student of plain answers.

    Of the two the attacker keeps what fits plain answers to the rest of its own points better.
    """
    shape, classes = world.points.x.shape[1:], world.points.classes
    count = max(LEAST_GUARDED, min(MOST_GUARDED, GUARDED_WEIGHTS // math.prod(shape)))
    model, variables = _network(world, index, count)
    hidden = _hidden(variables)
    new = world.points.x[world.others(index)]
    theirs = _logits(model, variables, new)
    key = jax.random.fold_in(jax.random.fold_in(world.key, 4), index)
    own, held = _asked_plainly(world, index)
    plainly = _offered(world, model, variables, PLAIN)
    student = distill.distill(plainly, model, own, view="prediction", key=key)
    answers = plainly.ask(held, plain=True)
    alone = relu.agreement(student(new), theirs)
    units_alone = relu.units_found(_hidden(student.variables), hidden)
    setting = f"{count} units, from where explanations change"
    out: list[Raw] = []
    for name, guard in guards.items():
        offered = _offered(world, model, variables, guard)
        found = hinges.extract_by_hinges(offered, shape, classes, seed=index)
        better = _error(found(held), answers) < _error(student(held), answers)
        units = relu.units_found(found.hidden, hidden) if better else units_alone
        same = relu.agreement(found(new), theirs) if better else alone
        best = None
        if name in BLURRED:
            bias = np.asarray(variables["params"]["Dense_0"]["bias"], np.float64)
            best = told.extract_told(
                _offered(world, model, variables, guard), shape, classes, hidden, bias, seed=index
            )
        asked = [offered, plainly]
        for what, reached, without, most in (
            (FOUND, units, units_alone, best and relu.units_found(best.hidden, hidden)),
            (AGREES, same, alone, best and relu.agreement(best(new), theirs)),
        ):
            out.append(
                row(ATTACK, setting, what, reached, guard=name, baseline=without, ceiling=most, asked=asked)
            )
    return out


def _asked_plainly(world: World, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs whose plain answers a student learns from, and those that copies are compared on."""
    draws = world.draws(index, ATTACK)
    real = world.auxiliary.x[draws.permutation(len(world.auxiliary.x))]
    known, held = np.split(real, [len(real) * 4 // 5])
    turn = np.arange(PLAIN_ANSWERS)
    own = known[turn % len(known)]
    own[len(known) :] += AROUND * draws.standard_normal(own[len(known) :].shape)
    return own, held


def _network(world: World, index: int, units: int) -> tuple[Model, Any]:
    """A ReLU network and its variables, trained as the target model was."""
    name = f"mlp(widths=({units},), activation='relu')"
    model = network(name, world.points.classes, world.options)
    return model, world.trained(model, world.points, index, jax.random.fold_in(world.key, 2))


def _offered(world: World, model: Model, variables: Any, guard: Guard) -> Oracle[Answer]:
    explained = "predicted" if guard.predicted else "asked"
    release = Release("vector", (ExplanationPart("gradient", explained, guard.defense),))
    service = Service(model.logits_fn, variables, **guard.policy)
    return oracle(service, release, key=jax.random.fold_in(world.key, 2), written=False)


def _logits(model: Model, variables: Any, x: np.ndarray) -> np.ndarray:
    return np.asarray(jax.vmap(model.logits_fn, (None, 0))(variables, jnp.asarray(x)))


def _hidden(variables: Any) -> np.ndarray:
    return np.asarray(variables["params"]["Dense_0"]["kernel"], np.float64)


def _error(logits: np.ndarray, answer: Answer) -> float:
    """How far a copy is from answers: mean squared difference of log-probabilities, up to what classes share."""
    difference = logits - answer.prediction.probabilities
    return float(np.mean((difference - difference.mean(axis=1, keepdims=True)) ** 2))
