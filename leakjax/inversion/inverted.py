"""The parts of a study that reconstruct inputs: in closed form, by a learned decoder, and by query ascent."""

from importlib.util import find_spec
from typing import Any

import jax
import numpy as np

from leakjax import models
from leakjax.attack.invert import ascent, learned
from leakjax.attack.invert.closed_form import TanhNetwork, linear_input, tanh_input
from leakjax.attack.invert.prior import priors_of
from leakjax.attack.invert.reidentify import hits
from leakjax.evaluate.similarity import ssim
from leakjax.inversion.guards import GUARDS, PRESET
from leakjax.inversion.networks import trained_one
from leakjax.inversion.row import Raw, row
from leakjax.inversion.world import NETWORK, World
from leakjax.oracle import ExplanationPart, Oracle, Release, Service, oracle
from leakjax.shadow import TrainConfig

CLOSED, LEARNED, ASCENT = "closed-form inversion", "learned inversion", "query ascent"
ERROR = "mean squared error of a feature"
ALIKE = "structural similarity to the subject, SSIM"
NAMED, AMONG5 = "nearest candidate is the subject, share", "subject among the five nearest, share"
QUERIES = "queries until 99 % sure of the class"
REACHED = "confidence in the class after as many queries"
FAR = "squared error to the mean of the class's records"
NEAR = "AUC of closeness to the climb as a score of membership"
# What a guard adds to a value of a gradient, as far as its name says; of those that clip, relative to a norm of 1.
ERRORS = {"round_to(2)": 0.29e-2, "clipped, noise of 0.1": 0.1, PRESET: 0.03}
# How else targets are trained, beside the study's own: options of the network, and of its training.
TRAININGS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "weight decay of 0.001": ({}, {"weight_decay": 1e-3}),
    "dropout of 0.5": ({"dropout": 0.5}, {}),
}
if find_spec("jax_privacy") is not None:  # the extra "private"
    TRAININGS["DP-SGD, noise multiplier 1"] = ({}, {"noise_multiplier": 1.0})
STARTS = 8  # of the search for signs
MOST = 50  # targets of it
# Budgets of ascent: explained steps, and steps of plain probes.
STEPS = {"explanation": 20, "finite_differences": 10, "nes": 40}
DIRECTIONS = 2  # of the NES that has no more queries than the climb by explanations has
MEMBERSHIPS = 8
SHOWN = 8  # reconstructions in a figure


def closed_form(world: World, index: int, targets: int, candidates: int, epochs: int) -> dict[str, Any]:
    """A tanh network's inputs from one gradient; its linear positive control; pictures."""
    draws = world.draws(index, CLOSED)
    rows, among, subjects = subjects_of(world, draws, min(targets, MOST), candidates)
    real, shape = world.points.x[rows].reshape(len(rows), -1), world.points.x.shape[1:]
    out: list[Raw] = []
    pictures: dict[str, Any] = {}
    for name, guard in GUARDS.items():
        offered, error = world.offered(index, "gradient", guard=guard), ERRORS.get(name, 1e-6)
        made = _from_gradients(world, world.variables(index), offered, rows, error, index)
        setting = "gradient of a tanh network"
        out += judged(CLOSED, setting, name, *made, real, among, subjects, offered, shape)
        if name == "none":
            shown = {"sought": real, "closed form, from one gradient": made[0], "public class mean": made[1]}
            pictures = _pictures(world, shown, rows)
    for name, (options, changes) in TRAININGS.items():
        model = models.make(NETWORK, world.points.classes, **options)
        config = TrainConfig(epochs=epochs, **changes)
        key = jax.random.fold_in(world.key, index)
        variables = trained_one(model, world.points, world.ensemble.membership[index], config, key, index)
        release = Release("vector", (ExplanationPart("gradient"),))
        offered = oracle(Service(model.logits_fn, variables), release, key=key, written=False)
        found, mean, best = _from_gradients(world, variables, offered, rows, 1e-6, index)
        near = (_nearest(each, among, subjects, 1) for each in (found, mean, best))
        reached, without, ceiling = near
        setting = f"gradient of a tanh network, {name}"
        out.append(row(CLOSED, setting, NAMED, reached, baseline=without, ceiling=ceiling, asked=offered))
    return {"rows": out + _linear(world, draws, rows, among, subjects), "pictures": pictures}


