"""From scores to the rows of a report."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import stats

from leakjax.evaluate.document import Estimate
from leakjax.monitor import state_bytes
from leakjax.monitoring.alarms import Limits, alarming, detectors, first_alarm
from leakjax.monitoring.attackers import AIMED_AT, Attack
from leakjax.monitoring.document import ActionRow, AttackerRow, AttackRow, BenignRow, DetectorRow
from leakjax.monitoring.measure import Carried, Scored
from leakjax.monitoring.plan import KINDS, RATES, SPLIT
from leakjax.monitoring.watch import Highest, Watch

LEADING = RATES[1]


def share(hits: np.ndarray) -> Estimate:
    """The share of independent trials that hit, with the interval of Clopper and Pearson.

    Args:
      hits: bool [trials].
    """
    count, number = int(np.sum(hits)), len(hits)
    low = stats.beta.ppf(0.025, count, number - count + 1) if count else 0.0
    high = stats.beta.ppf(0.975, count + 1, number - count) if count < number else 1.0
    return Estimate(count / number, float(low), float(high))


def detector_rows(watching: Watch, limits: Mapping[str, Limits]) -> list[DetectorRow]:
    """The detectors and their thresholds."""
    monitors = [*watching.own.values(), watching.shared]
    return [
        DetectorRow(
            detector=name,
            settings=one.name,
            state=state_bytes(one),
            threshold={rate: float(limits[rate].alone[place]) for rate in RATES},
        )
        for place, (name, one) in enumerate(zip(watching.names, monitors, strict=True))
    ]


def benign_rows(names: tuple[str, ...], tested: Highest, limits: Mapping[str, Limits]) -> list[BenignRow]:
    """False alarms of the accounts that set no threshold, in all and by kind."""
    number = tested.whole.shape[1]
    kinds = (number + np.arange(number)) % len(KINDS)  # the accounts before them set the thresholds
    parts = {"all": np.ones(len(kinds), bool)} | {kind: kinds == place for place, kind in enumerate(KINDS)}
    found = []
    for name in detectors(names):
        alarms = {rate: alarming(tested.whole, limits[rate].of(name, names)) for rate in RATES}
        found += [
            BenignRow(
                detector=name,
                kind=kind,
                accounts=int(part.sum()),
                alarms={rate: share(alarms[rate][part]) for rate in RATES},
            )
            for kind, part in parts.items()
        ]
    return found


def attacker_row(attack: Attack, carried: Carried) -> AttackerRow:
    """What an attack reaches where nobody watches."""
    there = carried.progress >= attack.goal
    needed = np.where(there.any(axis=1), there.argmax(axis=1) + 1, np.inf)
    return AttackerRow(
        attacker=attack.name,
        aimed_at=attack.name in AIMED_AT,
        counts=attack.counts,
        goal=attack.goal,
        reached=float(np.median(_best(carried.progress)[:, -1])),
        queries_to_goal=float(np.median(needed)),
        won=float(there.any(axis=1).mean()),
    )


def attack_rows(
    attack: Attack,
    carried: Carried,
    how: str,
    scored: Scored,
    names: tuple[str, ...],
    limits: Mapping[str, Limits],
    tested: Highest,
) -> list[AttackRow]:
    """One attack in one disguise before every detector.

    Args:
      attack: which.
      carried: as it is where nobody watches.
      how: the disguise.
      scored: its scores.
      names: of the detectors.
      limits: by rate.
      tested: benign accounts that set no threshold, for what would alarm by chance.
    """
    return [
        AttackRow(
            attacker=attack.name,
            disguise=how,
            detector=name,
            **_caught(attack, carried, how, scored, tested, {r: limits[r].of(name, names) for r in RATES}),
        )
        for name in detectors(names)
    ]


def action_row(attack: Attack, action: Any, guarded: np.ndarray, carried: Carried) -> ActionRow:
    """What is left of an attack that goes on after its alarm.

    Args:
      attack: which.
      action: as in `ActionRow`.
      guarded: float [attacks, queries], its progress.
      carried: the same attacks where nobody watches.
    """
    return ActionRow(
        attacker=attack.name,
        action=action,
        attacks=len(guarded),
        reached=float(np.median(_best(guarded)[:, -1])),
        unguarded=float(np.median(_best(carried.progress)[:, -1])),
        won=float((guarded >= attack.goal).any(axis=1).mean()),
    )


def _caught(
    attack: Attack,
    carried: Carried,
    how: str,
    scored: Scored,
    tested: Highest,
    chosen: Mapping[str, Mapping[int, float]],
) -> dict[str, Any]:
    found: dict[str, Any] = {"tpr": {}, "chance": {}, "delay": {}, "reached": {}, "won": {}}
    for rate in RATES:
        at = first_alarm(scored.scores, chosen[rate])
        best = _best(carried.progress)[: len(at)]
        # How many of its own queries were answered before each moment: the one that alarms is not.
        before = np.pad(scored.own[: len(at)], ((0, 0), (1, 0)))
        heard = before[np.arange(len(at)), np.where(at > 0, at - 1, before.shape[1] - 1)]
        progress = np.where(heard > 0, best[np.arange(len(at)), np.maximum(heard - 1, 0)], 0.0)
        found["attacks"] = len(at)
        found["tpr"][rate] = share(at > 0)
        found["delay"][rate] = float(np.median(at[at > 0])) if (at > 0).any() else float("nan")
        found["reached"][rate] = float(np.median(progress))
        found["won"][rate] = float((progress >= attack.goal).mean())
        found["chance"][rate] = _chance(how, tested, chosen[rate])
    return found


def _chance(how: str, tested: Highest, chosen: Mapping[int, float]) -> float:
    """How often benign accounts alarm, as many and as long ones as an attack has in that disguise."""
    if how != "split_30":
        return float(alarming(tested.whole, chosen).mean())
    # The shared store watches the attack as that of one account, the others SPLIT accounts that ask little.
    last = len(tested.whole) - 1
    own = {place: limit for place, limit in chosen.items() if place != last}
    quiet = (1 - alarming(tested.early, own).mean()) ** SPLIT if own else 1.0
    if last in chosen:
        quiet *= 1 - alarming(tested.whole, {last: chosen[last]}).mean()
    return float(1 - quiet)


def _best(progress: np.ndarray) -> np.ndarray:
    """The best progress so far, at every query: what an attack once had it keeps."""
    return np.maximum.accumulate(progress, axis=1)
