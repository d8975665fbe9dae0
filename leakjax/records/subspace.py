"""Algorithm 1: find records by narrowing the queries to where all known records have no influence.

The attacker holds an oracle and nothing else. Seen through the logit, the answer of a linear model is affine
in the query, and so is the difference between the model without a record and the full one. One query at a
random point of the subspace reveals a record; one query along each axis of the subspace, on which that record
stays on top, gives the gradient of its difference, and with it the hyperplane on which its influence is 0:
the next subspace.
"""

from typing import NamedTuple

import jax
import numpy as np
from scipy.special import logit

from leakjax._validate import UsageError, at_least, one_of, positive
from leakjax.influence.exact import LOSSES
from leakjax.records.answer import Answer
from leakjax.records.frame import Frame
from leakjax.records.oracle import RecordOracle

FAR = 1e6  # in units of the query bound: hyperplanes beyond it are those of a constant


class Reconstruction(NamedTuple):
    """What the attack found.

    Attributes:
      found: int [found], the records whose difference was measured, in the order of their discovery.
      seen: int [seen], every record that any answer contained, sorted; at least `found`.
      queries: How many queries were asked.
      refused: How many of them were refused.
      theta: [features + 1], the recovered parameters of the full model.
    """

    found: np.ndarray
    seen: np.ndarray
    queries: int
    refused: int
    theta: np.ndarray


def reconstruct(
    oracle: RecordOracle,
    *,
    key: jax.Array,
    bound: float = 1.0,
    odds: float = 0.02,
    loss: str = "probability",
    signed: bool = True,
    threshold: float = 1e-13,
    patience: int = 8,
    halvings: int = 24,
) -> Reconstruction:
    """Recovers records until no further one has influence on the remaining subspace.

    Args:
      oracle: Answers queries with a prediction and records with their influence.
      key: For the random points.
      bound: The norm of a query to start from; exceeded only where no point of the subspace is shorter.
      odds: Predictions of starting points stay in (odds, 1 - odds), where the logit is well conditioned.
      loss: Whose change the oracle releases as influence; see influence.
      signed: Whether the oracle releases the sign of the influence; without it, it is worked out.
      threshold: The least influence that is not taken for noise; set it above an oracle's rounding.
      patience: Starting points that fail in a row before the attack ends.
      halvings: How often the step along an axis is halved before its starting point fails.

    Returns:
      The records that were found and the queries that it took. Their number is the rank of the points with
      their bias, or one less where the full model is sure of its label on all that is left.

    Raises:
      UsageError: An oracle that releases no influence values or refuses the queries that the parameters
        need.

    Source: Shokri, Strobel and Zick, Algorithm 1, Theorem 5.1 and section 5.3.2.
    """
    positive("bound", bound)
    positive("odds", odds)
    at_least("patience", patience, 1)
    one_of("loss", loss, LOSSES)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    before = oracle.queries, oracle.refused
    attack = _Attack(oracle, rng, bound, float(-logit(odds)), loss, signed)
    theta = attack.recover_theta()
    failures = 0
    while failures < patience and attack.frame.axes:
        failures = 0 if attack.advance(threshold, halvings) else failures + 1
    if not attack.frame.axes:
        attack.conclude(threshold)
    seen = np.array(sorted(attack.seen - {-1}), int)
    queries, refused = oracle.queries - before[0], oracle.refused - before[1]
    return Reconstruction(np.array(attack.found, int), seen, queries, refused, theta)


class _Heard(NamedTuple):
    """An answer with influence values: prediction [queries], records and values [queries, k]."""

    prediction: np.ndarray
    records: np.ndarray
    values: np.ndarray


