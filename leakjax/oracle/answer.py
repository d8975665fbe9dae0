"""What an attacker gets for a batch of queries, and what it asked."""

from typing import NamedTuple

import numpy as np

ANSWERED, COARSENED, CACHED, REFUSED = "answered", "coarsened", "cached", "refused"
ACTIONS = (ANSWERED, COARSENED, CACHED, REFUSED)


class Question(NamedTuple):
    """A batch of queries.

    Attributes:
      x: [queries, ...].
      explained_class: int [queries], whose output each asks to see explained; None for what the release explains.
      account: int [queries], who asks.
      plain: whether predictions alone are asked for.
    """

    x: np.ndarray
    explained_class: np.ndarray | None
    account: np.ndarray
    plain: bool = False


class Predicted(NamedTuple):
    """What is shown of the predictions of a batch, as `release.Shown` of one.

    Attributes:
      classes: int [queries, shown].
      probabilities: [queries, shown or 0].
    """

    classes: np.ndarray
    probabilities: np.ndarray


class Answer(NamedTuple):
    """What a service says to a batch of queries.

    Attributes:
      prediction: what is shown of each; refused ones are -1 and NaN.
      explanations: of each part of the release [queries, ...], NaN where one is withheld; none to plain queries.
      explained_class: int [queries, explanations], whose output was explained; -1 where none was.
      action: str [queries], of `ACTIONS`.
    """

    prediction: Predicted
    explanations: tuple[np.ndarray, ...]
    explained_class: np.ndarray
    action: np.ndarray

    @property
    def vector(self) -> np.ndarray:
        """The prediction as one array [queries, numbers]: log-probabilities, a confidence, or the class alone."""
        parts = [self.prediction.probabilities, self.prediction.classes]
        return np.concatenate([np.asarray(part, np.float64) for part in parts], axis=1)

    @property
    def answered(self) -> np.ndarray:
        """bool [queries], which were not refused."""
        return self.action != REFUSED
