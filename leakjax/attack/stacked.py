"""The strongest attack here, and the default: every way to weigh every signal, stacked by a logistic regression.

An answer is reduced, one point at a time, to what shadows say of each of its scalar signals (`statistics`), to matched
filters of whole maps and vectors (`filters`) and to counts of discrete answers (`categorical`). Weights are learned
on calibrators, shadows in the role of targets, for each group of targets anew (`roles`). Where an explanation stands
beside a prediction, the prediction's log-odds are a fixed offset, and what is learned is what the features of both add
to it: how strong a ridge pulls towards the prediction alone, and how much of the rest counts, is chosen on calibrators
that it was not learned on, so that an explanation that says nothing changes nothing.
"""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _validate
from leakjax._threads import on_all_cores
from leakjax.attack import categorical, features, logistic
from leakjax.attack.categorical import Counts, counts
from leakjax.attack.filters import filters
from leakjax.attack.registry import Streamed, registered
from leakjax.attack.roles import Pairs, Roles, enough, roles
from leakjax.attack.statistics import Statistics, statistics
from leakjax.data import evenly_spaced

# Calibrators are looked at on so many points: with 8 of them, some 16,000 samples for some hundred weights.
CALIBRATION_POINTS = 2048
# With fewer models a calibrator has two in- and two out-models beside it at too few points to learn weights from.
LEAST_MODELS = 8
_CHUNK_VALUES = 2**22


@registered
def stacked() -> Streamed:
    """The attack of this file, on the prediction of each release, on each explanation, and on both: the headline."""
    return Streamed("stacked")


class Discrete(NamedTuple):
    """A discrete answer.

    Attributes:
      codes: int [models, points]; equal numbers at one point are equal answers.
      kinds: int [models, points], the kind of each answer, comparable over points: say, right or wrong.
      codes_of_kind: [kinds], about how many codes share a kind.
    """

    codes: np.ndarray
    kinds: np.ndarray
    codes_of_kind: np.ndarray


class Answers(NamedTuple):
    """What all models answer at all points, as an attacker sees it: of one prediction, or of one explanation.

    Attributes:
      signals: float [models, points, signals], scalar signals; one that is not finite is missing.
      maps: each float [models, points, ...], whole maps or vectors.
      discrete: discrete answers.
    """

    signals: np.ndarray
    maps: Sequence[np.ndarray] = ()
    discrete: Sequence[Discrete] = ()


class Reduced(NamedTuple):
    """What is left of `Answers` once shadows were asked, at one point or many (last axis).

    Attributes:
      statistics: of the scalar signals, [pairs, signals].
      filters: [pairs, filters].
      counts: of each discrete answer.
    """

    statistics: Statistics
    filters: Any
    counts: tuple[Counts, ...]


class Scores(NamedTuple):
    """One score a target and point, higher = member, log-odds; each [targets, points]."""

    prediction: np.ndarray
    explanation: np.ndarray
    both: np.ndarray


def reduce(
    signals: jax.Array,
    maps: Sequence[jax.Array],
    codes: Sequence[tuple[jax.Array, jax.Array]],
    membership: jax.Array,
    pairs: Pairs,
) -> Reduced:
    """Reduces what all models answer at one point.

    Args:
      signals: [models, signals].
      maps: each [models, ...].
      codes: codes and kinds of each discrete answer, int [models].
      membership: bool [models].
      pairs: who is scored.

    Returns:
      `Reduced`, in which no pair knows the membership of a model that is not `known` to it.
    """
    matched = [filters(each.reshape(len(each), -1), membership, pairs) for each in maps]
    return Reduced(
        statistics(signals, membership, pairs.known, pairs.scored, pairs.of),
        jnp.concatenate(matched, axis=-1) if matched else jnp.zeros((len(pairs.scored), 0)),
        tuple(counts(code, kind, membership, pairs) for code, kind in codes),
    )


def reduce_points(
    signals: jax.Array,
    maps: Sequence[jax.Array],
    codes: Sequence[tuple[jax.Array, jax.Array]],
    membership: jax.Array,
    pairs: Pairs,
) -> Reduced:
    """`reduce` at each of many points: arguments [models, points, ...], leaves of the result [..., points]."""
    over_points = jax.vmap(reduce, in_axes=(1, 1, 1, 1, None), out_axes=-1)
    return over_points(signals, tuple(maps), tuple(codes), membership, pairs)


_reduce_chunk = jax.jit(reduce_points)


