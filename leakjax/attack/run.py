"""Runs one attack on all points: it learns on some, then scores them a chunk at a time.

Nothing of size models x points x features is ever held: a source gives the replies of a chunk, which are reduced
before the next chunk is asked for.
"""

import functools
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _memory, _progress, _validate
from leakjax.attack.reading import OF_MAPS
from leakjax.attack.registry import Attack, Least, Lesson, learns_nothing
from leakjax.attack.replies import Replies, Source
from leakjax.attack.roles import Roles, roles
from leakjax.data import evenly_spaced

# Shadows in the role of targets are looked at on so many points.
LESSON_POINTS = 1024
_CHUNK_VALUES = 2**22
_MOST_POINTS = 512


class Attacked(NamedTuple):
    """What an attack says.

    Attributes:
      scores: float64 [targets, points], higher = member; 0 where not valid.
      valid: bool [targets, points]; the others rest on too few models or on no answer: to be dropped and counted.
    """

    scores: np.ndarray
    valid: np.ndarray


def run(
    attack: Attack,
    source: Source | Replies,
    membership: np.ndarray,
    *,
    targets: np.ndarray | None = None,
    key: jax.Array,
) -> Attacked:
    """Attacks each target with the help of the other models.

    Args:
      attack: which.
      source: the replies of all models at all points, or a function from rows of points, int [rows], to those there.
      membership: bool [models, points]; a target's own row is withheld: flipping it changes none of its scores (under
        the protocol "known_half", none of those that are valid, beyond the half that the attacker is given).
      targets: int [targets], indices of the attacked models; all when None.
      key: of what the attack draws.

    Returns:
      `Attacked`.

    Raises:
      UsageError: replies that the attack needs and does not get, shapes that disagree, too few models.
    """
    membership = np.asarray(membership, bool)
    models, points = membership.shape
    if isinstance(source, Replies):
        source.check(membership)
        source = source.at
    plan = roles(models, np.arange(models) if targets is None else targets)
    valid = check_models(attack, membership, plan)
    first = source(np.arange(1))
    check_needs(attack, _there(first))
    reduce = _program(attack.reduce, *_held(first))
    values = sum(int(np.prod(np.shape(leaf))) for leaf in jax.tree.leaves(first))
    size = max(1, min(points, _MOST_POINTS, _CHUNK_VALUES // (values + models * len(plan.scored))))
    reduced_at = _chunked(reduce, source, membership, size)
    known_half = attack.protocol == "known_half"
    fitted: list[tuple[np.ndarray, Any]] = [(np.arange(plan.targets), None)]
    if attack.fit is not learns_nothing:
        learned = _known_half if known_half else _shadows
        lessons = learned(attack, plan, membership, valid, reduced_at, key)
        fitted = [(pairs, attack.fit(lesson)) for pairs, lesson in lessons]
    scores = np.empty((plan.targets, points))
    for start in _progress.track(range(0, points, size)):
        rows = np.arange(start, min(start + size, points))
        reduced = reduced_at(rows, plan.known[: plan.targets], plan.scored[: plan.targets])
        for pairs, what in fitted:
            of_group = jax.tree.map(lambda leaf, pairs=pairs: leaf[:, pairs], reduced)
            scores[pairs, start : start + len(rows)] = attack.score(what, of_group).T
    keep = valid[: plan.targets] & np.isfinite(scores)
    if known_half:
        keep[:, _given(points)] = False
    return Attacked(np.where(keep, scores, 0.0), keep)


def check_models(attack: Attack, membership: np.ndarray, plan: Roles) -> np.ndarray:
    """Whether each pair rests on enough models: bool [pairs, points]; UsageError where no target does anywhere."""
    valid = _enough(membership, plan.known, attack.least)
    if not valid[: plan.targets].any():
        rule = f"{attack.name} needs {attack.least.inside} in- and {attack.least.outside} out-models beside a target"
        models = len(membership)
        raise _validate.fail("models", models, f"{rule} at a point, and has them at none; train more models")
    return valid


def check_needs(attack: Attack, there: Collection[str]) -> None:
    """Raises UsageError where replies lack what an attack looks at.

    Args:
      attack: which.
      there: names of the parts of `Replies` that there are; of "maps" all numbers can be read off.
    """
    for name in attack.needs:
        read = "maps" if name in OF_MAPS else name
        if name not in there and read not in there:
            raise _validate.fail("attacks", attack.name, f"needs {read}, which the replies do not hold")


def _enough(membership: np.ndarray, known: np.ndarray, least: Least) -> np.ndarray:
    """Whether each pair rests on enough models: bool [pairs, points]."""
    inside, weights = membership.astype(np.float32), known.astype(np.float32)
    return (weights @ inside >= least.inside) & (weights @ (1 - inside) >= least.outside)


def _there(replies: Replies) -> set[str]:
    there = {name for name, leaf in replies._asdict().items() if leaf is not None}
    there |= {f"signals[{name}]" for name in replies.signals or ()}
    return there | (set(OF_MAPS) & set(replies.signals or ()))


@functools.lru_cache(maxsize=64)
def _program(
    reduce: Callable[..., Any], parts: tuple[tuple[str, int], ...], signals: tuple[str, ...] | None
) -> Callable[..., Any]:
    """`reduce` of many points, compiled once for each attack and kind of replies; see `_held`."""
    axes = Replies(**dict(parts), signals=None if signals is None else dict.fromkeys(signals, 1))
    return jax.jit(jax.vmap(reduce, in_axes=(axes, 1, None, None)))


def _held(replies: Replies) -> tuple[tuple[tuple[str, int], ...], tuple[str, ...] | None]:
    """Which parts replies hold, with their axes of points, and which signals."""
    axes = replies.axes()._asdict()
    signals = axes.pop("signals")
    parts = tuple((name, axis) for name, axis in axes.items() if axis is not None)
    return parts, None if signals is None else tuple(signals)


def _chunked(
    reduce: Callable[..., Any], source: Source, membership: np.ndarray, size: int
) -> Callable[[np.ndarray, np.ndarray, np.ndarray], Any]:
    """From rows of points, who is known and who is scored to reduced replies on the host, [rows, pairs, ...]."""

    def at(rows: np.ndarray, known: np.ndarray, scored: np.ndarray) -> Any:
        parts = []
        for start in range(0, len(rows), size):
            chunk = rows[np.arange(start, start + size) % len(rows)]  # wraps, so that one size is compiled
            replies = jax.tree.map(_as_device, source(chunk))
            found = reduce(replies, membership[:, chunk], jnp.asarray(known), jnp.asarray(scored))
            parts.append(jax.tree.map(lambda leaf, s=start: np.asarray(leaf)[: len(rows) - s], found))
            if start == 0:
                each = sum(leaf.nbytes for leaf in jax.tree.leaves(found))
                _memory.check("points", len(rows), each / size * len(rows), "what an attack learns from")
        return jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)

    return at


def _as_device(leaf: Any) -> jax.Array:
    array = np.asarray(leaf)
    return jnp.asarray(array, jnp.float32 if array.dtype.kind == "f" else None)


def _shadows(
    attack: Attack, plan: Roles, membership: np.ndarray, valid: np.ndarray, reduced_at: Any, key: jax.Array
) -> list[tuple[np.ndarray, Lesson]]:
    """The targets of each group, and what is learned for them from shadows in the role of targets."""
    rows = evenly_spaced(min(len(membership[0]), LESSON_POINTS), len(membership[0]))
    asked = slice(0 if attack.population else plan.targets, None)
    reduced = reduced_at(rows, plan.known[asked], plan.scored[asked])
    lessons = []
    for group in range(plan.groups):
        targets, calibrators = plan.of(group)
        of = lambda pairs: jax.tree.map(lambda leaf: leaf[:, pairs - asked.start], reduced)
        lesson = Lesson(
            of(calibrators),
            membership[plan.scored[calibrators]][:, rows].T,
            valid[calibrators][:, rows].T,
            of(targets) if attack.population else None,
            jax.random.fold_in(key, group),
        )
        lessons.append((targets, lesson))
    return lessons


def _given(points: int) -> np.ndarray:
    """The half of the points whose membership the attacker of "known_half" is given."""
    return np.arange(0, points, 2)


def _known_half(
    attack: Attack, plan: Roles, membership: np.ndarray, valid: np.ndarray, reduced_at: Any, key: jax.Array
) -> list[tuple[np.ndarray, Lesson]]:
    """Each target, and what is learned from one half of its own points, all of it."""
    rows = _given(membership.shape[1])
    lessons = []
    for pair in range(plan.targets):
        one = np.array([pair])
        reduced = reduced_at(rows, plan.known[one], plan.scored[one])
        member = membership[plan.scored[one]][:, rows].T
        lesson = Lesson(reduced, member, valid[one][:, rows].T, reduced, jax.random.fold_in(key, pair))
        lessons.append((one, lesson))
    return lessons
