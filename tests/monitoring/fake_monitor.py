"""The report of a monitoring study, written by hand."""

import math

from leakjax.evaluate.document import Estimate
from leakjax.monitoring.document import (
    ActionRow,
    AttackerRow,
    AttackRow,
    BenignRow,
    DetectorRow,
    MonitorReport,
    SpeedRow,
    Watched,
)

RATES = ("0.001", "0.01")
DETECTORS = ("families", "any_of_an_account", "any")


def attack_row(attacker, disguise, detector, tpr, won, delay):
    return AttackRow(
        attacker=attacker,
        disguise=disguise,
        detector=detector,
        attacks=40,
        tpr=dict.fromkeys(RATES, Estimate(tpr, max(tpr - 0.1, 0.0), min(tpr + 0.05, 1.0))),
        chance=dict.fromkeys(RATES, 0.0123),
        delay=dict.fromkeys(RATES, delay),
        reached=dict.fromkeys(RATES, 0.42),
        won=dict.fromkeys(RATES, won),
    )


def fake_monitor(**changes):
    cases = {"finite_differences": (0.95, 0.0, 22.0), "<real_points>": (0.05, 1.0, math.nan)}
    fields = {
        "config": {"seed": 0},
        "environment": {},
        "task": Watched(
            dataset="<digits>", features=64, classes=10, models=2, accuracy=0.9, accounts=1000, queries=200
        ),
        "detectors": [
            DetectorRow(
                detector="families",
                settings="families(radius=0.3)",
                state=1234,
                threshold=dict.fromkeys(RATES, 21.0),
            )
        ],
        "benign": [
            BenignRow(
                detector=detector,
                kind=kind,
                accounts=500,
                alarms=dict.fromkeys(RATES, Estimate(0.01, 0.005, 0.02)),
            )
            for detector in DETECTORS
            for kind in ("all", "plain", "what_if")
        ],
        "attackers": [
            AttackerRow(
                attacker=name,
                aimed_at=name == "finite_differences",
                counts="cosine to <something>",
                goal=0.7,
                reached=0.9,
                queries_to_goal=30.0,
                won=1.0,
            )
            for name in cases
        ],
        "attacks": [
            attack_row(name, how, detector, tpr if how == "none" else 0.0, won, delay)
            for name, (tpr, won, delay) in cases.items()
            for how in ("none", "decoys_50", "split_30")
            for detector in DETECTORS
        ],
        "actions": [
            ActionRow(attacker=name, action=action, attacks=40, reached=0.5, unguarded=0.9, won=0.25)
            for name in cases
            for action in ("coarsen", "cache", "refuse")
        ],
        "speed": [SpeedRow(detector="families", features=784, updates=123456.0)],
        "timings": {"models": 1.0},
    }
    return MonitorReport(**{**fields, **changes})
