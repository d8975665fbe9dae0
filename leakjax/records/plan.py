"""What decides the numbers of a records study."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from leakjax._validate import at_least, fail, one_of, seed
from leakjax.influence.exact import LOSSES
from leakjax.records.encode import SCALINGS
from leakjax.records.study import ORACLES

PARTS = ("draws", "defenses", "approximations", "network", "sweep", "sizes")
POINTS: Mapping[str, int] = {"adult": 2000, "parkinsons": 200, "fashion_mnist": 1800}
# Below it, the rounding of 1e-9-converged models looks like records beyond the rank.
THRESHOLDS = {("adult", "probability"): 1e-13, ("adult", "cross_entropy"): 1e-12}


@dataclasses.dataclass(frozen=True)
class Plan:
    """What decides the numbers of a study; see `plan_for` for those that follow the data set.

    Attributes:
      dataset: A name in POINTS, or npz:<path> with binary labels.
      parts: Names in PARTS.
      draws: How often training records are drawn.
      points: Training records of a draw; None takes half of the task.
      threshold: Influence that Algorithm 1 takes for noise.
      oracles: Names in ORACLES, for Algorithm 1.
      seed: Of everything that is drawn.
      l2: Penalty on the sum of losses, the 1/C of scikit-learn.
      scaling: Of continuous features, one of SCALINGS.
      loss: Whose change is the influence, "probability" (the paper's) or "cross_entropy".
      k: Records of an explanation, for the influence graph and the defenses.
      queries: Of a static batch.
      walks: Starts from which each strategy walks the influence graph.
      network_points: Training records of the network, which is retrained without each.
      pair: The two classes of fashion_mnist.
      width: Random features of fashion_mnist.
    """

    dataset: str
    parts: tuple[str, ...]
    draws: int
    points: int | None
    threshold: float
    oracles: tuple[str, ...]
    seed: int = 0
    l2: float = 1.0
    scaling: str = "zscore"
    loss: str = "probability"
    k: int = 5
    queries: int = 1000
    walks: int = 20
    network_points: int = 200
    pair: tuple[int, int] = (5, 7)
    width: int = 2048

    def __post_init__(self) -> None:
        """Raises UsageError that names the field that is wrong."""
        for name, given, allowed in (("parts", self.parts, PARTS), ("oracles", self.oracles, ORACLES)):
            for each in given:
                one_of(name, each, allowed)
        if "draws" not in self.parts:
            raise fail("parts", ",".join(self.parts), "must contain draws")
        one_of("scaling", self.scaling, SCALINGS)
        one_of("loss", self.loss, LOSSES)
        for name in ("draws", "k", "queries", "walks", "width"):
            at_least(name, getattr(self, name), 1)
        seed("seed", self.seed)
        at_least("l2", self.l2, 0)
        at_least("threshold", self.threshold, 0)
        if len(set(self.pair)) != 2:
            raise fail("pair", ",".join(map(str, self.pair)), "must be two different classes, as in 5,7")
        at_least("network_points", self.network_points, 2)
        if self.points is not None and self.k > self.points:
            raise fail("k", self.k, f"must be at most points={self.points}, the size of the training set")


def plan_for(
    dataset: str,
    *,
    parts: tuple[str, ...] | None = None,
    draws: int | None = None,
    points: int | None = None,
    oracles: tuple[str, ...] | None = None,
    threshold: float | None = None,
    **others: Any,
) -> Plan:
    """The plan of a study, in which what is None follows the data set.

    Args:
      dataset: See Plan.
      parts: All for adult, draws alone otherwise.
      draws: 10, or 1 for fashion_mnist.
      points: 2,000 (adult), 200 (parkinsons), 1,800 (fashion_mnist), half of any other.
      oracles: All, or exact alone for fashion_mnist.
      threshold: 1e-13 for adult (1e-12 by cross-entropy), 1e-14 otherwise.
      **others: The other fields of Plan.

    Raises:
      UsageError: A field that is out of range, by name.
    """
    large = dataset == "fashion_mnist"
    noise = THRESHOLDS.get((dataset, others.get("loss", Plan.loss)), 1e-14)
    return Plan(
        dataset,
        parts=parts or (PARTS if dataset == "adult" else PARTS[:1]),
        draws=draws if draws is not None else 1 if large else 10,
        points=points if points is not None else POINTS.get(dataset),
        threshold=threshold if threshold is not None else noise,
        oracles=oracles or (("exact",) if large else tuple(ORACLES)),
        **others,
    )
