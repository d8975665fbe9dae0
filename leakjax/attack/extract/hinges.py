"""A network with one hidden layer of ReLU units from where its explanations change, whatever they show.

Rounded values, signs, the largest few or sums over segments do not say a unit's weights. But along a line they change
at the hinges of units and nowhere else, where bisection finds them; and when the line is moved along a feature, a hinge
moves by that feature's weight. The weights out are those that fit plain answers, for either side of each unit.

Where the unit's input is zero was first used by Jagielski et al. 2020, "High Accuracy and High Fidelity Extraction of
Neural Networks", section 6, there by predictions of full precision.
"""

from typing import NamedTuple

import numpy as np

from leakjax._validate import at_least
from leakjax.attack import needed
from leakjax.attack.extract.relu import ReluNetwork
from leakjax.oracle import Answer, Oracle

KNOWS = "answers, the range of inputs, and that the network has one hidden layer of ReLU units"
_ALIKE = 2e-5  # relative to the largest value: maps no farther apart are one map, computed twice
_BLIND = 0.05  # intervals over which no two maps can be compared are given up below this, in units of 1 + |t|
# Inputs whose neighbours are looked at first, and how far those are: hinges are rarely nearer.
_LOOKS, _NEAR = 8, 0.03
_LINES, _BARREN = 8, 2  # lines at most, and those in turn that add no unit
_REACH, _WIDTH = 1e6, 2e-5
_STEPS = (1e-2, 1e-3)  # by which a line is moved; the shorter where another hinge is in the way
_WIDER, _HALVINGS = 4, 12
_CLOSE = 0.05  # how well what was found of a unit must foretell the line itself
_SAME = 0.999  # cosine of two directions that are one unit's


class _Change(NamedTuple):
    """Where maps change along a line: t [changes], the maps before and after [changes, features], of which class."""

    t: np.ndarray
    before: np.ndarray
    after: np.ndarray
    explained: np.ndarray


