"""The parts of a study that reconstruct inputs: in closed form, by a learned decoder, and by query ascent."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from leakjax import UsageError
from leakjax.attack.invert import ascent, learned
from leakjax.attack.invert.closed_form import TanhNetwork, linear_input, tanh_input
from leakjax.attack.invert.prior import priors_of
from leakjax.attack.invert.reidentify import hits
from leakjax.evaluate.similarity import ssim
from leakjax.inversion.guards import (
    AS_LABEL,
    AS_NOISE,
    AS_PLAIN,
    CLASS_MEAN,
    NOISE,
    PLAIN,
    POLICY,
    PRESET,
    STICKY,
    Guard,
)
from leakjax.inversion.row import Raw, row
from leakjax.inversion.world import World
from leakjax.oracle import ExplanationPart, Oracle, Release, Service, oracle

CLOSED, LEARNED, ASCENT = "closed-form inversion", "learned inversion", "query ascent"
ERROR = "mean squared error of a feature"
ALIKE = "structural similarity to the subject, SSIM"
NAMED, AMONG5 = "nearest candidate is the subject, share", "subject among the five nearest, share"
QUERIES = "queries until 99 % sure of the class"
REACHED = "confidence in the class after as many queries"
FAR = "squared error to the mean of the class's records"
NEAR = "AUC of closeness to the climb as a score of membership"
# What a guard adds to a value of a gradient, as far as its name says; of those that clip, relative to a norm of 1.
ERRORS = {"round_to(2)": 0.29e-2, NOISE: 0.1, PRESET: 0.03}
EXACT = 1e-6  # of a gradient as it is
ROUNDED = "confidence(2)"  # what decoders are shown of the prediction
LEFT_OUT = {STICKY: AS_NOISE, CLASS_MEAN: AS_LABEL, POLICY: AS_PLAIN}
STARTS = 8  # of the search for signs
MOST = 50  # targets of it
# Budgets of ascent: explained steps, and steps of plain probes.
STEPS = {"explanation": 20, "finite_differences": 10, "nes": 40}
DIRECTIONS = 2  # of the NES that has no more queries than the climb by explanations has
SLOPES = "gradient(output='log_probability')"  # along which climbs go


def closed_form(world: World, index: int, targets: int, candidates: int) -> list[Raw]:
    """A tanh network's inputs from one gradient under every guard; its linear positive control."""
    found = guarded_closed_form(world, index, targets, candidates, world.guards(LEFT_OUT))
    return found + _linear(world, index, targets, candidates)


def guarded_closed_form(
    world: World, index: int, targets: int, candidates: int, guards: Mapping[str, Guard]
) -> list[Raw]:
    """A tanh network's inputs from one gradient, under some guards."""
    rows, among, subjects = subjects_of(world, world.draws(index, CLOSED), min(targets, MOST), candidates)
    out: list[Raw] = []
    for name, guard in guards.items():
        offered = world.offered(index, "gradient", guard=guard)
        made = from_gradients(world, index, offered, rows, ERRORS.get(name, EXACT))
        setting = "gradient of a tanh network"
        out += judged(world, index, rows, CLOSED, setting, name, *made, among, subjects, offered)
    return out


