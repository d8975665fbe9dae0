"""The strongest attack here, and the default: every way to weigh every signal, stacked by a logistic regression.

An answer is reduced, one point at a time, to what shadows say of each of its scalar signals (`statistics`), to matched
filters of whole maps and vectors (`filters`) and to counts of discrete answers (`categorical`). Weights are learned
on calibrators, shadows in the role of targets, for each group of targets anew (`roles`). Where an explanation stands
beside a prediction, the prediction's log-odds are a fixed offset, and what is learned is what the features of both add
to it: a ridge pulls towards the prediction alone, so that an explanation that says nothing changes nothing.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _validate
from leakjax.attack import categorical, features, logistic
from leakjax.attack.categorical import Counts, counts
from leakjax.attack.filters import filters
from leakjax.attack.roles import Roles, enough, roles
from leakjax.attack.statistics import Statistics, statistics

# Calibrators are looked at on so many points: with 8 of them, some 16,000 samples for some hundred weights.
CALIBRATION_POINTS = 2048
_CHUNK_VALUES = 2**22


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
    """What is left of `Answers` once shadows were asked, at one point or many (leading axis).

    Attributes:
      statistics: of the scalar signals, [pairs, signals].
      filters: [pairs, filters].
      counts: of each discrete answer.
    """

    statistics: Statistics
    filters: jax.Array
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
    known: jax.Array,
    scored: jax.Array,
) -> Reduced:
    """Reduces what all models answer at one point.

    Args:
      signals: [models, signals].
      maps: each [models, ...].
      codes: codes and kinds of each discrete answer, int [models].
      membership: bool [models].
      known: bool [pairs, models], see `roles.Roles`.
      scored: int [pairs].

    Returns:
      `Reduced`, in which no pair knows the membership of a model that is not `known` to it.
    """
    matched = [filters(each.reshape(len(each), -1), membership, known, scored) for each in maps]
    return Reduced(
        statistics(signals, membership, known, scored),
        jnp.concatenate(matched, axis=-1) if matched else jnp.zeros((len(scored), 0)),
        tuple(counts(code, kind, membership, known, scored) for code, kind in codes),
    )


@jax.jit
def _reduce_chunk(
    signals: jax.Array,
    maps: Sequence[jax.Array],
    codes: Sequence[tuple[jax.Array, jax.Array]],
    *about: jax.Array,
) -> Reduced:
    over_points = (1, 1, 1, 1, None, None)
    return jax.vmap(reduce, in_axes=over_points)(signals, maps, codes, *about)


def reduce_all(answers: Answers, membership: np.ndarray, plan: Roles) -> Reduced:
    """`reduce` at every point, a chunk of points at a time; leaves on the host, [points, ...].

    Args:
      answers: of all models at all points.
      membership: bool [models, points].
      plan: who is scored.

    Returns:
      `Reduced` with a leading axis of points.
    """
    models, points = membership.shape
    sizes = [answers.signals.shape[-1], *(int(np.prod(each.shape[2:])) for each in answers.maps)]
    size = min(points, max(1, _CHUNK_VALUES // (models * (sum(sizes) + len(plan.scored)))))
    about = (jnp.asarray(plan.known), jnp.asarray(plan.scored))
    parts = []
    for start in range(0, points, size):
        rows = np.arange(start, start + size) % points  # the last chunk wraps, so that one size is compiled
        found = _reduce_chunk(
            answers.signals[:, rows],
            tuple(each[:, rows] for each in answers.maps),
            tuple((each.codes[:, rows], each.kinds[:, rows]) for each in answers.discrete),
            membership[:, rows],
            *about,
        )
        parts.append(jax.tree.map(lambda leaf: np.asarray(leaf)[: points - start], found))  # noqa: B023
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)


class Group(NamedTuple):
    """Features of one group of targets, [samples, features], samples point by point.

    Attributes:
      targets: of its targets at all points.
      calibration: of its calibrators at the calibration points.
    """

    targets: np.ndarray
    calibration: np.ndarray


class View(NamedTuple):
    """Answers with what they were reduced to."""

    reduced: Reduced
    answers: Answers


def group_features(view: View, membership: np.ndarray, plan: Roles, group: int, rows: np.ndarray) -> Group:
    """The features of a group, from statistics that know nothing of its targets' membership.

    Args:
      view: of all points; of the answers themselves only the kinds of discrete ones are looked at.
      membership: bool [models, points].
      plan: who is scored.
      group: its number.
      rows: int [calibration points].

    Returns:
      `Group`.
    """
    reduced, answers = view
    targets, calibrators = plan.of(group)
    pooled = features.pool(_of_pair(reduced.statistics, targets[0]))
    rates = [
        categorical.kind_rates(each.kinds, membership, plan.known[targets[0]], len(each.codes_of_kind))
        for each in answers.discrete
    ]

    def made(pairs: np.ndarray, points: np.ndarray | slice) -> np.ndarray:
        about = _of_pairs(reduced.statistics, pairs, points)
        matched = features.cut(jnp.nan_to_num(reduced.filters[points][:, pairs]))
        ratios = [
            categorical.log_ratios(
                Counts(*(leaf[points][:, pairs] for leaf in found)), rate, each.codes_of_kind
            )
            for found, rate, each in zip(reduced.counts, rates, answers.discrete, strict=True)
        ]
        whole = [np.asarray(features.features(about, pooled)), np.asarray(matched), *ratios]
        return np.concatenate(whole, axis=-1)

    return Group(made(targets, slice(None)), made(calibrators, rows))


def _of_pairs(found: Statistics, pairs: np.ndarray, points: np.ndarray | slice) -> Statistics:
    by_pair = [leaf[points][:, pairs] for leaf in found[:-2]]
    return Statistics(*by_pair, *(leaf[points] for leaf in found[-2:]))


def _of_pair(found: Statistics, pair: int) -> Statistics:
    return Statistics(*(leaf[:, pair] for leaf in found[:-2]), *found[-2:])


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
    for name, answers in (("prediction", prediction), ("explanation", explanation)):
        for each in (answers.signals, *answers.maps, *(one.codes for one in answers.discrete)):
            _validate.same_shape(name, each.shape[:2], membership.shape, "membership")
    plan = roles(models, np.arange(models) if targets is None else targets)
    of_prediction = View(reduce_all(prediction, membership, plan), prediction)
    of_explanation = View(reduce_all(explanation, membership, plan), explanation)
    there = answered(prediction) & answered(explanation)
    scores = score(of_prediction, of_explanation, membership, plan, there)
    return scores, enough(membership, plan.known[: plan.targets]) & there[plan.scored[: plan.targets]]


def score(
    prediction: View, explanation: View, membership: np.ndarray, plan: Roles, there: np.ndarray
) -> Scores:
    """Learns the weights of each group on its calibrators and scores its targets.

    Args:
      prediction: what the predictions say.
      explanation: what the explanations say.
      membership: bool [models, points].
      plan: who is scored.
      there: bool [models, points], see `answered`.

    Returns:
      `Scores`.
    """
    points = membership.shape[1]
    count = min(points, CALIBRATION_POINTS)
    rows = np.arange(count) * points // count
    valid = enough(membership[:, rows], plan.known) & there[plan.scored][:, rows]
    scores = Scores(*(np.empty((plan.targets, points), np.float32) for _ in Scores._fields))
    for number in range(plan.groups):
        targets, calibrators = plan.of(number)
        labels = _Labels(membership[plan.scored[calibrators]][:, rows].T, valid[calibrators].T)
        of_prediction = group_features(prediction, membership, plan, number, rows)
        of_explanation = group_features(explanation, membership, plan, number, rows)
        together = zip(of_prediction, of_explanation, strict=True)
        of_both = Group(*(np.concatenate(pair, axis=-1) for pair in together))
        base = _learned(of_prediction, labels)
        both = _learned(of_both, labels, base)
        for into, learned in zip(scores, (base, _learned(of_explanation, labels), both), strict=True):
            into[targets] = learned.targets.T
    return scores


class _Labels(NamedTuple):
    """Membership of the calibrators, and whether it may be learned from: bool [calibration points, calibrators]."""

    member: np.ndarray
    valid: np.ndarray


def _learned(group: Group, labels: _Labels, offset: Group | None = None) -> Group:
    """Log-odds of a group's targets and calibrators, [points, pairs], `offset` included."""
    samples = group.calibration.reshape(labels.member.size, -1)
    known = 0.0 if offset is None else offset.calibration.ravel()
    model = logistic.fit(samples, labels.member.ravel(), labels.valid.ravel(), known)
    learned = Group(*(model.log_odds(each) for each in group))
    if offset is None:
        return learned
    return Group(offset.targets + learned.targets, offset.calibration + learned.calibration)