class _Maps:
    """What a service shows, and how many explanations were asked for."""

    def __init__(self, oracle: Oracle[Answer], shape: tuple[int, ...], classes: int, most: int) -> None:
        self._oracle, self._shape, self._most = oracle, shape, most
        self.features, self.classes = int(np.prod(shape)), np.arange(classes)
        self.asked, self.note = 0, ""

    def __call__(self, points: np.ndarray, explained: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Maps [points, features] of points [points, features], and of which class each is, -1 where withheld."""
        if not self.note and self.asked + len(points) > self._most:
            self.note = f"stopped at {self.asked} explained queries, of {self._most} allowed"
        if self.note:
            return np.full(points.shape, np.nan), np.full(len(points), -1)
        self.asked += len(points)
        answer = self._oracle.ask(points.reshape(-1, *self._shape).astype(np.float32), explained)
        if not answer.answered.all():
            self.note = f"the oracle refused after {self.asked - len(points)} explained queries"
        needed.vectors(answer)  # the weights out need them
        return np.asarray(needed.explanations(answer)[0]).reshape(points.shape), answer.explained_class[:, 0]

    def of_all(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Maps [points, classes, features] and their classes [points, classes], of every class that is explained."""
        every = np.repeat(points, len(self.classes), axis=0)
        maps, explained = self(every, np.tile(self.classes, len(points)))
        both = (len(points), len(self.classes))
        return maps.reshape(*both, -1), explained.reshape(both)


def extract_by_hinges(
    oracle: Oracle[Answer],
    shape: tuple[int, ...],
    classes: int,
    *,
    seed: int,
    low: float = 0.0,
    high: float = 1.0,
    most: int = 2_000_000,
) -> ReluNetwork:
    """Finds the units whose hinges change what is shown, along lines until two add no unit.

    Args:
      oracle: releases explanations that depend on the gradient, and vectors of probabilities.
      shape: of one example.
      classes: how many there are.
      seed: of the lines.
      low: least value of a feature.
      high: largest value of a feature.
      most: explained queries.

    Returns:
      `ReluNetwork`, in which every unit stands twice, once for each side that may be the active one.

    Raises:
      UsageError: fewer than two classes, or no explained query at all.
    """
    at_least("classes", classes, 2)
    at_least("most", most, 1)
    maps, draws = _Maps(oracle, shape, classes, most), np.random.default_rng(seed)
    inward, bias = np.zeros((0, maps.features)), np.zeros(0)
    note = _first_look(maps, draws.uniform(low, high, (_LOOKS, maps.features)), draws)
    barren = 0
    for line in range(0 if note else _LINES):
        away, drawn = draws.standard_normal((2, maps.features))
        # Farther and farther out: where a service is unsure it may explain nothing.
        origin = draws.uniform(low, high, maps.features) + line * (high - low) * away
        direction = drawn / np.linalg.norm(drawn)
        change = _new(_changes(maps, origin, direction), origin, direction, inward, bias)
        found, at = _units(maps, origin, direction, change)
        fresh = _distinct(found, inward)
        barren = 0 if fresh.any() else barren + 1
        if barren == _BARREN:
            break
        inward, bias = np.concatenate([inward, found[fresh]]), np.concatenate([bias, at[fresh]])
    network = fitted(oracle, shape, inward, bias, seed=seed, low=low, high=high)
    return network._replace(explained=maps.asked, note=note or maps.note)


def _first_look(maps: _Maps, points: np.ndarray, draws: np.random.Generator) -> str:
    """Asks about some inputs and a neighbour of each; why changes tell nothing, "" where they say something."""
    moved = draws.standard_normal(points.shape)
    near = points + _NEAR * moved / np.linalg.norm(moved, axis=1, keepdims=True)
    shown, explained = maps.of_all(np.concatenate([points, near]))
    if maps.note:
        return maps.note
    if (explained == explained[:, :1]).all():
        maps.classes = maps.classes[:1]  # whatever class is asked for, the service explains its own
    alike = _alike(*np.split(shown, 2)).all(axis=1)
    return "" if alike.mean() >= 0.5 else "explanations of neighbours differ: changes say nothing of units"


def _alike(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Whether maps [..., features] are the same; two that are withheld are."""
    scale = np.maximum(np.abs(np.nan_to_num(one)).max(axis=-1), np.abs(np.nan_to_num(other)).max(axis=-1))
    return np.nan_to_num(np.abs(one - other)).max(axis=-1) <= _ALIKE * scale


def _changes(maps: _Maps, origin: np.ndarray, direction: np.ndarray) -> _Change:
    """Where the maps of any class change along a line, by bisection of all intervals at once."""

    def at(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return maps.of_all(origin + t[:, None] * direction)

    ends, (shown, explained) = np.array([-_REACH, _REACH]), at(np.array([-_REACH, _REACH]))
    low, high = ends[:1], ends[1:]
    left, right, of_left, of_right = shown[:1], shown[1:], explained[:1], explained[1:]
    found: list[_Change] = []
    while len(low):
        middle = (low + high) / 2
        between, of_between = at(middle)
        low, high = np.concatenate([low, middle]), np.concatenate([middle, high])
        left, right = np.concatenate([left, between]), np.concatenate([between, right])
        of_left, of_right = np.concatenate([of_left, of_between]), np.concatenate([of_between, of_right])
        same = (of_left == of_right) & (of_left >= 0)
        changed = same & ~_alike(left, right)
        size, scale = high - low, 1 + np.abs(low)
        narrow = size <= _WIDTH * scale
        for place in np.flatnonzero(changed.any(axis=1) & narrow):
            jump = np.abs(right[place] - left[place]).sum(axis=1)
            most = int(np.where(changed[place], jump, -1).argmax())
            found.append(
                _Change(
                    (low[place] + high[place]) / 2,
                    left[place, most],
                    right[place, most],
                    of_left[place, most],
                )
            )
        blind = ~same.any(axis=1) & (size > _BLIND * scale)
        on = (changed.any(axis=1) & ~narrow) | blind
        low, high, left, right = low[on], high[on], left[on], right[on]
        of_left, of_right = of_left[on], of_right[on]
    if not found:
        empty = np.zeros((0, len(origin)))
        return _Change(np.zeros(0), empty, empty, np.zeros(0, int))
    return _Change(*(np.stack(part) for part in zip(*found, strict=True)))


def _new(
    change: _Change, origin: np.ndarray, direction: np.ndarray, inward: np.ndarray, bias: np.ndarray
) -> _Change:
    """The changes that are not those of units that were found before."""
    known = -(inward @ origin + bias) / (inward @ direction)
    apart = np.abs(change.t[:, None] - known) > 1e-3 * (1 + np.abs(change.t[:, None]))
    return _Change(*(part[apart.all(axis=1)] for part in change))


def _units(
    maps: _Maps, origin: np.ndarray, direction: np.ndarray, change: _Change
) -> tuple[np.ndarray, np.ndarray]:
    """Weights in [units, features] of length 1 and biases [units], of those changes that behave as a unit does."""
    inward = np.full((len(change.t), len(origin)), np.nan)
    for step in _STEPS:
        left = ~np.isfinite(inward).all(axis=1)
        if left.any():
            inward[left] = _weights(maps, origin, direction, _Change(*(part[left] for part in change)), step)
    told = np.isfinite(inward).all(axis=1)
    inward = inward[told] / np.linalg.norm(inward[told], axis=1, keepdims=True)
    hinge = origin + change.t[told][:, None] * direction
    return inward, -(inward * hinge).sum(axis=1)


def _weights(
    maps: _Maps, origin: np.ndarray, direction: np.ndarray, change: _Change, step: float
) -> np.ndarray:
    """Weights in [changes, features], in units of how steeply a unit rises along the line; NaN where none fit."""
    count, features = len(change.t), len(origin)
    length = step * (1 + np.abs(change.t))[:, None]  # [changes, 1]
    half, jump = (change.before + change.after) / 2, change.after - change.before

    def passed(t: np.ndarray, where: np.ndarray) -> np.ndarray:
        """Whether points of moved lines [changes, features] lie behind the hinge, of those asked for."""
        unit, feature = np.nonzero(where)
        points = origin + (change.t[unit] + t[where])[:, None] * direction
        points[np.arange(len(unit)), feature] += length[unit, 0]
        shown, explained = maps(points, change.explained[unit])
        side = ((shown - half[unit]) * jump[unit]).sum(axis=1)
        side[explained != change.explained[unit]] = np.nan
        out = np.full(t.shape, np.nan)
        out[where] = side
        return out > 0

    room = np.broadcast_to(4 * length, (count, features)).copy()
    wrong = np.ones((count, features), bool)
    for _ in range(_WIDER):
        wrong &= passed(-room, wrong) | ~passed(room, wrong)
        room[wrong] *= 2
    some = np.asarray(~wrong.any(axis=1))
    low, high = -room, room
    every = np.broadcast_to(some[:, None], wrong.shape)
    for _ in range(_HALVINGS if some.any() else 0):
        middle = (low + high) / 2
        behind = passed(middle, every)
        low, high = np.where(behind, low, middle), np.where(behind, middle, high)
    found = -(low + high) / 2 / length
    some &= np.abs(found @ direction - 1) < _CLOSE
    return np.where(some[:, None], found, np.nan)


def _distinct(found: np.ndarray, inward: np.ndarray) -> np.ndarray:
    """Which directions [units, features] are neither those of known units nor of one before them."""
    alike = np.abs(found @ np.concatenate([inward, found]).T) > _SAME
    return ~np.tril(alike, len(inward) - 1).any(axis=1)


def fitted(
    oracle: Oracle[Answer],
    shape: tuple[int, ...],
    inward: np.ndarray,
    bias: np.ndarray,
    *,
    seed: int,
    low: float = 0.0,
    high: float = 1.0,
) -> ReluNetwork:
    """The network of given units whose weights out fit plain answers, around every hinge and over the range of inputs.

    Args:
      oracle: releases vectors of probabilities.
      shape: of one example.
      inward: [units, features], of length 1.
      bias: [units].
      seed: of the inputs.
      low: least value of a feature.
      high: largest value of a feature.
    """
    draws, features = np.random.default_rng(seed), int(np.prod(shape))
    anywhere = draws.uniform(low, high, (8 * (len(inward) + 1), features))
    # From points of the range to the hinges, and somewhat beyond.
    start = draws.uniform(low, high, (8 * len(inward), features))
    unit = np.arange(len(start)) % max(len(inward), 1)
    rise = (start * inward[unit]).sum(axis=1) + bias[unit]
    beyond = draws.normal(size=len(start))
    points = np.concatenate([anywhere, start + (beyond - rise)[:, None] * inward[unit]]).astype(np.float32)
    answer = oracle.ask(points.reshape(-1, *shape), plain=True)
    there = answer.answered
    logs = np.asarray(needed.vectors(answer), np.float64)[there]
    hidden, sides = np.concatenate([inward, -inward]).T, np.concatenate([bias, -bias])
    active = np.maximum(points[there] @ hidden + sides, 0)
    terms = np.concatenate([active, np.ones((len(active), 1))], axis=1)
    out = np.linalg.lstsq(terms, logs - logs.mean(axis=1, keepdims=True), rcond=1e-6)[0]
    return ReluNetwork(hidden, sides, out[:-1], out[-1], 0, "")