def from_gradients(
    world: World, index: int, offered: Oracle, rows: np.ndarray, error: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs [targets, features] from one gradient each: found, the public class mean, and with the signs known."""
    priors = priors_of(world.auxiliary.x, world.auxiliary.y, world.points.classes)
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), world.variables(index)["params"])
    network = TanhNetwork(params["Dense_0"]["kernel"], params["Dense_0"]["bias"], params["Dense_1"]["kernel"])
    signs = np.sign(world.points.x[rows].reshape(len(rows), -1) @ network.hidden + network.bias)
    answer = offered.ask(world.points.x[rows])
    predicted = answer.prediction.probabilities.argmax(axis=1)
    slopes = np.asarray(answer.explanations[0], np.float64).reshape(len(rows), -1)

    def one(e: np.ndarray, c: int, s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        mean = priors[c].mean
        if not np.isfinite(e).all():  # withheld
            return mean, mean, mean
        found = tanh_input(e, network, c, priors[c], error=error, starts=STARTS, seed=index)
        return found, mean, tanh_input(e, network, c, priors[c], error=error, signs=s)

    made = [one(*each) for each in zip(slopes, predicted, signs, strict=True)]
    found, mean, best = (np.stack(part) for part in zip(*made, strict=True))
    return found, mean, best


def _linear(world: World, index: int, targets: int, candidates: int) -> list[Raw]:
    """The positive control: a linear model's input x gradient, divided by its weights."""
    draws = world.draws(index, CLOSED)
    rows, among, subjects = subjects_of(world, draws, min(targets, MOST), candidates)
    features, classes = among.shape[1], world.points.classes
    weights = draws.standard_normal((features, classes)).astype(np.float32)

    def logits(variables: Any, x: jax.Array) -> jax.Array:
        return x.reshape(-1) @ variables

    release = Release("vector", (ExplanationPart("input_x_gradient", "predicted"),))
    offered = oracle(Service(logits, weights), release, key=world.key, written=False)
    answer = offered.ask(world.points.x[rows])
    maps = answer.explanations[0].reshape(len(rows), -1)
    found = np.stack(
        [linear_input(e, weights[:, c]) for e, c in zip(maps, answer.explained_class[:, 0], strict=True)]
    )
    near = _nearest(found, among, subjects, 1)
    chance = np.full(len(rows), 1 / len(among))
    setting = "input x gradient of a linear model"
    return [row(CLOSED, setting, NAMED, near, baseline=chance, asked=offered)]


def learned_inversion(world: World, index: int, targets: int, candidates: int) -> list[Raw]:
    """A decoder of answers, trained on data of the same and of another distribution, under every guard."""
    out = guarded_decoders(world, index, targets, candidates, world.guards(LEFT_OUT))
    own = world.auxiliary.x
    # Another distribution of the same values: every picture on its side.
    turned = np.swapaxes(own, 1, 2)[:, ::-1]
    for data, prediction, whose in (
        (own, "vector", "own data of the same source"),
        (turned, ROUNDED, "own data turned by 90 degrees"),
    ):
        out += guarded_decoders(world, index, targets, candidates, {"none": PLAIN}, data, prediction, whose)
    return out


def guarded_decoders(
    world: World,
    index: int,
    targets: int,
    candidates: int,
    guards: Mapping[str, Guard],
    data: np.ndarray | None = None,
    prediction: str = ROUNDED,
    whose: str = "own data of the same source",
) -> list[Raw]:
    """A decoder of answers under some guards, trained on the auxiliary points unless other data is given."""
    rows, among, subjects = subjects_of(world, world.draws(index, LEARNED), targets, candidates)
    members = world.ensemble.membership[index][rows]
    real = world.points.x[rows].reshape(len(rows), -1)
    own = world.auxiliary.x if data is None else data
    setting = f"{whose}, {prediction}"
    plain = world.offered(index, "gradient", prediction=prediction)
    alone = decoded(world, index, plain, own, rows, "prediction")
    out: list[Raw] = []
    for name, guard in guards.items():
        offered = world.offered(index, "gradient", prediction=prediction, guard=guard)
        both = decoded(world, index, offered, own, rows, "both")
        both = np.where(np.isfinite(both), both, alone)  # of a map that is withheld
        out += judged(world, index, rows, LEARNED, setting, name, both, alone, None, among, subjects, offered)
        if guard is PLAIN:
            error = ((both - real) ** 2).mean(axis=1)
            measure = "AUC of the error as a score of membership"
            out.append(row(LEARNED, setting, measure, _auc(-error, members), asked=offered))
    return out


def decoded(
    world: World, index: int, offered: Oracle, own: np.ndarray, rows: np.ndarray, view: str
) -> np.ndarray:
    """Inputs [targets, features] by a decoder that is trained on `own` points; NaN where no map is shown."""
    key = jax.random.fold_in(world.key, index)
    try:
        made = learned.learn(offered, own, view=view, classes=world.points.classes, key=key)
    except UsageError:  # no map is shown that a decoder could learn from
        return np.full((len(rows), own[0].size), np.nan)
    answer = offered.ask(world.points.x[rows], plain=view == "prediction")
    return made(answer).reshape(len(rows), -1)


def query_ascent(world: World, index: int) -> list[Raw]:
    """Climbs to every class by explanations, finite differences and NES, and what that has to do with records."""
    draws = world.draws(index, ASCENT)
    classes = np.arange(world.points.classes)
    start = starts(world, draws, len(classes))
    member = world.ensemble.membership[index]
    private = _means(world.points.x[member], world.points.y[member], classes)
    public = _means(world.auxiliary.x, world.auxiliary.y, classes)
    out: list[Raw] = []
    for way, steps in STEPS.items():
        offered = world.offered(index, SLOPES, explained_class="asked")
        found = ascent.ascend(offered, classes, start, way=way, steps=steps, seed=index)
        climbed = found.x.reshape(len(classes), -1)
        setting = f"by {way.replace('_', ' ')}"
        out.append(row(ASCENT, setting, QUERIES, found.queries, asked=offered))
        out.append(row(ASCENT, setting, "confidence in the class", found.confidence, asked=offered))
        error = ((climbed - private) ** 2).mean(axis=1)
        mean_error = ((public - private) ** 2).mean(axis=1)
        out.append(row(ASCENT, setting, FAR, error, baseline=mean_error, asked=offered))
        near = [
            _nearer(climbed[c], world.points.x[world.points.y == c], member[world.points.y == c])
            for c in classes
        ]
        out.append(row(ASCENT, setting, NEAR, near, asked=offered))
    return out + guarded_ascent(world, index, world.guards({}))


def starts(world: World, draws: np.random.Generator, count: int) -> np.ndarray:
    """Grey inputs with a little noise, where climbs begin."""
    shape = (count, *world.points.x.shape[1:])
    return np.clip(0.5 + 0.1 * draws.standard_normal(shape), 0, 1).astype(np.float32)


def guarded_ascent(world: World, index: int, guards: Mapping[str, Guard]) -> list[Raw]:
    """Where climbs to every class by explanations end under guards, beside NES with as many plain queries."""
    classes = np.arange(world.points.classes)
    start = starts(world, world.draws(index, ASCENT), len(classes))
    steps = STEPS["explanation"]
    blind = ascent.ascend(
        world.offered(index),
        classes,
        start,
        way="nes",
        steps=steps // (1 + 2 * DIRECTIONS),
        directions=DIRECTIONS,
        seed=index,
    )
    out = []
    for name, guard in guards.items():
        offered = world.offered(index, SLOPES, explained_class="asked", guard=guard)
        found = ascent.ascend(offered, classes, start, way="explanation", steps=steps, seed=index)
        setting = f"by explanation, {steps} queries"
        sure = (found.confidence, blind.confidence)
        out.append(row(ASCENT, setting, REACHED, sure[0], guard=name, baseline=sure[1], asked=offered))
    return out


def subjects_of(
    world: World, draws: np.random.Generator, targets: int, candidates: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of the pool whose answers are attacked, the candidates flat, and which of these they are."""
    pool = draws.permutation(len(world.points.x))[:candidates]
    subjects = draws.choice(len(pool), min(targets, len(pool)), replace=False)
    return pool[subjects], world.points.x[pool].reshape(len(pool), -1).astype(np.float64), subjects


def judged(
    world: World,
    index: int,
    rows: np.ndarray,
    attack: str,
    setting: str,
    guard: str,
    found: np.ndarray,
    without: np.ndarray,
    best: np.ndarray | None,
    among: np.ndarray,
    subjects: np.ndarray,
    offered: Any,
) -> list[Raw]:
    """Rows of reconstructions [targets, features] of rows of the pool, beside those without an explanation.

    With the ceiling's, and as a control those of rows that the model was never trained on.
    """
    real, shape = world.points.x[rows].reshape(len(rows), -1), world.points.x.shape[1:]
    strange = ~world.ensemble.membership[index][rows]
    measures = {
        NAMED: lambda made: _nearest(made, among, subjects, 1),
        AMONG5: lambda made: _nearest(made, among, subjects, 5),
        ERROR: lambda made: ((made - real) ** 2).mean(axis=1),
    }
    if len(shape) == 3:  # images
        measures[ALIKE] = lambda made: ssim(made.reshape(-1, *shape), real.reshape(-1, *shape))
    out = []
    for what, of in measures.items():
        ceiling, reached = None if best is None else of(best), of(found)
        beside = {"baseline": of(without), "control": reached[strange], "ceiling": ceiling, "asked": offered}
        out.append(row(attack, setting, what, reached, guard=guard, **beside))
    return out


def _nearest(made: np.ndarray, among: np.ndarray, subjects: np.ndarray, top: int) -> np.ndarray:
    squared = (made**2).sum(axis=1)[:, None] + (among**2).sum(axis=1) - 2 * made @ among.T
    return hits(squared, subjects, top=top)


def _means(x: np.ndarray, y: np.ndarray, classes: np.ndarray) -> np.ndarray:
    return np.stack([x[y == label].reshape(-1, x[0].size).mean(axis=0) for label in classes])


def _nearer(found: np.ndarray, x: np.ndarray, member: np.ndarray) -> float:
    distance = ((x.reshape(len(x), -1) - found) ** 2).sum(axis=1)
    return _auc(-distance, member)


def _auc(score: np.ndarray, member: np.ndarray) -> float:
    """How often a member's score is above another's, ties counted half; NaN without either."""
    ours, theirs = score[member], score[~member]
    if not len(ours) or not len(theirs):
        return 0.5
    return float(np.mean((ours[:, None] > theirs) + 0.5 * (ours[:, None] == theirs)))