def _from_gradients(
    world: World, variables: Any, offered: Oracle, rows: np.ndarray, error: float, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs [targets, features] from one gradient each: found, the public class mean, and with the signs known."""
    priors = priors_of(world.auxiliary.x, world.auxiliary.y, world.points.classes)
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), variables["params"])
    network = TanhNetwork(params["Dense_0"]["kernel"], params["Dense_0"]["bias"], params["Dense_1"]["kernel"])
    signs = np.sign(world.points.x[rows].reshape(len(rows), -1) @ network.hidden + network.bias)
    answer = offered.ask(world.points.x[rows])
    explained = answer.explained_class[:, 0]
    slopes = np.asarray(answer.explanations[0], np.float64).reshape(len(rows), -1)
    made = [
        (
            tanh_input(e, network, c, priors[c], error=error, starts=STARTS, seed=seed),
            priors[c].mean,
            tanh_input(e, network, c, priors[c], error=error, signs=s),
        )
        for e, c, s in zip(slopes, explained, signs, strict=True)
    ]
    found, mean, best = (np.stack(part) for part in zip(*made, strict=True))
    return found, mean, best


def _linear(
    world: World, draws: np.random.Generator, rows: np.ndarray, among: np.ndarray, subjects: np.ndarray
) -> list[Raw]:
    """The positive control: a linear model's input x gradient, divided by its weights."""
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


def learned_inversion(world: World, index: int, targets: int, candidates: int) -> dict[str, Any]:
    """A decoder of answers, trained on data of the same and of another distribution."""
    draws = world.draws(index, LEARNED)
    rows, among, subjects = subjects_of(world, draws, targets, candidates)
    members = world.ensemble.membership[index][rows]
    real, shape = world.points.x[rows].reshape(len(rows), -1), world.points.x.shape[1:]
    own = world.auxiliary.x
    # Another distribution of the same values: every picture on its side.
    turned = np.swapaxes(own, 1, 2)[:, ::-1]
    settings = [
        *(("own data of the same source, confidence(2)", own, "confidence(2)", name) for name in GUARDS),
        ("own data of the same source, vector", own, "vector", "none"),
        ("own data turned by 90 degrees, confidence(2)", turned, "confidence(2)", "none"),
    ]
    key = jax.random.fold_in(world.key, index)
    out: list[Raw] = []
    pictures: dict[str, Any] = {}
    alone: dict[str, np.ndarray] = {}
    for setting, data, prediction, name in settings:
        asked = {
            view: world.offered(index, "gradient", prediction=prediction, guard=GUARDS[name])
            for view in learned.VIEWS
            if view == "both" or setting not in alone
        }
        found = {}
        for view, offered in asked.items():
            made = learned.learn(offered, data, view=view, classes=world.points.classes, key=key)
            answer = offered.ask(world.points.x[rows], plain=view == "prediction")
            found[view] = made(answer).reshape(len(rows), -1)
        alone.setdefault(setting, found.get("prediction", real))
        both, offered = found["both"], asked["both"]
        without = alone[setting]
        out += judged(LEARNED, setting, name, both, without, None, real, among, subjects, offered, shape)
        if not pictures:
            shown = {
                "sought of decoders": real,
                "decoder, from prediction": alone[setting],
                "decoder, with gradient": both,
            }
            pictures = _pictures(world, shown, rows)
            error = ((both - real) ** 2).mean(axis=1)
            out.append(
                row(LEARNED, setting, "AUC of the error as a score of membership", _auc(-error, members))
            )
    return {"rows": out, "pictures": pictures}


def query_ascent(world: World, index: int) -> dict[str, Any]:
    """Climbs to every class by explanations, finite differences and NES, and what that has to do with records."""
    draws = world.draws(index, ASCENT)
    classes = np.arange(world.points.classes)
    shape = world.points.x.shape[1:]
    start = np.clip(0.5 + 0.1 * draws.standard_normal((len(classes), *shape)), 0, 1).astype(np.float32)
    member = world.ensemble.membership[index]
    private = _means(world.points.x[member], world.points.y[member], classes)
    public = _means(world.auxiliary.x, world.auxiliary.y, classes)
    out: list[Raw] = []
    climbed = {}
    for way, steps in STEPS.items():
        offered = world.offered(index, "gradient(output='log_probability')", explained_class="asked")
        found = ascent.ascend(offered, classes, start, way=way, steps=steps, seed=index)
        climbed[way] = found.x.reshape(len(classes), -1)
        setting = f"by {way.replace('_', ' ')}"
        out.append(row(ASCENT, setting, QUERIES, found.queries, asked=offered))
        out.append(row(ASCENT, setting, "confidence in the class", found.confidence, asked=offered))
        error = ((climbed[way] - private) ** 2).mean(axis=1)
        mean_error = ((public - private) ** 2).mean(axis=1)
        out.append(row(ASCENT, setting, FAR, error, baseline=mean_error, asked=offered))
        near = [
            _nearer(climbed[way][c], world.points.x[world.points.y == c], member[world.points.y == c])
            for c in classes
        ]
        out.append(row(ASCENT, setting, NEAR, near, asked=offered))
    out += guarded_ascent(world, index, classes, start)
    return {
        "rows": out,
        "pictures": _pictures(world, {"public means": public, "query ascent": climbed["explanation"]}),
    }


def guarded_ascent(world: World, index: int, classes: np.ndarray, start: np.ndarray) -> list[Raw]:
    """Where the climb by explanations ends under every guard, beside NES with as many queries and no explanation.

    Args:
      world: whose model is asked.
      index: of the model.
      classes: int [targets], to climb to.
      start: [targets, ...].
    """
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
    for name, guard in GUARDS.items():
        offered = world.offered(
            index, "gradient(output='log_probability')", explained_class="asked", guard=guard
        )
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
    attack: str,
    setting: str,
    guard: str,
    found: np.ndarray,
    without: np.ndarray,
    best: np.ndarray | None,
    real: np.ndarray,
    among: np.ndarray,
    subjects: np.ndarray,
    offered: Any,
    shape: tuple[int, ...],
) -> list[Raw]:
    """Rows of reconstructions [targets, features] beside those without an explanation, and the ceiling's."""
    measures = {
        NAMED: lambda made: _nearest(made, among, subjects, 1),
        AMONG5: lambda made: _nearest(made, among, subjects, 5),
        ERROR: lambda made: ((made - real) ** 2).mean(axis=1),
    }
    if len(shape) == 3:  # images
        measures[ALIKE] = lambda made: ssim(made.reshape(-1, *shape), real.reshape(-1, *shape))
    out = []
    for what, of in measures.items():
        ceiling = None if best is None else of(best)
        out.append(
            row(
                attack,
                setting,
                what,
                of(found),
                guard=guard,
                baseline=of(without),
                ceiling=ceiling,
                asked=offered,
            )
        )
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


def _pictures(world: World, made: dict[str, np.ndarray], rows: np.ndarray | None = None) -> dict[str, Any]:
    """Reconstructions of each kind as images [height, width]; none where points are no images.

    A page may be passed round: of rows of the pool it shows those alone that no target model was trained on.
    """
    shape = world.points.x.shape[1:]
    if len(shape) != 3:
        return {}
    open_ = slice(None) if rows is None else ~world.ensemble.membership[:, rows].any(axis=0)
    return {
        name: np.round(each[open_][:SHOWN].reshape(-1, *shape)[..., 0], 3).tolist()
        for name, each in made.items()
    }
