"""What decides the numbers of an inversion study."""

import dataclasses
from typing import Any

from leakjax._validate import at_least, fail, one_of, seed

OF_IMAGES = (
    "background",
    "reidentify",
    "closed_form",
    "known_model",
    "learned",
    "ascent",
    "patterns",
    "extraction",
    "relu_units",
    "aggregates",
)
OF_TABLES = ("attributes", "censored", "shapley_values")
PARTS = (*OF_IMAGES, *OF_TABLES)
_LARGE = ("fashion_mnist", "cifar10", "cifar100")  # of which all points and four models would take hours


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
      points: how many points of the data set are taken; None: all.
      seed: of everything that is drawn.
    """

    dataset: str
    parts: tuple[str, ...] = OF_IMAGES
    models: int = 4
    targets: int = 100
    candidates: int = 1000
    epochs: int = 50
    points: int | None = None
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

    Of adult fields and not images; of large data sets 3,000 points and two models.

    Args:
      dataset: see `Plan`.
      quick: two models and fewer targets, for a first look.
      **given: the other fields of `Plan`.

    Raises:
      UsageError: a field that is out of range, by name.
    """
    few: dict[str, Any] = {"models": 2, "targets": 30} if quick else {}
    name = dataset.partition("(")[0]
    if name in _LARGE:
        few |= {"models": 2, "points": 3000}
    if name == "adult":
        few |= {"parts": OF_TABLES, "epochs": 10, "points": 4000, "targets": 500}
    return Plan(dataset, **{**few, **{name: value for name, value in given.items() if value is not None}})
