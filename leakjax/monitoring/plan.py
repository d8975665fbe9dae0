"""What decides the numbers of a monitoring study."""

import dataclasses
from typing import Any

from leakjax._validate import at_least, fail, positive, seed
from leakjax.evaluate.document import Rate

RATES: tuple[Rate, Rate] = ("0.001", "0.01")
KINDS = ("plain", "bursts", "retries", "what_if", "batches", "sensors")
SPLIT = 30  # accounts over which an attack is split
CROWD = 50  # accounts that a shared store watches at a time
INTERLEAVED = 10  # attacks that one account carries out in turn


@dataclasses.dataclass(frozen=True)
class Plan:
    """What decides the numbers of a study.

    Attributes:
      dataset: as `leakjax.data.load` takes it.
      points: of it; None takes all.
      accounts: benign accounts on which thresholds are set, and as many others on which they are tested.
      queries: of every account.
      attacks: attacks of each kind.
      targets: models attacked, in turn.
      students: of the attacks that distil, how many are carried out; their mean stands for all.
      hidden: units of the attacked models.
      noise: of the sensor, as a share of the features' standard deviation.
      seed: of everything that is drawn.
    """

    dataset: str = "digits"
    points: int | None = None
    accounts: int = 10_000
    queries: int = 200
    attacks: int = 400
    targets: int = 4
    students: int = 8
    hidden: int = 64
    noise: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises UsageError that names the field that is wrong."""
        at_least("accounts", self.accounts, 1000)
        at_least("queries", self.queries, 2 * SPLIT)
        for name in ("targets", "students", "hidden"):
            at_least(name, getattr(self, name), 1)
        at_least("attacks", self.attacks, max(self.targets, self.students, 10))
        if self.accounts % CROWD:
            raise fail("accounts", self.accounts, f"must be a multiple of {CROWD}, which share a store")
        positive("noise", self.noise)
        seed("seed", self.seed)


def quick(**changes: Any) -> Plan:
    """A plan of about a minute, whose numbers have wide intervals: 1,000 accounts of either kind, 40 attacks.

    Args:
      **changes: fields of `Plan`.
    """
    return Plan(**{"accounts": 1000, "queries": 200, "attacks": 40, "targets": 2, "students": 2, **changes})