class _Attack:
    """The state of the attack: the subspace left, the full model on it, and what was found."""

    def __init__(
        self,
        oracle: RecordOracle,
        rng: np.random.Generator,
        bound: float,
        logit_bound: float,
        loss: str,
        signed: bool,
    ):
        self.frame: Frame = oracle.frame()
        self.rng, self.bound, self.logit_bound, self.loss, self.signed = rng, bound, logit_bound, loss, signed
        self.gradient, self.offset = np.zeros(self.frame.axes), 0.0  # the full model's logit on the subspace
        self.shortest = 0.0  # the norm of the subspace's point nearest to 0, which is its origin
        self.found: list[int] = []
        self.seen: set[int] = set()

    def note(self, answer: Answer) -> _Heard:
        """Keeps the records in an answer."""
        if answer.values is None:
            raise UsageError("oracle: releases no influence values, which this attack needs")
        self.seen.update(np.unique(answer.records).tolist())
        return _Heard(answer.prediction, answer.records, answer.values)

    def recover_theta(self) -> np.ndarray:
        """Recovers the full model from its predictions at 0 and along each axis: features + 1 queries."""
        axes = np.arange(self.frame.axes)
        origin = np.zeros(len(axes))
        at_origin = self.note(self.frame.ask(origin[None])).prediction[0]
        along = self.note(self.frame.probe(origin, axes, np.full(len(axes), self.bound))).prediction
        if np.isnan(at_origin) or np.isnan(along).any():
            raise UsageError("oracle: refused a query that recovers the model's parameters; lower bound")
        self.offset = float(logit(at_origin))
        self.gradient = (logit(along) - self.offset) / self.bound
        return np.append(self.gradient, self.offset)

    def advance(self, threshold: float, halvings: int) -> bool:
        """Finds one record more and narrows the subspace to where it is silent; False if the start failed."""
        u = self.start()
        answer = self.note(self.frame.ask(u[None]))
        target = self.unknown(answer, threshold)
        if target is None:
            return False
        probes = self.probe(u, target, halvings)
        if probes is None:
            return False
        steps, logits, values = probes
        here = answer.values[0][answer.records[0] == target][0]
        differences = self.differences(u, target, float(here), steps, logits, values)
        if differences is None:
            return False
        normal = (differences[1:] - differences[0]) / steps
        if not np.isfinite(normal).all():
            return False
        self.found.append(target)
        level = float(normal @ u - differences[0])
        # A difference that is constant up to rounding vanishes nowhere; what is left shows this record alone.
        if abs(level) < FAR * self.bound * np.linalg.norm(normal):
            self.restrict(normal, level)
        return True

    def conclude(self, threshold: float) -> None:
        """Asks at the single point that is left when every axis is spent."""
        target = self.unknown(self.note(self.frame.ask(np.zeros((1, 0)))), threshold)
        if target is not None:
            self.found.append(target)

    def unknown(self, answer: _Heard, threshold: float) -> int | None:
        """The most influential record of a single answer that was not found before."""
        for record, value in zip(answer.records[0].tolist(), answer.values[0], strict=True):
            if record >= 0 and record not in self.found and abs(value) > threshold:
                return record
        return None

    def start(self) -> np.ndarray:
        """A random point of the subspace, short where it can be, at which the full model is unsure."""
        u = self.rng.standard_normal(self.frame.axes)
        room: float = max(self.bound**2 - self.shortest**2, (0.3 * self.shortest) ** 2, 1e-2)
        u *= np.sqrt(room) / np.linalg.norm(u)
        value = float(self.offset + self.gradient @ u)
        if abs(value) <= self.logit_bound:
            return u
        # Back inside by the shortest way, to a random depth: a start that fails must not be tried again.
        wanted = np.sign(value) * self.logit_bound * self.rng.uniform(0.5, 1)
        shift = (value - wanted) * self.gradient / np.maximum(self.gradient @ self.gradient, 1e-300)
        # Where the full model hardly varies, that way would lead far from all records.
        return u - shift if np.linalg.norm(shift) < 10 * max(self.bound, self.shortest) else u

    def probe(
        self, u: np.ndarray, target: int, halvings: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Queries along every axis, halving the steps on which the target is not released.

        Returns:
          The steps [axes], the full model's logits there [axes] and the released influence [axes]; None if
          an axis has no step on which the target stays.
        """
        left = np.arange(self.frame.axes)
        steps, values = np.full(len(left), 0.125 * self.bound), np.zeros(len(left))
        for _ in range(halvings):
            answer = self.note(self.frame.probe(u, left, steps[left]))
            hit = answer.records == target
            there = hit.any(axis=1)
            values[left[there]] = (answer.values * hit).sum(axis=1)[there]
            left = left[~there]
            if not len(left):
                return steps, self.offset + self.gradient @ u + steps * self.gradient, values
            steps[left] *= -0.5
        return None

    def differences(
        self,
        u: np.ndarray,
        target: int,
        here: float,
        steps: np.ndarray,
        logits: np.ndarray,
        values: np.ndarray,
    ) -> np.ndarray | None:
        """The target's logit differences [1 + axes] at u and the probes; None where its sign stays unknown.

        A withheld sign shows at a few points more: only the right one makes the difference affine in the
        query.
        """
        logits, values = np.append(self.offset + self.gradient @ u, logits), np.append(here, values)
        candidate = difference(logits, values, self.loss)
        if self.signed:
            return candidate
        turns = self.rng.standard_normal((8, len(u)))
        turns *= np.median(np.abs(steps)) / np.linalg.norm(turns, axis=1, keepdims=True)
        answer = self.note(self.frame.ask(u + turns))
        hit = answer.records == target
        there = hit.any(axis=1)
        if not there.any():
            return None
        at_turns = (self.offset + (u + turns) @ self.gradient)[there]
        magnitude = (answer.values * hit).sum(axis=1)[there]
        misfits, candidates = [], [candidate, difference(logits, -values, self.loss)]
        for sign, candidate in zip((1, -1), candidates, strict=True):
            expected = candidate[0] + turns[there] @ ((candidate[1:] - candidate[0]) / steps)
            misfits.append(np.abs(difference(at_turns, sign * magnitude, self.loss) - expected).sum())
        best = int(np.argmin(np.nan_to_num(misfits, nan=np.inf)))
        return (
            candidates[best]
            if misfits[best] < 0.1 * misfits[1 - best] or np.isnan(misfits[1 - best])
            else None
        )

    def restrict(self, normal: np.ndarray, level: float) -> None:
        """Narrows the subspace to normal . u = level."""
        norm = np.linalg.norm(normal)
        reflector = normal / norm
        sign = 1.0 if reflector[0] >= 0 else -1.0
        reflector[0] += sign
        reflector /= np.linalg.norm(reflector)
        first = float(-sign * level / norm)
        self.frame.restrict(reflector, first)
        turned = self.gradient - 2 * reflector * (reflector @ self.gradient)
        self.offset, self.gradient = self.offset + first * turned[0], turned[1:]
        self.shortest = float(np.hypot(self.shortest, first))


def difference(logits: np.ndarray, influence: np.ndarray, loss: str) -> np.ndarray:
    """The logit without a record minus that with it, from the full logit and its influence on label 0."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # NaN where no logit fits
        if loss == "probability":
            return logit(0.5 + 0.5 * np.tanh(0.5 * logits) + influence) - logits
        without = np.logaddexp(0, logits) + influence
        return without + np.log(-np.expm1(-without)) - logits  # the inverse of log(1 + exp(logit))
