"""Inputs that stand for a class and are nobody's: what a report shows, unless its owner asks for records."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.auditing.explanations import released
from leakjax.auditing.subject import Subject
from leakjax.data import Points
from leakjax.defend import Defense
from leakjax.evaluate.document import Example
from leakjax.explain import Explainer

# A mean of fewer records might show one of them.
_LEAST = 20
_MOST = 2


def typical(points: Points) -> tuple[np.ndarray, np.ndarray]:
    """The mean input of each of the first classes that hold many points; of a category its most frequent value.

    Args:
      points: what is audited.

    Returns:
      x [inputs, ...] as the points' own, and the classes [inputs]; of all points together, under the most frequent
      class, where no class holds enough, and none where there are too few points for that, too.
    """
    counts = np.bincount(points.y, minlength=points.classes)
    classes = np.flatnonzero(counts >= _LEAST)[:_MOST]
    members: Sequence[np.ndarray] = [points.y == one for one in classes]
    if not len(classes) and len(points.x) >= _LEAST:
        classes, members = np.array([counts.argmax()]), [np.ones(len(points.y), bool)]
    means = [_mean(points.x[own], points.columns) for own in members]
    return np.array(means, points.x.dtype).reshape(len(means), *points.x.shape[1:]), classes


def examples(
    subject: Subject, explainers: Mapping[str, Explainer], defenses: Mapping[str, Defense]
) -> list[Example]:
    """Typical inputs as the first target explains them, each for the class that it predicts; they have no id.

    Args:
      subject: what is audited.
      explainers: by name.
      defenses: by name.
    """
    x, classes = typical(subject.points)
    maps = {name: _released(subject, x, one, defenses) for name, one in explainers.items()} if len(x) else {}
    return [
        Example(
            id=None,
            input=x[place],
            label=int(classes[place]),
            maps={name: {defense: one[place] for defense, one in own.items()} for name, own in maps.items()},
        )
        for place in range(len(x))
    ]


def _released(
    subject: Subject, x: np.ndarray, explainer: Explainer, defenses: Mapping[str, Defense]
) -> dict[str, np.ndarray]:
    """Explanations of inputs by the first target [inputs, ...], by defense; what is not finite counts as 0."""
    of_target = lambda tree: jax.tree.map(lambda leaf: leaf[subject.targets[0]], tree)
    own = of_target(subject.variables)
    answering = own if subject.explained_by is None else of_target(subject.explained_by)

    @jax.jit
    def explained(x: jax.Array, key: jax.Array) -> dict[str, jax.Array]:
        first, second = jax.random.split(key)
        plain = explainer(answering, x, jnp.argmax(subject.logits_fn(own, x)), key=first)
        several = plain.ndim > x.ndim  # of methods that are shown together the first one's
        shown = {
            name: released(defense, plain, second, x, several=several) for name, defense in defenses.items()
        }
        return {name: one[0] if several else one for name, one in shown.items()}

    keys = [jax.random.fold_in(subject.key, place) for place in range(len(x))]
    maps = [explained(jnp.asarray(one), key) for one, key in zip(x, keys, strict=True)]
    return {name: np.nan_to_num(np.array([each[name] for each in maps])) for name in defenses}


def _mean(x: np.ndarray, columns: Sequence[str]) -> np.ndarray:
    mean = x.mean(axis=0)
    for column in dict.fromkeys(columns):
        own = np.flatnonzero([one == column for one in columns])
        if len(own) > 1:  # the indicators of a category: one of them is set
            mean[own] = np.arange(len(own)) == mean[own].argmax()
    return mean
