"""The document of a monitoring study: report.json as frozen dataclasses."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from leakjax.evaluate.document import SHARE, Estimate, Rate, described, document

ATTACKS, QUERIES = "attacks", "queries"
Action = Literal["coarsen", "cache", "refuse"]


@document()
class Watched:
    """What was watched and attacked."""

    dataset: str = described("name of the data set")
    features: int = described("numbers of a query")
    classes: int = described("classes of the attacked models")
    models: int = described("attacked models", "models")
    accuracy: float = described("their mean accuracy on users' records", SHARE)
    accounts: int = described(
        "benign accounts that set thresholds, and as many others that test them", "accounts"
    )
    queries: int = described("of every account", QUERIES)


@document()
class DetectorRow:
    """A detector, as it was frozen before any attack."""

    detector: str = described("its short name")
    settings: str = described("its name with its options")
    state: int = described("its state for one account; of the shared one, for all", "bytes")
    threshold: Mapping[Rate, float] = described("of its score, alone, by rate of false alarms")


@document()
class BenignRow:
    """Benign accounts that alarm, of those that set no threshold."""

    detector: str = described("which, alone or together")
    kind: str = described('of the accounts; "all" for all kinds')
    accounts: int = described("how many there are", "accounts")
    alarms: Mapping[Rate, Estimate] = described("share that alarms, by the rate that was aimed at", SHARE)


@document()
class AttackerRow:
    """An attack as it is where nobody watches."""

    attacker: str = described("its name")
    aimed_at: bool = described("whether a monitor is meant to catch it: no explanations, no disguise")
    counts: str = described("what its progress is")
    goal: float = described("the progress with which it has what it wanted", SHARE)
    reached: float = described("its median progress after the last query", SHARE)
    queries_to_goal: float = described(
        "the median number of queries to its goal; null where most miss it", QUERIES
    )
    won: float = described("share that reach the goal", SHARE)


@document()
class AttackRow:
    """One attack in one disguise before one detector."""

    attacker: str = described("its name")
    disguise: str = described("none, decoys_50, decoys_90, interleaved or split_30")
    detector: str = described("which, alone or together")
    attacks: int = described("how many were scored", ATTACKS)
    tpr: Mapping[Rate, Estimate] = described("share that alarms, by rate of false alarms", SHARE)
    chance: Mapping[Rate, float] = described("share of benign accounts, as many at a time, that alarm", SHARE)
    delay: Mapping[Rate, float] = described(
        "median queries up to the alarm, decoys among them; null without", QUERIES
    )
    reached: Mapping[Rate, float] = described(
        "median progress at the alarm, or at the end where there is none", SHARE
    )
    won: Mapping[Rate, float] = described("share that reach the goal before their alarm", SHARE)


@document()
class ActionRow:
    """An undisguised attack that goes on after the alarm, under one action."""

    attacker: str = described("its name")
    action: Action = described("what happens to its queries after the alarm at the rate 0.01")
    attacks: int = described("how many were carried out", ATTACKS)
    reached: float = described("median progress after the last query", SHARE)
    unguarded: float = described("the same without a guard", SHARE)
    won: float = described("share that reach the goal", SHARE)


@document()
class SpeedRow:
    """How fast a detector is, on one core."""

    detector: str = described("which")
    features: int = described("numbers of a query")
    updates: float = described("queries of one stream a second of processor time", "1/s")


@document()
class MonitorReport:
    """What a monitoring study found."""

    SCHEMA: ClassVar[str] = "leakjax.monitor/1"

    config: Mapping[str, Any] = described("every setting of the run that decides a number")
    environment: Mapping[str, Any] = described("versions, devices, platform")
    task: Watched = described("what was watched and attacked")
    detectors: Sequence[DetectorRow] = described("the detectors, frozen before any attack")
    benign: Sequence[BenignRow] = described("false alarms")
    attackers: Sequence[AttackerRow] = described("the attacks where nobody watches")
    attacks: Sequence[AttackRow] = described("what is caught, when, and what it had reached")
    actions: Sequence[ActionRow] = described("what is left of attacks that go on after their alarm")
    speed: Sequence[SpeedRow] = described("speed; empty where it was not asked for")
    timings: Mapping[str, float] = described("wall time of each part", "seconds")
