"""Runs a monitoring study: benign accounts, thresholds, and only then attacks. Each part is kept as it is done."""

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from leakjax._workdir import Store, opened
from leakjax._workdir.fingerprint import environment, fingerprint
from leakjax.data import Points
from leakjax.monitoring import attackers, rows, world
from leakjax.monitoring.alarms import ANY, first_alarm, limits
from leakjax.monitoring.disguise import DISGUISES
from leakjax.monitoring.document import ActionRow, MonitorReport, SpeedRow, Watched
from leakjax.monitoring.measure import Carried, Player, Scored, carry_out, player, score, under_action
from leakjax.monitoring.plan import Plan
from leakjax.monitoring.watch import Highest, Watch, benign_highest, watch
from leakjax.monitoring.world import World

Say = Callable[[str], None]


class _Kept:
    """Computes parts of a study, or takes what a store holds of them."""

    def __init__(self, store: Any, plan: Plan, points: Points, say: Say) -> None:
        self.seconds: dict[str, float] = {}
        self._store, self._say = store, say
        settings = dataclasses.replace(plan, dataset="")
        self._mark = fingerprint(plan=settings, environment=environment(), x=points.x, y=points.y)

    def part(self, name: str, compute: Callable[[], Any]) -> Any:
        """The value of a part: arrays in lists and dicts."""
        self._say(name)

        def timed() -> Any:
            start = time.perf_counter()
            value = compute()
            return {"value": value, "seconds": time.perf_counter() - start}

        kept = timed() if self._store is None else self._store.stage(name, self._mark, timed)
        self.seconds[name] = kept["seconds"]
        return kept["value"]


def run_study(
    plan: Plan,
    points: Points,
    environment: Mapping[str, Any],
    *,
    store: Store = None,
    speed: list[SpeedRow] | None = None,
    say: Say = lambda text: None,
) -> MonitorReport:
    """Measures everything.

    Args:
      plan: of the study.
      points: of `world.load`.
      environment: versions, devices and platform.
      store: a folder that keeps every finished part, claimed meanwhile if it is not already; None keeps nothing.
      speed: of the detectors, where it was measured.
      say: told what is done next.

    Returns:
      The report.

    Raises:
      UsageError: the folder is in use or cannot be written.
    """
    with opened(store) as held:
        kept = _Kept(held, plan, points, say)
        start = time.perf_counter()
        say(f"training {plan.targets} models")
        made = world.make(plan, points)
        kept.seconds["models"] = time.perf_counter() - start
        watching = watch(made, plan)
        first, second = (
            Highest(**kept.part(f"benign accounts: {what}", _benign(made, watching, plan, number)))
            for number, what in enumerate(("thresholds", "test"))
        )
        # From here on the detectors are frozen.
        found = limits(first)
        attacks = attackers.make(made)
        players = {name: player(made, attack, plan) for name, attack in attacks.items()}
        carried = {
            name: Carried(**kept.part(f"attack {name}", _carried(made, attack, plan, players[name])))
            for name, attack in attacks.items()
        }
        scored = {
            how: _unpacked(kept.part(f"disguise {how}", _scored(made, watching, plan, carried, how)))
            for how in DISGUISES
        }
        chosen = found[rows.LEADING].of(ANY, watching.names)
        alarm = {name: first_alarm(each.scores, chosen) for name, each in scored["none"].items()}
        actions = _actions(kept, made, plan, attacks, players, carried, alarm)
        return MonitorReport(
            config=dataclasses.asdict(plan),
            environment=environment,
            task=_task(plan, made),
            detectors=rows.detector_rows(watching, found),
            benign=rows.benign_rows(watching.names, second, found),
            attackers=[rows.attacker_row(attack, carried[name]) for name, attack in attacks.items()],
            attacks=[
                row
                for name, attack in attacks.items()
                for how in DISGUISES
                for row in rows.attack_rows(
                    attack, carried[name], how, scored[how][name], watching.names, found, second
                )
            ],
            actions=actions,
            speed=speed or [],
            timings=kept.seconds,
        )


def _benign(made: World, watching: Watch, plan: Plan, number: int) -> Callable[[], Any]:
    return lambda: benign_highest(made, watching, plan, number * plan.accounts)._asdict()


def _carried(made: World, attack: attackers.Attack, plan: Plan, played_by: Player) -> Callable[[], Any]:
    return lambda: carry_out(made, attack, plan, played_by)._asdict()


def _scored(
    made: World, watching: Watch, plan: Plan, carried: Mapping[str, Carried], how: str
) -> Callable[[], Any]:
    def compute() -> Any:
        found = score(made, watching, plan, carried, how)
        return {
            name: {"own": one.own, "scores": [one.scores[place] for place in sorted(one.scores)]}
            for name, one in found.items()
        }

    return compute


def _unpacked(value: Mapping[str, Any]) -> dict[str, Scored]:
    return {name: Scored(dict(enumerate(one["scores"])), one["own"]) for name, one in value.items()}


def _actions(
    kept: _Kept,
    made: World,
    plan: Plan,
    attacks: Mapping[str, attackers.Attack],
    players: Mapping[str, Player],
    carried: Mapping[str, Carried],
    alarm: Mapping[str, np.ndarray],
) -> list[ActionRow]:
    """Every undisguised attack under every action, from its alarm at the leading rate on."""
    listed = []
    for name, attack in attacks.items():
        for action in attackers.ACTIONS[1:]:
            compute = functools.partial(under_action, made, attack, plan, players[name], action, alarm[name])
            guarded = np.asarray(kept.part(f"{action} {name}", compute))
            listed.append(rows.action_row(attack, action, guarded, carried[name]))
    return listed


def _task(plan: Plan, made: World) -> Watched:
    return Watched(
        dataset=plan.dataset,
        features=made.features,
        classes=made.classes,
        models=plan.targets,
        accuracy=float(made.accuracy.mean()),
        accounts=plan.accounts,
        queries=plan.queries,
    )
