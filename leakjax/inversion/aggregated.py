"""The part of a study on aggregates, which the source recommends: group means, partial dependence, ICE curves."""

from typing import Any

import numpy as np

from leakjax.attack.invert.aggregate import expectation_curves, match_curves, name_group, own_maps
from leakjax.inversion.row import Raw, row
from leakjax.inversion.world import World
from leakjax.oracle import Answer, Oracle, Predicted, Question

ATTACK = "aggregates"
MEASURE = "members of the group named, share"
FALSE = "candidates wrongly named, share"
SIZES = (5, 20, 60)
CANDIDATES = 200
FORESTS = (20, 60, 200)  # training rows: small data
SWEPT, VALUES = 16, 4  # features that curves sweep, and how many values of each


def measure(world: World, index: int) -> list[Raw]:
    """Names the members of groups whose mean map is shown, and of those behind curves of a forest."""
    draws = world.draws(index, ATTACK)
    pool = world.members(index)
    candidates = pool[draws.permutation(len(pool))[: min(CANDIDATES, len(pool))]]
    offered = world.offered(index, "gradient")
    terms = own_maps(offered, world.points.x[candidates])
    out = []
    for size in (each for each in SIZES if each < len(candidates)):
        group = np.sort(draws.choice(len(candidates), size, replace=False))
        shown = terms[group].mean(axis=0)
        named = name_group(terms, shown, members=size, seed=index)
        right = np.isin(group, named.members)
        chance = np.full(size, size / len(candidates))
        setting = f"mean gradient of {size} of {len(candidates)} records"
        out.append(row(ATTACK, setting, MEASURE, right, baseline=chance, asked=offered))
        rounded = name_group(terms, _two_digits(shown), members=size, seed=index)
        right = np.isin(group, rounded.members)
        out.append(row(ATTACK, f"{setting}, 2 digits", MEASURE, right, baseline=chance, asked=offered))
    for size in (each for each in FORESTS if 2 * each <= len(world.points.x)):
        out += _curves(world, index, draws, size)
    return out


def _curves(world: World, index: int, draws: np.random.Generator, size: int) -> list[Raw]:
    """Partial dependence and ICE curves of a random forest on few rows, among as many others."""
    from sklearn.ensemble import RandomForestClassifier  # slow to import

    chosen = draws.permutation(len(world.points.x))[: 2 * size]
    x, y = world.points.x[chosen].reshape(2 * size, -1), world.points.y[chosen]
    forest = RandomForestClassifier(50, random_state=index).fit(x[:size], y[:size])
    offered = Oracle(_answers_of(forest, world.points.classes), written=False)

    def predict(rows: np.ndarray) -> np.ndarray:
        return offered.ask(rows, plain=True).prediction.probabilities

    features = np.argsort(-x.var(axis=0))[:SWEPT]
    curves = expectation_curves(predict, x, features, np.linspace(0.0, 1.0, VALUES))
    released = curves[draws.permutation(size)]  # the owner's, of the rows that it was trained on
    inside = match_curves(released, curves)
    named = name_group(curves, released.mean(axis=0), members=size, seed=index)
    right = np.isin(np.arange(size), named.members)
    chance = np.full(size, 0.5)
    alone, mean = (f"{what} of a forest on {size} rows" for what in ("ICE curves", "partial dependence"))
    return [
        row(ATTACK, alone, MEASURE, inside[:size], baseline=chance, asked=offered),
        row(ATTACK, alone, FALSE, inside[size:], asked=offered),
        row(ATTACK, mean, MEASURE, right, baseline=chance, asked=offered),
    ]


def _answers_of(forest: Any, classes: int) -> Any:
    """A forest's answers to plain questions."""

    def answer(question: Question) -> Answer:
        count = len(question.x)
        chances = np.zeros((count, classes))
        chances[:, forest.classes_.astype(int)] = forest.predict_proba(question.x.reshape(count, -1))
        shown = Predicted(np.tile(np.arange(classes), (count, 1)), chances)
        return Answer(shown, (), np.zeros((count, 0), np.int32), np.full(count, "answered", dtype="<U9"))

    return answer


def _two_digits(values: np.ndarray) -> np.ndarray:
    """Values rounded to two significant digits of the largest."""
    unit = 10.0 ** (np.floor(np.log10(np.abs(values).max() or 1.0)) - 1)
    return np.round(values / unit) * unit