def reduced_axes(discrete: int) -> Reduced:
    """A tree of the form of what `reduce_points` returns, with the axis of points, the last, in place of each array.

    Args:
      discrete: how many discrete answers there are.
    """
    of_pairs = [2] * (len(Statistics._fields) - 2)
    return Reduced(
        Statistics._make([*of_pairs, 1, 1]), 2, tuple(Counts(1, 1, 1, 1, 1) for _ in range(discrete))
    )


def reduce_all(answers: Answers, membership: np.ndarray, plan: Roles) -> Reduced:
    """`reduce` at every point, a chunk of points at a time; leaves on the host, [..., points].

    Args:
      answers: of all models at all points.
      membership: bool [models, points].
      plan: who is scored.

    Returns:
      `Reduced` with an axis of points, the last.
    """
    models, points = membership.shape
    sizes = [answers.signals.shape[-1], *(int(np.prod(each.shape[2:])) for each in answers.maps)]
    size = min(points, max(1, _CHUNK_VALUES // (models * (sum(sizes) + len(plan.scored)))))
    pairs = plan.pairs
    parts = []
    for start in range(0, points, size):
        rows = np.arange(start, start + size) % points  # the last chunk wraps, so that one size is compiled
        found = _reduce_chunk(
            answers.signals[:, rows],
            tuple(each[:, rows] for each in answers.maps),
            tuple((each.codes[:, rows], each.kinds[:, rows]) for each in answers.discrete),
            membership[:, rows],
            pairs,
        )
        parts.append(jax.tree.map(lambda leaf: np.asarray(leaf)[..., : points - start], found))  # noqa: B023
    return jax.tree.map(lambda *leaves: np.concatenate(leaves, axis=-1), *parts)


class View(NamedTuple):
    """What one answer was reduced to, with the kinds of its discrete parts."""

    reduced: Reduced
    discrete: Sequence[Discrete]


class Features(NamedTuple):
    """Features of one group's targets and calibrators, in parts that stand side by side.

    Attributes:
      targets: each [targets, its features, points].
      calibration: each [calibrators, its features, calibration points].
    """

    targets: tuple[np.ndarray, ...]
    calibration: tuple[np.ndarray, ...]


class Group(NamedTuple):
    """Log-odds of one group's targets and calibrators.

    Attributes:
      targets: [targets, points].
      calibration: [calibrators, calibration points].
    """

    targets: np.ndarray
    calibration: np.ndarray


class Labels(NamedTuple):
    """Membership of a group's calibrators, and whether it may be learned from.

    Attributes:
      member: bool [calibrators, calibration points].
      valid: bool [calibrators, calibration points].
    """

    member: np.ndarray
    valid: np.ndarray


def labels(membership: np.ndarray, plan: Roles, there: np.ndarray) -> list[Labels]:
    """What each group learns from.

    Args:
      membership: bool [models, points].
      plan: who is scored.
      there: bool [models, points], where a model answered.

    Returns:
      `Labels` of each group.
    """
    rows = _calibration_points(membership.shape[1])
    few = membership[:, rows]
    valid = enough(few, plan.known) & there[plan.scored][:, rows]
    of = [plan.of(group)[1] for group in range(plan.groups)]
    return [Labels(few[plan.scored[pairs]], valid[pairs]) for pairs in of]


def grouped(view: View, membership: np.ndarray, plan: Roles) -> list[Features]:
    """The features of each group, from statistics that know nothing of its targets' membership.

    Args:
      view: of all points.
      membership: bool [models, points].
      plan: who is scored.

    Returns:
      `Features` of each group.
    """
    rows = _calibration_points(membership.shape[1])

    def of_group(number: int) -> Features:
        targets, calibrators = plan.of(number)
        pooled = features.pool(_of_pair(view.reduced.statistics, targets[0]))
        known = plan.known[targets[0]]
        rates = [
            categorical.kind_rates(each.kinds, membership, known, len(each.codes_of_kind))
            for each in view.discrete
        ]
        made = [_features(view, pooled, rates, *at) for at in ((targets, slice(None)), (calibrators, rows))]
        return Features(*made)

    return on_all_cores(of_group, range(plan.groups))


def beside(*views: list[Features]) -> list[Features]:
    """The features of several views side by side, group by group."""
    together = lambda parts: tuple(itertools.chain(*parts))
    return [Features(*map(together, zip(*groups, strict=True))) for groups in zip(*views, strict=True)]


def learn(groups: list[Features], known: list[Labels], offset: list[Group] | None = None) -> list[Group]:
    """Turns features into log-odds, with weights learned on each group's calibrators.

    Args:
      groups: features.
      known: of the calibrators.
      offset: log-odds that are fixed; the weights are of what is added to them.

    Returns:
      Log-odds of each group, `offset` included.
    """

    def of_group(number: int) -> Group:
        group, label = groups[number], known[number]
        fixed = None if offset is None else offset[number]
        # Each calibrator is a fold.
        model = logistic.fit(
            group.calibration, label.member, label.valid, None if fixed is None else fixed.calibration
        )
        learned = [model.log_odds(*each) for each in group]
        if fixed is not None:
            learned = [known + more for known, more in zip(fixed, learned, strict=True)]
        return Group(*learned)

    return on_all_cores(of_group, range(len(groups)))


def learn_alone(groups: list[Features], known: list[Labels]) -> list[Group]:
    """Log-odds of a prediction alone, learned twice: what stands beside them must not gain by another look at it."""
    return learn(groups, known, learn(groups, known))


def scores_of(log_odds: list[Group]) -> np.ndarray:
    """The log-odds of all targets: float32 [targets, points]."""
    # Groups hold the targets in their order.
    return np.concatenate([group.targets for group in log_odds]).astype(np.float32)


def _calibration_points(points: int) -> np.ndarray | slice:
    return slice(None) if points <= CALIBRATION_POINTS else evenly_spaced(CALIBRATION_POINTS, points)


def _features(
    view: View,
    pooled: features.Pooled,
    rates: Sequence[np.ndarray],
    pairs: np.ndarray,
    points: np.ndarray | slice,
) -> tuple[np.ndarray, ...]:
    reduced = view.reduced
    at = lambda leaf: leaf[pairs][..., points]
    *of_pairs, centre, spread = reduced.statistics
    about = Statistics._make([*map(at, of_pairs), centre[..., points], spread[..., points]])
    ratios = [
        categorical.log_ratios(Counts(*map(at, found)), rate, each.codes_of_kind)
        for found, rate, each in zip(reduced.counts, rates, view.discrete, strict=True)
    ]
    return features.features(about, pooled), features.cut(at(reduced.filters)), *ratios


def _of_pair(found: Statistics, pair: int) -> Statistics:
    *of_pairs, centre, spread = found
    return Statistics._make([*(leaf[pair] for leaf in of_pairs), centre, spread])


def answered(answers: Answers) -> np.ndarray:
    """Where a model answered at all: bool [models, points].

    A point is lost for a model whose scalar signals there are all missing, or whose maps hold no finite number where
    there are no signals; a discrete answer is never missing.
    """
    shape = answers.signals.shape[:2]
    if answers.signals.shape[-1]:
        return np.isfinite(answers.signals).any(axis=-1)
    if answers.maps:
        finite = [np.isfinite(each).reshape(*shape, -1).any(axis=-1) for each in answers.maps]
        return np.logical_or.reduce(finite)
    return np.ones(shape, bool)


def attack(
    prediction: Answers,
    explanation: Answers,
    membership: np.ndarray,
    *,
    targets: np.ndarray | None = None,
) -> tuple[Scores, np.ndarray]:
    """Attacks each target with the help of the other models.

    Args:
      prediction: what the predictions say.
      explanation: what the explanations say; of several explainers, the signals and maps of all of them.
      membership: bool [models, points]; a target's own row is withheld: flipping it changes none of its scores.
      targets: int [targets], indices of the attacked models; all when None.

    Returns:
      The scores, and bool [targets, points]: which of them rest on at least two in- and two out-models and on an
      answer of the target. The others mean nothing and are to be dropped and counted.

    Raises:
      UsageError: shapes that disagree, or too few models.
    """
    models = len(membership)
    _validate.at_least("models", models, LEAST_MODELS)
    for name, answers in (("prediction", prediction), ("explanation", explanation)):
        for each in (answers.signals, *answers.maps, *(one.codes for one in answers.discrete)):
            _validate.same_shape(name, each.shape[:2], membership.shape, "membership")
    plan = roles(models, np.arange(models) if targets is None else targets)
    there = answered(prediction) & answered(explanation)
    known = labels(membership, plan, there)
    of_prediction, of_explanation = (
        grouped(View(reduce_all(answers, membership, plan), answers.discrete), membership, plan)
        for answers in (prediction, explanation)
    )
    base = learn_alone(of_prediction, known)
    both = learn(beside(of_prediction, of_explanation), known, base)
    scores = Scores(*map(scores_of, (base, learn(of_explanation, known), both)))
    return scores, enough(membership, plan.known[: plan.targets]) & there[plan.scored[: plan.targets]]
