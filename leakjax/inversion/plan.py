"""What decides the numbers of an inversion study."""

import dataclasses
from typing import Any

from leakjax._validate import at_least, fail, one_of, seed

PARTS = ("background", "reidentify")


@dataclasses.dataclass(frozen=True)
class Plan:
    """What decides the numbers of a study.

    Attributes:
      dataset: as `leakjax.data.load` takes it; images with values in [0, 1].
      parts: names in `PARTS`.
      models: target models, each trained on a random half of the points.
      targets: records whose answers are attacked, of each model.
      candidates: among whom a record is sought.
      epochs: of the training of a model.
      seed: of everything that is drawn.
    """

    dataset: str
    parts: tuple[str, ...] = PARTS
    models: int = 4
    targets: int = 100
    candidates: int = 1000
    epochs: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises UsageError that names the field that is wrong."""
        for each in self.parts:
            one_of("parts", each, PARTS)
        if not self.parts:
            raise fail("parts", "", f"must name at least one of {', '.join(PARTS)}")
        for name in ("models", "targets", "epochs"):
            at_least(name, getattr(self, name), 1)
        if self.candidates < 2:
            raise fail("candidates", self.candidates, "must be at least 2, or there is nobody to tell apart")
        seed("seed", self.seed)


def plan_for(dataset: str, *, quick: bool = False, **given: Any) -> Plan:
    """The plan of a study; what is None takes its default.

    Args:
      dataset: see `Plan`.
      quick: two models and fewer targets, for a first look.
      **given: the other fields of `Plan`.

    Raises:
      UsageError: a field that is out of range, by name.
    """
    few = {"models": 2, "targets": 30} if quick else {}
    return Plan(dataset, **{**few, **{name: value for name, value in given.items() if value is not None}})
