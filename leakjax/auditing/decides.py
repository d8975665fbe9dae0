"""What decides the results of an audit's stages, as the fingerprints under which they are kept."""

from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax._workdir.fingerprint import environment, fingerprint
from leakjax._workdir.functions import described, traced
from leakjax.attack.registry import Attack
from leakjax.auditing.subject import Subject
from leakjax.defend import Defense, apply
from leakjax.explain import Explainer


def subject_mark(subject: Subject, shown: np.ndarray) -> str:
    """The fingerprint of what is audited.

    Args:
      subject: models, points, and who attacks whom.
      shown: int [examples], ids of the points whose maps are kept.
    """
    points = subject.points
    return fingerprint(
        environment=environment(),
        logits=traced(subject.logits_fn, _first(subject.variables), points.x[0]),
        variables=jax.tree.leaves(subject.variables),
        models=subject.model_ids,
        points=(points.x, points.y, points.ids, points.classes),
        membership=subject.membership,
        targets=subject.targets,
        key=subject.key,
        attacker=(subject.label_known, subject.explained_class, subject.releases),
        neighbours=(subject.neighbours, subject.neighbour_step),
        explained_by=jax.tree.leaves(subject.explained_by),
        shown=shown,
    )


def explainer_mark(subject: Subject, mark: str, explainer: Explainer, defenses: Iterable[Defense]) -> str:
    """The fingerprint of what an explainer leaks through each of the defenses.

    Both are described by what they compute for one example, with all constants, a background and the options of their
    factories among them; so another explainer under the same name is another one.

    Args:
      subject: what is audited.
      mark: its `subject_mark`.
      explainer: of one example.
      defenses: in order; their names do not count.
    """

    def explain(own: Any, x: jax.Array, shown: jax.Array, key: jax.Array) -> jax.Array:
        return explainer(own, x, shown, key=key)

    one = (_first(subject.variables), subject.points.x[0], jnp.int32(0), subject.key)
    of_one = jax.eval_shape(explain, *one)
    if len(of_one.shape) > one[1].ndim:  # of methods that are shown together each map is defended by itself
        of_one = jax.ShapeDtypeStruct(of_one.shape[1:], of_one.dtype)
    through = [
        traced(lambda plain, x, key, by=defense: apply(by, plain, key=key, x=x), of_one, one[1], subject.key)
        for defense in defenses
    ]
    return fingerprint(subject=mark, explainer=traced(explain, *one), through=through)


def attack_mark(marks: Sequence[str], attack: Attack, points: Sequence[np.ndarray]) -> str:
    """The fingerprint of what an attack says.

    Args:
      marks: of the subject, and of the explanations that it looks at.
      attack: its name with all options counts, and what its functions do.
      points: each int [points], the ids of the points that it is run on; costly explainers have fewer.
    """
    return fingerprint(marks=marks, name=attack.name, attack=described(tuple(attack)), points=points)


def controls_mark(subject: str, explainer: str, untrained: Any) -> str:
    """The fingerprint of what the controls say.

    Args:
      subject: its `subject_mark`.
      explainer: the `explainer_mark` of the one that serves in them.
      untrained: variables of models that know nothing, or None.
    """
    return fingerprint(subject=subject, explainer=explainer, untrained=jax.tree.leaves(untrained))


def _first(variables: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf[0], variables)
