"""What is audited: models, points, who trained on what, and who attacks whom."""

import dataclasses
from typing import Any

import jax
import numpy as np

from leakjax import _validate
from leakjax.attack import roles as roles_of
from leakjax.attack import stacked
from leakjax.attack.roles import Roles, roles
from leakjax.auditing.door import check_targets
from leakjax.data import Points, evenly_spaced, take
from leakjax.evaluate.document import ExplainedClass
from leakjax.explain import LogitsFn
from leakjax.oracle import release

Variables = Any
LEAST_MODELS = roles_of.LEAST_MODELS
LEAST_POINTS = 30  # with fewer, a resample now and then holds no member, or members alone


@dataclasses.dataclass(frozen=True)
class Subject:
    """Models and points under audit.

    Attributes:
      logits_fn: logits [classes] of one example in evaluation mode.
      variables: leaves [models, ...].
      model_ids: int32 [models]; noise is keyed by them.
      points: the audited points.
      membership: bool [models, points].
      targets: int [targets], indices of the attacked models.
      key: of all randomness of the audit.
      label_known: whether the attacker knows the true class, beside the prediction and beside the explanation alike.
      explained_class: "predicted", by each model itself; "true"; "asked", all of them, the one taken for the true one
        first; "reference", the vote of the other models.
      releases: what may be shown of a prediction, as `oracle.prediction_part` reads it; the first one leads.
      neighbours: how many predictions near each point may be asked for in place of an explanation.
      neighbour_step: standard deviation of a step to one of them in every feature.
      explained_by: variables of the models that answer explanations, leaves [models, ...]; None: the attacked ones.
    """

    logits_fn: LogitsFn
    variables: Variables
    model_ids: np.ndarray
    points: Points
    membership: np.ndarray
    targets: np.ndarray
    key: jax.Array
    label_known: bool = True
    explained_class: ExplainedClass = "predicted"
    releases: tuple[str, ...] = release.DEFAULT
    neighbours: int = 0
    neighbour_step: float = 0.1
    explained_by: Variables = None

    def __post_init__(self) -> None:
        models = len(self.membership)
        _validate.at_least("models", models, LEAST_MODELS)
        _validate.at_least("points", len(self.points.x), LEAST_POINTS)
        _validate.same_shape(
            "membership",
            self.membership.shape,
            (len(self.model_ids), len(self.points.x)),
            "the models and points",
        )
        check_targets(self.targets, models)

    @property
    def models(self) -> int:
        """How many models there are, targets and shadows together."""
        return len(self.model_ids)

    @property
    def roles(self) -> Roles:
        """Who is attacked with the help of whom."""
        return roles(self.models, self.targets)

    @property
    def stackable(self) -> bool:
        """Whether there are models enough for the stacked attack; if not, only attacks that need few are run."""
        return self.models >= stacked.LEAST_MODELS

    @property
    def maps(self) -> int:
        """How many maps an explanation of a point holds: one of each class where all are asked for."""
        return self.points.classes if self.explained_class == "asked" else 1

    @property
    def seed(self) -> int:
        """Of NumPy's draws: resamples and planted signals."""
        return int(jax.random.randint(self.key, (), 0, 2**31 - 1))

    def of_points(self, count: int) -> "Subject":
        """The same audit of fewer points, evenly spaced."""
        rows = evenly_spaced(count, len(self.points.x))
        return dataclasses.replace(self, points=take(self.points, rows), membership=self.membership[:, rows])
