"""A network with one hidden layer of ReLU units from its gradients.

Along a line the gradient of a logit is constant but for a jump at each unit's hinge. Bisection finds the hinges; there
the jump over all classes is one matrix of rank 1, whose singular vectors are the unit's weights in and out; where the
hinge lies gives its bias. Which side of each hinge is the active one is left open by the jumps, and settled by the
gradient at one point.

Source: Milli, Schmidt, Dragan, Hardt 2019, "Model Reconstruction from Model Explanations", section 4.
"""

from typing import NamedTuple

import numpy as np

from leakjax._validate import at_least, fail
from leakjax.attack import needed
from leakjax.oracle import Answer, Oracle

# Widths of an interval: within so many another one is of the same hinge, and rounding decides no longer so far from it.
_SAME, _CLEAR = 4, 10
KNOWS = "answers, and that the network has one hidden layer of ReLU units"


class ReluNetwork(NamedTuple):
    """A network x -> relu(x W + b) V + c, as far as it was found.

    Attributes:
      hidden: W [features, units], columns of length 1.
      bias: b [units].
      out: V [units, classes].
      offset: c [classes], less its mean.
      explained: explained queries that were asked.
      note: what kept the attack from going on, "" if nothing did.
    """

    hidden: np.ndarray
    bias: np.ndarray
    out: np.ndarray
    offset: np.ndarray
    explained: int
    note: str

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Logits [queries, classes] of x [queries, ...], up to what all classes share."""
        flat = np.asarray(x, np.float64).reshape(len(x), -1)
        return np.maximum(flat @ self.hidden + self.bias, 0) @ self.out + self.offset


def extract_relu(
    oracle: Oracle[Answer],
    shape: tuple[int, ...],
    classes: int,
    *,
    seed: int,
    reach: float = 1e6,
    width: float = 2e-5,
    most: int = 100_000,
) -> ReluNetwork:
    """Finds the units whose hinges a random line crosses.

    Args:
      oracle: releases gradients of the logit of the class that is asked for, and vectors of probabilities.
      shape: of one example.
      classes: how many there are.
      seed: of the line.
      reach: how far the line goes from the origin, each way, in units of its direction, of length 1.
      width: how near two points are between which a hinge counts as found, near the origin; farther out as much more as
        floating-point numbers are coarser.
      most: explained queries.

    Returns:
      `ReluNetwork`.

    Raises:
      UsageError: fewer than two classes, or the first queries are refused.
    """
    at_least("classes", classes, 2)
    line = _Line(oracle, shape, classes, seed, most)
    ends = np.array([-reach, reach])
    first = line.slopes(ends)
    if not np.isfinite(first).all():
        raise fail("answered", 0, "the oracle refused the first queries, or gave no gradients")
    hinges = _hinges(line, ends, first, width)
    units = [found for found in (_unit(line, *sides) for sides in _apart(hinges)) if found is not None]
    if not units:
        empty = np.zeros((int(np.prod(shape)), 0))
        return ReluNetwork(
            empty, np.zeros(0), np.zeros((0, classes)), np.zeros(classes), line.asked, line.note
        )
    inward, bias, out = (np.stack(part) for part in zip(*units, strict=True))
    inward, bias = _oriented(line, inward, bias, out)
    network = ReluNetwork(inward.T, bias, out, np.zeros(classes), line.asked, line.note)
    answer = needed.vectors(oracle.ask(line.at(np.zeros(1)), plain=True))
    offset = (answer.astype(np.float64) - network(line.at(np.zeros(1))))[0]
    return network._replace(offset=offset - offset.mean(), explained=line.asked)


class _Line:
    """Gradients of logits along one line."""

    def __init__(
        self, oracle: Oracle[Answer], shape: tuple[int, ...], classes: int, seed: int, most: int
    ) -> None:
        generator = np.random.default_rng(seed)
        features = int(np.prod(shape))
        self._oracle, self._shape, self.classes, self._most = oracle, shape, classes, most
        self.origin = generator.uniform(0.2, 0.8, features)
        drawn = generator.standard_normal(features)
        self.direction = drawn / np.linalg.norm(drawn)
        # One class, as a random mix would need them all: a unit that this class ignores is not seen.
        self._class = int(generator.integers(classes))
        self.asked, self.note = 0, ""

    def at(self, t: np.ndarray) -> np.ndarray:
        points = self.origin + np.asarray(t)[:, None] * self.direction
        return points.reshape(-1, *self._shape).astype(np.float32)

    def slopes(self, t: np.ndarray) -> np.ndarray:
        """Gradients [points, features] of one class's logit."""
        return self._ask(t, np.full(len(t), self._class))

    def jacobians(self, t: np.ndarray) -> np.ndarray:
        """Gradients [points, classes, features] of every class's logit."""
        every = np.tile(np.arange(self.classes), len(t))
        return self._ask(np.repeat(t, self.classes), every).reshape(len(t), self.classes, -1)

    def _ask(self, t: np.ndarray, explained: np.ndarray) -> np.ndarray:
        if self.asked + len(t) > self._most:
            self.note = f"stopped at {self.asked} explained queries, of {self._most} allowed"
            return np.full((len(t), len(self.origin)), np.nan)
        self.asked += len(t)
        answer = self._oracle.ask(self.at(t), explained)
        if not answer.answered.all():
            self.note = self.note or f"the oracle refused after {self.asked - len(t)} explained queries"
        needed.vectors(answer)  # the offset needs them
        return np.asarray(needed.explanations(answer)[0], np.float64).reshape(len(t), -1)


