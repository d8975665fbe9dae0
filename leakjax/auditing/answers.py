"""Answers that were measured elsewhere, by models in any framework: what is there, and whether it fits together."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from leakjax import _validate
from leakjax.attack.replies import Replies
from leakjax.auditing.coins import check_coins
from leakjax.auditing.door.models import check_membership
from leakjax.data import Points

_MAPS = "attributions"
SIGNALS = "signals"
_KNOWN = ("member", "logits", "labels", "x", "queries", SIGNALS, "names", "views", "groups")


class Answers(NamedTuple):
    """What all models answered.

    Attributes:
      member: bool [models, points], who was trained on what.
      logits: [models, points, classes], or log-probabilities; None where predictions were not measured.
      maps: by explainer, [models, points, ...].
      signals: by name, [models, points], numbers of a reply that are no logits and no maps.
      of_explanation: names of the signals that belong to the explanation.
      queries: [models, points, queries, classes], logits at further inputs; None for none.
      points: the points; x is [points, 1] zeros where it was not given.
      x_given: whether it was.
    """

    member: np.ndarray
    logits: np.ndarray | None
    maps: Mapping[str, np.ndarray]
    signals: Mapping[str, np.ndarray]
    of_explanation: tuple[str, ...]
    queries: np.ndarray | None
    points: Points
    x_given: bool

    def replies(self, explainer: str | None = None) -> Replies:
        """The answers as attacks read them, logits as they are. Args: explainer: whose maps; None: none."""
        return Replies(
            self.logits,
            self.points.y if self.logits is not None else None,
            self.points.x if self.x_given else None,
            self.maps.get(explainer or ""),
            self.queries,
            dict(self.signals),
        )


def answers(arrays: Mapping[str, np.ndarray], name: str) -> Answers:
    """Checks arrays by name, memory-mapped or not.

    Args:
      arrays: `member` [models, points]; and any of `logits` [models, points, classes], `labels` int [points],
        `attributions` or `attributions_NAME` [models, points, ...], `signals` [models, points, signals] with `names`
        and `views` ("prediction" or "explanation") of each, `x` [points, ...], `queries` [models, points, queries,
        classes], `groups` text [points].
      name: of the whole, for errors and the report.

    Returns:
      `Answers`.

    Raises:
      UsageError: an array that is not known, one of another shape, nothing to audit.
    """
    if not isinstance(arrays, Mapping):
        raise _validate.fail("answers", type(arrays).__name__, "must be a mapping from names to arrays")
    if "member" not in arrays:
        raise _validate.fail("answers", name, "must hold member, bool [models, points]")
    arrays = {key: array if hasattr(array, "dtype") else np.asarray(array) for key, array in arrays.items()}
    member = check_membership("member", arrays["member"])
    check_coins("member", member)
    for key, array in arrays.items():
        if key not in _KNOWN and not key.startswith(_MAPS):
            _validate.one_of("answers", key, [*_KNOWN, f"{_MAPS}_NAME"])
        expected = _leading(key, member)
        if expected:
            _validate.same_shape(key, array.shape[: len(expected)], expected, "member")
        if key not in ("names", "views", "groups") and array.dtype.kind not in "biuf":
            raise _validate.fail(key, str(array.dtype), "must hold real numbers")
    queries = arrays.get("queries")
    if queries is not None and queries.ndim != 4:
        raise _validate.fail("queries", queries.shape, "must be [models, points, queries, classes]")
    maps = {
        key.removeprefix(_MAPS).lstrip("_") or _MAPS: a for key, a in arrays.items() if key.startswith(_MAPS)
    }
    signals, of_explanation = _signals(arrays)
    if not maps and not of_explanation:
        rule = f"holds no explanation; name one {_MAPS}, or give signals the view explanation"
        raise _validate.fail("answers", name, rule)
    return Answers(
        member,
        arrays.get("logits"),
        maps,
        signals,
        of_explanation,
        queries,
        _points(arrays, member, name),
        "x" in arrays,
    )


def _leading(key: str, member: np.ndarray) -> tuple[int, ...]:
    if key in ("labels", "x", "groups"):
        return member.shape[1:]
    return () if key in ("names", "views") else member.shape


def _signals(arrays: Mapping[str, np.ndarray]) -> tuple[dict[str, Any], tuple[str, ...]]:
    if SIGNALS not in arrays:
        return {}, ()
    found = arrays[SIGNALS]
    count = found.shape[-1] if found.ndim == 3 else 0
    if count == 0:
        raise _validate.fail(SIGNALS, found.shape, "must be [models, points, signals]")
    names = [str(one) for one in arrays.get("names", [f"signal_{i}" for i in range(count)])]
    views = [str(one) for one in arrays.get("views", ["explanation"] * count)]
    for key, listed in (("names", names), ("views", views)):
        if len(listed) != count:
            raise _validate.fail(key, len(listed), f"must name each of the {count} signals")
    for view in views:
        _validate.one_of("views", view, ("prediction", "explanation"))
    if len(set(names)) < count:
        raise _validate.fail("names", names, "must differ from each other")
    signals = {one: found[:, :, place] for place, one in enumerate(names)}
    return signals, tuple(one for one, view in zip(names, views, strict=True) if view == "explanation")


def _points(arrays: Mapping[str, np.ndarray], member: np.ndarray, name: str) -> Points:
    count = member.shape[1]
    logits, labels = arrays.get("logits"), arrays.get("labels")
    if logits is not None and (logits.ndim != 3 or logits.shape[-1] < 2):
        raise _validate.fail("logits", logits.shape, "must be [models, points, classes], at least 2 classes")
    if logits is not None and labels is None:
        raise _validate.fail("labels", "missing", "logits need the true classes, int [points], beside them")
    classes = 2 if logits is None else logits.shape[-1]
    y = np.zeros(count, np.int32) if labels is None else np.asarray(labels)
    if y.dtype.kind not in "iu" or (logits is not None and not (y.min() >= 0 and y.max() < classes)):
        raise _validate.fail("labels", str(y.dtype), f"must be whole numbers, 0 to {classes - 1}")
    x = arrays["x"] if "x" in arrays else np.zeros((count, 1), np.float32)
    groups = {"group": np.asarray(arrays["groups"]).astype(str)} if "groups" in arrays else {}
    ids = np.arange(count, dtype=np.int32)
    return Points(x, y.astype(np.int32), classes, name, ids, groups=groups)
