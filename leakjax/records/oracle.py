"""Oracles of records: a service that names the training records an answer rests on, and who watches.

An oracle of records is an `oracle.Oracle` that knows how long a query is, so that an attacker can ask in the
coordinates of a subspace. One that holds images of all queries simulates the same answers, not more of them (a test
compares the two).
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from leakjax._validate import UsageError, one_of
from leakjax.influence.exact import LOSSES, Service, influence, loss_change, predictions
from leakjax.oracle import Gate, Oracle, Question, Watches
from leakjax.records.answer import Answer, answer_of, coarsened, joined
from leakjax.records.frame import Frame, Subspace
from leakjax.records.part import RecordPart, check_part, explain, round_digits, round_values

CHUNK = 1024  # queries answered together, so that memory stays bounded by chunk x records


class RecordOracle(Oracle[Answer]):
    """Query access to a service that names records: one query is one (x, label whose loss the records change).

    A query that names no label asks about label 0.

    Attributes:
      features: the length of a query.
    """

    def __init__(
        self,
        answer: Callable[[Question], Answer],
        features: int,
        *,
        images: Subspace | None = None,
        gate: Gate | None = None,
        written: bool = True,
    ) -> None:
        """Offers answers.

        Args:
          answer: the full answers to questions; `oracle.Replayed`, to run an attack again on a transcript alone.
          features: the length of a query.
          images: of all queries, which `answer` takes in their place; None: it takes the queries.
          gate: as of `oracle.Oracle`.
          written: whether a transcript is kept; it holds images where `answer` takes them.
        """
        super().__init__(answer, gate=gate, coarsen=coarsened, written=written)
        self.features, self._images = features, images

    def ask(self, x: Any, explained_class: Any = None, *, account: Any = 0, plain: bool = False) -> Answer:
        """The answers to queries x [queries, features] about their labels, as `oracle.Oracle.ask` says."""
        x = np.asarray(x, np.float64)
        x = x if self._images is None else self._images.at(x)
        return super().ask(x, explained_class, account=account, plain=plain)

    def frame(self) -> Frame:
        """A frame on the whole query space, whose queries are about label 0."""
        space = self._images or Subspace(np.zeros(self.features), np.eye(self.features))
        return Frame(Subspace(space.origin, space.rows), super().ask)


def offer(
    service: Service,
    released: RecordPart,
    *,
    key: jax.Array,
    loss: str = "probability",
    budget: int | None = None,
    monitor: Watches | None = None,
    on_alarm: str = "refuse",
    written: bool = True,
    hold: bool = False,
) -> RecordOracle:
    """Offers a service to an attacker.

    Args:
      service: From serve.
      released: What its explanations release.
      key: Of the service, for noisy selection.
      loss: Whose change is the influence; see influence.
      budget: How many queries are answered; None: any number.
      monitor: Looks at every query of an account; `oracle.stateless` makes one of a rule. None: nobody does.
      on_alarm: What becomes of a query that alarms it. "refuse"; "coarsen": a label and one record, without influence;
        "cache": the account's last answer again.
      written: Whether the oracle keeps a transcript.
      hold: Whether the oracle keeps the images of queries under every leave-one-out model; for one released record
        without noise or exclusion, nobody who watches and no transcript.

    Returns:
      The oracle.

    Raises:
      UsageError: More records than the service has, a knob or a budget out of range, another action, or `hold` with
        what it does not cover.
    """
    check_part(released, len(service.model.y))
    one_of("loss", loss, LOSSES)
    gate, features = Gate(budget, monitor, on_alarm), service.model.x.shape[1] - 1
    if not hold:
        return RecordOracle(_answers(service, released, key, loss), features, gate=gate, written=written)
    if released.k != 1 or released.noise or released.exclude_self or monitor is not None or written:
        raise UsageError(
            "hold=True: covers only k=1 without noise, self-exclusion, a monitor or a transcript; set hold=False"
        )
    if not service.without.converged.all():
        raise UsageError("hold=True: a leave-one-out model did not converge; set hold=False")
    theta = np.concatenate([service.without.theta, service.model.theta[None]])
    images = Subspace(theta[:, -1], theta[:, :-1].T)
    return RecordOracle(_held(released, loss), features, images=images, gate=gate, written=False)


def in_chunks(answer: Callable[[np.ndarray, np.ndarray], Answer]) -> Callable[[Question], Answer]:
    """Answers to questions, of a function of at most `CHUNK` queries x and their labels, 0 where none is named."""

    def answers(question: Question) -> Answer:
        x, asked = question.x, question.explained_class
        y = np.zeros(len(x), int) if asked is None else asked
        full = joined(
            [answer(x[low : low + CHUNK], y[low : low + CHUNK]) for low in range(0, len(x) or 1, CHUNK)]
        )
        if not question.plain:
            return full
        return full._replace(records=full.records[:, :0], values=None)

    return answers


def _answers(
    service: Service, released: RecordPart, key: jax.Array, loss: str
) -> Callable[[Question], Answer]:
    """The answers to any queries, whatever is released."""
    records = service.model.x[:, :-1]

    def answer(x: np.ndarray, y: np.ndarray) -> Answer:
        explanation = explain(influence(service, x, y, loss=loss), x, records, released, key=key)
        prediction = round_digits(predictions(service, x), released).astype(np.float64)
        return answer_of(prediction, *explanation)

    return in_chunks(answer)


def _held(released: RecordPart, loss: str) -> Callable[[Question], Answer]:
    """The answer of one record from the logits of every model, the full one last."""

    def answer(logits: np.ndarray, y: np.ndarray) -> Answer:
        # Either loss is monotone in the logit, so the largest |difference| is at one of the two extremes.
        full, row = logits[:, -1], np.arange(len(logits))[:, None]
        prediction = 0.5 + 0.5 * np.tanh(0.5 * full)
        ends = np.stack([logits[:, :-1].argmax(axis=1), logits[:, :-1].argmin(axis=1)], axis=1)
        values = loss_change(full, logits[row, ends], y, loss)
        larger = np.abs(values).argmax(axis=1)[:, None]
        records = np.take_along_axis(ends, larger, axis=1)
        value = round_values(np.take_along_axis(values, larger, axis=1), released)
        shown = {"signed": value, "magnitude": np.abs(value), "none": None}[released.values]
        return answer_of(round_digits(prediction, released).astype(np.float64), records, shown)

    return in_chunks(answer)
