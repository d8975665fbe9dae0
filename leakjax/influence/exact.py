"""The exact influence of every training record on any query, and which records are the most influential.

The unit is the `Service`: what a provider of record-based explanations holds. It keeps its records in
lexicographic order, so that the paper's tie-break is "the lower index first" everywhere after.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from leakjax._validate import fail, one_of
from leakjax.influence.leave_one_out import LeaveOneOut, leave_one_out
from leakjax.influence.logistic import Logistic, fit, predict, with_bias

LOSSES = ("probability", "cross_entropy")


class Service(NamedTuple):
    """A logistic regression with its leave-one-out models.

    Attributes:
      model: The full model; model.x [records, features + 1] and model.y [records] in lexicographic order.
      without: The model without each record.
      source: int [records]: the row of each record in the points that were given to `serve`.
    """

    model: Logistic
    without: LeaveOneOut
    source: np.ndarray


def lexicographic(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The order [points] that sorts points by their first feature, then the second, ..., then the label."""
    return np.lexsort(np.concatenate([np.asarray(x, np.float64), np.asarray(y)[:, None]], axis=1).T[::-1])


def serve(x: np.ndarray, y: np.ndarray, *, l2: float = 1.0, tolerance: float = 1e-9) -> Service:
    """Trains the model and every leave-one-out model of a record-based explanation.

    Args:
      x: [points, features].
      y: [points], 0 or 1.
      l2: Penalty on the sum of losses, scikit-learn's 1/C.
      tolerance: The gradient norm to which every model is trained.

    Returns:
      The service; its records are the points in lexicographic order.

    Raises:
      UsageError: See fit.
    """
    order = lexicographic(x, y)
    model = fit(np.asarray(x)[order], np.asarray(y)[order], l2=l2, tolerance=tolerance)
    return Service(model, leave_one_out(model, tolerance=tolerance), order)


def influence(service: Service, x: np.ndarray, y: np.ndarray, *, loss: str = "probability") -> np.ndarray:
    """The influence of every record on every query: its loss without the record minus that with it.

    Args:
      service: From serve.
      x: [queries, features].
      y: [queries], the label of each query, 0 or 1.
      loss: "probability", 1 - p(label), the paper's loss; or "cross_entropy", -log p(label).

    Returns:
      [queries, records], signed: positive when the record helps the query. Exactly 0 for records whose
      leave-one-out model did not converge.

    Source: Shokri, Strobel and Zick, equation 4 and section 5.2.
    """
    x = with_bias(x)
    if x.shape[1] != service.model.x.shape[1]:
        raise fail(
            "x.shape[1]", x.shape[1] - 1, f"must be {service.model.x.shape[1] - 1}, the service's features"
        )
    value = loss_change(x @ service.model.theta, x @ service.without.theta.T, y, loss)
    return np.where(service.without.converged, value, 0.0)


def loss_change(full: np.ndarray, without: np.ndarray, y: np.ndarray, loss: str) -> np.ndarray:
    """The loss of other models minus that of the full one [queries, models], from logits of label 1.

    Args:
      full: [queries], of the full model.
      without: [queries, models].
      y: [queries], the label of each query, 0 or 1.
      loss: One of LOSSES.
    """
    one_of("loss", loss, LOSSES)
    sign = 2.0 * np.asarray(y, np.float64)[:, None] - 1
    full, without = sign * full[:, None], sign * without
    if loss == "probability":
        return 0.5 * (np.tanh(0.5 * full) - np.tanh(0.5 * without))
    return np.logaddexp(0, -without) - np.logaddexp(0, -full)


def influence_chunks(
    service: Service, x: np.ndarray, y: np.ndarray, *, loss: str = "probability", chunk: int = 1024
) -> Iterator[tuple[slice, np.ndarray]]:
    """The influence chunk by chunk of queries, so that memory stays bounded by chunk x records.

    Args:
      service: From serve.
      x: [queries, features].
      y: [queries], the label of each query, 0 or 1.
      loss: See influence.
      chunk: Queries at a time.

    Yields:
      The slice of queries and their influence [chunk, records].
    """
    for low in range(0, len(x), chunk):
        part = slice(low, min(low + chunk, len(x)))
        yield part, influence(service, x[part], y[part], loss=loss)


def top_k(magnitude: np.ndarray, k: int) -> np.ndarray:
    """The k largest of each row, largest first; among equal ones the lower index first.

    Args:
      magnitude: [queries, records].
      k: How many, at most the number of records.

    Returns:
      int [queries, k].
    """
    records = magnitude.shape[1]
    if not 1 <= k <= records:
        raise fail("k", k, f"must be between 1 and {records}, the number of records")
    if k == 1:
        return magnitude.argmax(axis=1)[:, None]
    if k == records:
        return np.argsort(-magnitude, axis=1, kind="stable")
    # argpartition breaks ties as it likes; rows in which the k-th value occurs outside the chosen are sorted
    # in full.
    chosen = np.sort(np.argpartition(-magnitude, k - 1, axis=1)[:, :k], axis=1)
    values = np.take_along_axis(magnitude, chosen, axis=1)
    result = np.take_along_axis(chosen, np.argsort(-values, axis=1, kind="stable"), axis=1)
    tied = (magnitude >= values.min(axis=1, keepdims=True)).sum(axis=1) > k
    result[tied] = np.argsort(-magnitude[tied], axis=1, kind="stable")[:, :k]
    return result


def predictions(service: Service, x: np.ndarray) -> np.ndarray:
    """The probability of label 1 [queries] at x [queries, features]."""
    return predict(service.model.theta, with_bias(x))
