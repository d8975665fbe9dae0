"""Attribute inference by learning: what a released answer says of a field that its subject keeps to itself.

The attacker knows no other field of the record: it has people of its own whose field it knows, asks the service about
them, and learns to read the field off answers. So it can be tried also where the model never saw the field.
"""

from collections.abc import Callable

import numpy as np

from leakjax._validate import fail, one_of
from leakjax.attack import needed
from leakjax.oracle import Answer, Oracle

KNOWS = "the released answer, and records of its own with the field, about which it asks"
VIEWS = ("prediction", "both")
TREES = 200


def learn_attribute(
    oracle: Oracle[Answer],
    own: np.ndarray,
    value: np.ndarray,
    *,
    view: str,
    seed: int,
    hidden: np.ndarray | None = None,
) -> Callable[[Answer], np.ndarray]:
    """Learns to read a field off answers, by a random forest on the prediction and the maps' values.

    Args:
      oracle: of the same service and release.
      own: [records, ...], the attacker's, as the service takes them.
      value: int [records], the field of each, whether the service sees it or not.
      view: a name in `VIEWS`; "prediction" asks for no explanation.
      seed: of the forest.
      hidden: int, the features whose attribution the service leaves out; None: all are shown.

    Returns:
      read(answers) -> int [queries], the likeliest value of each; the commonest of the attacker's own where nothing
      was answered.

    Raises:
      UsageError: another view, no record, or records that all have one value.

    Source: Duddu, Boutet 2022, "Inferring Sensitive Attributes from Model Explanations", section 3.
    """
    from sklearn.ensemble import RandomForestClassifier  # slow to import

    one_of("view", view, VIEWS)
    value = np.asarray(value)
    if len(np.unique(value)) < 2:
        raise fail(
            "value", np.unique(value).tolist(), "must be of at least 2 kinds, or there is nothing to infer"
        )
    common = np.bincount(value).argmax()
    numbers, told = _numbers(oracle.ask(own, plain=view == "prediction"), view, hidden)
    if len(np.unique(value[told])) < 2:
        return lambda answer: np.full(len(answer.action), common)
    forest = RandomForestClassifier(TREES, random_state=seed, min_samples_leaf=2).fit(
        numbers[told], value[told]
    )

    def read(answer: Answer) -> np.ndarray:
        numbers, told = _numbers(answer, view, hidden)
        found = np.full(len(told), common)
        if told.any():
            found[told] = forest.predict(numbers[told])
        return found

    return read


def _numbers(answer: Answer, view: str, hidden: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """What a view shows [queries, numbers], and bool [queries], of which queries it shows anything."""
    parts = [answer.vector if view == "both" else needed.prediction(answer)]
    for maps in needed.explanations(answer) if view == "both" else ():
        flat = np.asarray(maps, np.float64).reshape(len(answer.action), -1)
        parts.append(flat if hidden is None else np.delete(flat, hidden, axis=1))
    numbers = np.concatenate(parts, axis=1)
    return np.nan_to_num(numbers), answer.answered
