"""What an attacker may see of a service: answers to queries, as an object that offers nothing else.

`Frame` asks the same questions in the coordinates of an affine subspace. A frame of the oracle's own keeps
the images of the subspace's axes under every leave-one-out model, so that a query costs one addition per
record instead of one product per feature: a simulation of the same answers, not more of them (a test compares
the two).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np
from scipy.linalg.blas import dger

from leakjax._validate import UsageError, one_of
from leakjax.influence.exact import LOSSES, Service, influence, loss_change, predictions
from leakjax.records.part import Explanation, RecordPart, check_part, explain, round_digits, round_values

CHUNK = 1024  # queries answered together, so that memory stays bounded by chunk x records


class Answer(NamedTuple):
    """The service's answer to a batch of queries.

    Attributes:
      prediction: [queries], the probability of label 1; NaN where the query was refused.
      records: int [queries, k], handles of the released records; -1 for none.
      values: [queries, k], their influence, or None when the service keeps it.
    """

    prediction: np.ndarray
    records: np.ndarray
    values: np.ndarray | None


def joined(parts: Sequence[Answer]) -> Answer:
    """The answers to several batches as that to one."""
    values = None if parts[0].values is None else np.concatenate([part.values for part in parts])
    prediction = np.concatenate([part.prediction for part in parts])
    return Answer(prediction, np.concatenate([part.records for part in parts]), values)


class Subspace:
    """An affine map of coordinates u [axes] to origin + u rows, narrowed one hyperplane at a time."""

    def __init__(self, origin: np.ndarray, rows: np.ndarray):
        """Maps u to origin [images] + u @ rows [axes, images]."""
        self.origin, self.rows = np.array(origin, np.float64), np.array(rows, np.float64, order="C")

    def at(self, u: np.ndarray) -> np.ndarray:
        """The images [queries, images] of u [queries, axes]."""
        return self.origin + u @ self.rows

    def along(self, image: np.ndarray, axes: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """The image [images] of a point, moved by one step along one axis each: [len(axes), images].

        The axes must be in ascending order.
        """
        whole = len(axes) == axes[-1] - axes[0] + 1  # neighbours need no copy
        images = (self.rows[axes[0] : axes[-1] + 1] if whole else self.rows[axes]) * steps[:, None]
        images += image
        return images

    def restrict(self, reflector: np.ndarray, first: float) -> None:
        """Reflects the coordinates by I - 2 v v^T and fixes the first one; one axis fewer remains."""
        dger(-2.0, reflector @ self.rows, reflector, a=self.rows.T, overwrite_a=1)
        self.origin = self.origin + first * self.rows[0]
        self.rows = self.rows[1:]


class Frame:
    """Queries in the coordinates of a shrinking affine subspace of the query space."""

    def __init__(self, space: Subspace, answer: Callable[[np.ndarray], Answer]):
        """Asks `answer` for the images under `space`."""
        self._space, self._answer = space, answer

    @property
    def axes(self) -> int:
        """The dimension of the subspace."""
        return len(self._space.rows)

    def ask(self, u: np.ndarray) -> Answer:
        """The answers at u [queries, axes]."""
        return self._answer(self._space.at(u))

    def probe(self, u: np.ndarray, axes: np.ndarray, steps: np.ndarray) -> Answer:
        """The answers at u [axes] moved by one step along one (ascending) axis each: [len(axes)] queries."""
        # Blocks that fit the cache: several passes over the images of all records, one over memory.
        image = self._space.at(u)
        return joined(
            [
                self._answer(self._space.along(image, axes[low : low + 64], steps[low : low + 64]))
                for low in range(0, len(axes), 64)
            ]
        )

    def restrict(self, reflector: np.ndarray, first: float) -> None:
        """Narrows the subspace; see Subspace.restrict."""
        self._space.restrict(reflector, first)


class Oracle:
    """Query access to a service and nothing else.

    Attributes:
      features: The length of a query.
      queries: How many queries were asked so far.
      refused: How many of them were refused.
    """

    def __init__(
        self,
        answers: Callable[[np.ndarray, np.ndarray], Answer],
        features: int,
        held: tuple[Subspace, Callable[[np.ndarray], Answer]] | None = None,
    ):
        """Offers `answers` of queries [queries, features] and labels [queries].

        `held` answers the images of queries, about label 0, instead.
        """
        self.features, self.queries, self.refused = features, 0, 0
        self._answers, self._held = answers, held

    def ask(self, x: np.ndarray, y: np.ndarray | None = None) -> Answer:
        """The answers to queries x [queries, features] about their labels y [queries], or label 0 for all."""
        x = np.asarray(x, np.float64)
        y = np.zeros(len(x), int) if y is None else np.asarray(y)
        parts = [
            self._answers(x[low : low + CHUNK], y[low : low + CHUNK]) for low in range(0, len(x) or 1, CHUNK)
        ]
        return self._count(joined(parts))

    def frame(self) -> Frame:
        """A frame on the whole query space, whose queries are about label 0."""
        if self._held is None:
            return Frame(Subspace(np.zeros(self.features), np.eye(self.features)), self.ask)
        space, answer = self._held
        return Frame(Subspace(space.origin, space.rows), lambda images: self._count(answer(images)))

    def _count(self, answer: Answer) -> Answer:
        self.queries += len(answer.prediction)
        self.refused += int(np.isnan(answer.prediction).sum())
        return answer


def offer(
    service: Service,
    released: RecordPart,
    *,
    key: jax.Array,
    loss: str = "probability",
    refuse: Callable[[np.ndarray], np.ndarray] | None = None,
    hold: bool = False,
) -> Oracle:
    """Offers a service to an attacker.

    Args:
      service: From serve.
      released: What its explanations release.
      key: Of the service, for noisy selection.
      loss: Whose change is the influence; see influence.
      refuse: bool [queries] of x [queries, features]: the queries that are not answered; None answers all.
      hold: Whether frame() keeps images under every leave-one-out model; for one released record without noise or
        exclusion, and no refusals.

    Returns:
      The oracle.

    Raises:
      UsageError: More records than the service has, a knob out of range, or `hold` with what it does not cover.
    """
    check_part(released, len(service.model.y))
    one_of("loss", loss, LOSSES)
    if hold and (released.k != 1 or released.noise or released.exclude_self or refuse is not None):
        raise UsageError(
            "hold=True: covers only k=1 without noise, self-exclusion or refusals; set hold=False"
        )
    if hold and not service.without.converged.all():
        raise UsageError("hold=True: a leave-one-out model did not converge; set hold=False")
    held = _held(service, released, loss) if hold else None
    return Oracle(_answers(service, released, key, loss, refuse), service.model.x.shape[1] - 1, held)


def _answers(
    service: Service,
    released: RecordPart,
    key: jax.Array,
    loss: str,
    refuse: Callable[[np.ndarray], np.ndarray] | None,
) -> Callable[[np.ndarray, np.ndarray], Answer]:
    """The answers to any queries, whatever is released."""
    records = service.model.x[:, :-1]

    def answers(x: np.ndarray, y: np.ndarray) -> Answer:
        explanation = explain(influence(service, x, y, loss=loss), x, records, released, key=key)
        prediction = round_digits(predictions(service, x), released).astype(np.float64)
        if refuse is not None:
            no = refuse(x)
            prediction = np.where(no, np.nan, prediction)
            values = explanation.values
            explanation = Explanation(
                np.where(no[:, None], -1, explanation.records),
                None if values is None else np.where(no[:, None], 0, values),
            )
        return Answer(prediction, *explanation)

    return answers


def _held(
    service: Service, released: RecordPart, loss: str
) -> tuple[Subspace, Callable[[np.ndarray], Answer]]:
    """The logits of every model as a map of the query, and the answer of one record from them."""
    theta = np.concatenate([service.without.theta, service.model.theta[None]])

    def answer(logits: np.ndarray) -> Answer:
        # Either loss is monotone in the logit, so the largest |difference| is at one of the two extremes.
        full, row = logits[:, -1], np.arange(len(logits))[:, None]
        prediction = 0.5 + 0.5 * np.tanh(0.5 * full)
        ends = np.stack([logits[:, :-1].argmax(axis=1), logits[:, :-1].argmin(axis=1)], axis=1)
        values = loss_change(full, logits[row, ends], np.zeros(len(full)), loss)
        larger = np.abs(values).argmax(axis=1)[:, None]
        records = np.take_along_axis(ends, larger, axis=1)
        value = round_values(np.take_along_axis(values, larger, axis=1), released)
        shown = {"signed": value, "magnitude": np.abs(value), "none": None}[released.values]
        return Answer(round_digits(prediction, released).astype(np.float64), records, shown)

    return Subspace(theta[:, -1], theta[:, :-1].T), answer
