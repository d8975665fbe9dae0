"""What an attack needs of a release: named in one line where the answers do not hold it."""

import numpy as np

from leakjax._validate import fail
from leakjax.oracle import Answer


def explanations(answer: Answer) -> tuple[np.ndarray, ...]:
    """The explanations of all queries, each [queries, ...].

    Raises:
      UsageError: the release holds none.
    """
    if not answer.explanations:
        raise fail("release.explanations", (), "must hold one: this attack reads explanations")
    return answer.explanations


def prediction(answer: Answer) -> np.ndarray:
    """What is shown of predictions, [queries, numbers].

    Raises:
      UsageError: nothing is.
    """
    if not answer.vector.shape[1]:
        raise fail("release.prediction", "none", "must show something: this attack reads predictions")
    return answer.vector


def vectors(answer: Answer) -> np.ndarray:
    """The log-probabilities of all classes, [queries, classes].

    Raises:
      UsageError: the release shows something else of a prediction.
    """
    classes, logs = answer.prediction
    told = np.isfinite(logs).all(axis=1)
    if logs.shape[1] < 2 or (classes[told] != np.arange(classes.shape[1])).any():
        raise fail("release.prediction", "no vector", "must be 'vector': this attack reads all probabilities")
    return logs