def _hinges(line: _Line, ends: np.ndarray, slopes: np.ndarray, width: float) -> list[tuple[float, float]]:
    """Intervals that hold a hinge, by bisection of all of them at once."""
    scale = np.abs(slopes).max() or 1.0
    waiting = [(ends[0], ends[1], slopes[0], slopes[1])]
    found = []
    while waiting:
        middles = np.array([(low + high) / 2 for low, high, _, _ in waiting])
        between = line.slopes(middles)
        halves = []
        for (low, high, left, right), middle, slope in zip(waiting, middles, between, strict=True):
            if not np.isfinite(slope).all():
                continue
            halves += [(low, middle, left, slope), (middle, high, slope, right)]
        waiting = []
        for low, high, left, right in halves:
            if np.abs(left - right).max() <= 2e-5 * scale:
                continue
            if high - low <= width * (1 + abs(low)):
                found.append((low, high))
            else:
                waiting.append((low, high, left, right))
    return sorted(found)


def _apart(hinges: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """One interval a hinge, so wide that rounding no longer decides on which side of it an end lies.

    Next to a hinge a unit's input is as small as its rounding, which differs with the number of queries at a time, so
    that the unit seems to turn on and off there.
    """
    merged: list[tuple[float, float]] = []
    for low, high in hinges:
        if merged and low - merged[-1][1] <= _SAME * (high - low):
            low = merged.pop()[0]
        merged.append((low, high))
    edges = np.array([-np.inf, *np.ravel(merged), np.inf]).reshape(-1, 2)  # what lies between hinges
    room = (edges[:, 1] - edges[:, 0]) / 3
    return [
        (low - min(_CLEAR * (high - low), before), high + min(_CLEAR * (high - low), after))
        for (low, high), before, after in zip(merged, room, room[1:], strict=False)
    ]


def _unit(line: _Line, low: float, high: float) -> tuple[np.ndarray, float, np.ndarray] | None:
    """Weights in, bias and weights out of the unit whose hinge lies in an interval; the active side is a guess."""
    before, after = line.jacobians(np.array([low, high]))
    jump = after - before
    if not np.isfinite(jump).all():
        return None
    left, sizes, right = np.linalg.svd(jump, full_matrices=False)
    inward, along = right[0], float(right[0] @ line.direction)
    out = np.sign(along) * sizes[0] * left[:, 0]
    hinge = line.origin + (low + high) / 2 * line.direction
    return inward, -float(inward @ hinge), out


def _oriented(
    line: _Line, inward: np.ndarray, bias: np.ndarray, out: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Turns the units whose active side was guessed wrong.

    relu(z) = (|z| + z) / 2 and relu(-z) = (|z| - z) / 2: the gradient at a point is known but for one sign a unit, in
    which it is linear.
    """
    point = np.zeros(1)
    jacobian = line.jacobians(point)[0]
    at = line.at(point).reshape(-1).astype(np.float64)
    terms = out[:, :, None] * inward[:, None, :]  # [units, classes, features]
    side = np.sign(inward @ at + bias)
    known = np.einsum("u,ucf->cf", side, terms) / 2
    left = (jacobian - known).reshape(-1)
    signs = np.linalg.lstsq(terms.reshape(len(terms), -1).T / 2, left, rcond=None)[0]
    turn = np.where(signs >= 0, 1.0, -1.0)
    return inward * turn[:, None], bias * turn


def agreement(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Whether two predictions [queries, classes] name the same class, as numbers [queries]."""
    return (one.argmax(axis=1) == other.argmax(axis=1)).astype(float)


def units_found(found: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Which units of a network were found, as numbers [units]: a direction within 1 % of one's own.

    Args:
      found: [features, any number], weights in of what was found.
      hidden: [features, units], the real ones.
    """
    ours, real = (each / np.linalg.norm(each, axis=0) for each in (np.asarray(found, np.float64), hidden))
    return (np.abs(real.T @ ours).max(axis=1, initial=0.0) > 0.9999).astype(float)
