"""Carries attacks out, hides them, and scores them by detectors that were frozen before."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from leakjax.monitoring import disguise
from leakjax.monitoring.alarms import in_order
from leakjax.monitoring.attackers import ACTIONS, COPYING, Attack, Played, play
from leakjax.monitoring.attackers import site as site_of
from leakjax.monitoring.attackers.students import agreement
from leakjax.monitoring.plan import CROWD, Plan
from leakjax.monitoring.watch import Watch, benign_program, crowd_program, program
from leakjax.monitoring.world import World

PER_CROWD = 2  # attacks of each kind in a crowd
SHARED = 4  # one of so many attacks is also put before the shared store


class Carried(NamedTuple):
    """Attacks of one kind: queries float32 [attacks, queries, features], progress float [attacks, queries]."""

    queries: np.ndarray
    progress: np.ndarray


class Scored(NamedTuple):
    """Attacks of one kind in one disguise.

    Attributes:
      scores: by the place of a detector, float32 [attacks, moments]; of the shared detector, the last, of some alone.
      own: int [attacks, moments], of `Disguised`.
    """

    scores: Mapping[int, np.ndarray]
    own: np.ndarray


Player = Callable[[str, np.ndarray], Played]  # an action, and int [attacks]: when each alarmed


def player(world: World, attack: Attack, plan: Plan) -> Player:
    """Carries all attacks of one kind out, each on a record of its own, the models in turn: one compiled program.

    Args:
      world: that is attacked.
      attack: which.
      plan: of the study.

    Returns:
      A function of one of `ACTIONS` and the number of the query, from 1, at which each alarmed (0: never), int
      [attacks]. Answers are kept of those attacks alone whose copies are trained.
    """
    key = jax.random.fold_in(jax.random.key(plan.seed), 4)

    def one(numbers: tuple[jax.Array, jax.Array], action: jax.Array) -> Played:
        number, alarm = numbers
        place = site_of(world, jax.random.fold_in(key, number))
        own = world.of_target(number % plan.targets)
        played = play(attack, own, place, plan.queries, action=action, alarm=alarm)
        return played if attack.name in COPYING else played._replace(answers=None, asked=None)

    @jax.jit
    def every(alarm: jax.Array, action: jax.Array) -> Played:
        numbers = jnp.arange(plan.attacks), alarm
        return jax.lax.map(lambda pair: one(pair, action), numbers, batch_size=min(plan.attacks, 50))

    return lambda action, alarm: every(jnp.asarray(alarm), jnp.asarray(ACTIONS.index(action)))


def carry_out(world: World, attack: Attack, plan: Plan, played_by: Player) -> Carried:
    """Carries attacks out that nobody watches."""
    played = played_by("answer", np.zeros(plan.attacks, int))
    if attack.name not in COPYING:
        return Carried(np.asarray(played.queries), np.asarray(played.progress))
    progress = _copies(world, played, plan, np.ones((plan.attacks, plan.queries), bool))
    return Carried(np.asarray(played.queries), np.broadcast_to(progress, (plan.attacks, plan.queries)))


def under_action(
    world: World, attack: Attack, plan: Plan, played_by: Player, action: str, alarm: np.ndarray
) -> np.ndarray:
    """The progress of attacks that go on after their alarm, float [attacks, queries].

    Args:
      world: that is attacked.
      attack: which.
      plan: of the study.
      played_by: of `player`.
      action: "coarsen", "cache" or "refuse".
      alarm: int [attacks], the number of the query that alarmed; 0: none.
    """
    played = played_by(action, alarm)
    if attack.name not in COPYING:
        return np.asarray(played.progress)
    late = (alarm > 0)[:, None] & (np.arange(1, plan.queries + 1)[None, :] >= alarm[:, None])
    heard = ~late if action == "refuse" else np.ones_like(late)
    return np.broadcast_to(_copies(world, played, plan, heard), (plan.attacks, plan.queries))


def score(
    world: World, watching: Watch, plan: Plan, carried: Mapping[str, Carried], how: str
) -> dict[str, Scored]:
    """Scores attacks of every kind in one disguise.

    Args:
      world: whose records are decoys and benign queries.
      watching: the detectors.
      plan: of the study.
      carried: attacks by name.
      how: one of `DISGUISES`.

    Returns:
      Scores by name of the attack. The shared store sees a split attack as it is.
    """
    key = jax.random.fold_in(jax.random.key(plan.seed), 5)
    own = {
        name: disguise.disguised(world, jnp.asarray(each.queries), how, jax.random.fold_in(key, place))
        for place, (name, each) in enumerate(carried.items())
    }
    scores, found = program(watching), {}
    for name, each in own.items():
        alone = np.asarray(scores(each.streams))
        found[name] = in_order(alone, plan.attacks) if how == "split_30" else alone
    seen = {
        name: jnp.asarray(carried[name].queries) if how == "split_30" else each.streams
        for name, each in own.items()
    }
    shared = _in_crowds(world, watching, plan, seen, jax.random.fold_in(key, 99))
    last = len(watching.own)
    return {
        name: Scored(
            {**dict(enumerate(found[name])), last: shared[name][:, : found[name].shape[2]]}, own[name].own
        )
        for name in carried
    }


def _in_crowds(
    world: World, watching: Watch, plan: Plan, streams: Mapping[str, jax.Array], key: jax.Array
) -> dict[str, np.ndarray]:
    """Scores [some attacks, queries] by the shared store, of crowds that hold a few attacks of each kind."""
    crowd, names = crowd_program(watching), list(streams)
    places = PER_CROWD * len(names)
    draw, others = benign_program(world, plan), np.arange(CROWD - places)
    found: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for number in range(max(plan.attacks // SHARED // PER_CROWD, 1)):
        rows = slice(number * PER_CROWD, (number + 1) * PER_CROWD)
        theirs = [streams[name][rows] for name in names]
        scores = np.asarray(crowd(jnp.concatenate([*theirs, draw(jax.random.fold_in(key, number), others)])))
        for place, name in enumerate(names):
            found[name].append(scores[place * PER_CROWD : (place + 1) * PER_CROWD])
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _copies(world: World, played: Played, plan: Plan, heard: np.ndarray) -> np.ndarray:
    """The mean agreement [queries] of the copies of some attacks."""
    key = jax.random.fold_in(jax.random.key(plan.seed), 6)
    curves = []
    for number in range(plan.students):
        one: Any = jax.tree.map(lambda leaf, row=number: leaf[row], played)
        own = world.of_target(number % plan.targets)
        curves.append(agreement(world, own, one, jnp.asarray(heard[number]), jax.random.fold_in(key, number)))
    return np.mean(curves, axis=0)
