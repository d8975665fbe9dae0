"""Every setting of an audit, as its report records it."""

from collections.abc import Sequence

import jax

from leakjax.auditing.options import Budget, Run
from leakjax.auditing.prepare import Prepared
from leakjax.auditing.resolve import Methods
from leakjax.evaluate.document import ExplainedClass, described, document


@document()
class Settings:
    """What a call of `leakjax.audit` was asked for; the models and points themselves are described by the task."""

    dataset: str = described("name of the audited points")
    audited_points: int = described("how many points are audited", "points")
    models: int = described("models of the ensemble, diverged ones included", "models")
    explainers: Sequence[str] = described("names of the explainers with their options")
    defenses: Sequence[str] = described("names of the defenses")
    attacks: Sequence[str] = described("names of the attacks")
    targets: Sequence[int] | None = described("indices of the attacked models; null for each in turn")
    label_known: bool = described("whether the attacker knows the true label")
    explained_class: ExplainedClass = described("the class whose output is explained")
    releases: Sequence[str] = described("what is shown of a prediction, each for a service of its own")
    neighbours: int = described(
        "predictions near each point that may be asked for in place of an explanation"
    )
    neighbour_step: float = described("standard deviation of a step to one of them in every feature")
    explained_by_others: bool = described("whether other models than the attacked ones answer explanations")
    group: str | None = described("the column by which leakage is broken down")
    untrained: bool = described("whether networks that saw no data were given for the control")
    background: int = described("points that stand for the rest of the world to some explainers", "points")
    costly_points: int | None = described("points audited by costly explainers; null for all", "points")
    model_counts: Sequence[int] = described(
        "with how many of the models the audit was made once more", "models"
    )
    key: Sequence[int] = described("data of the key of all randomness")


def settings_of(
    prepared: Prepared, methods: Methods, targets: Sequence[int] | None, *, budget: Budget, run: Run
) -> Settings:
    """The settings of a call. Args: as of `leakjax.audit`, and what its first steps made of them."""
    subject = prepared.subject
    return Settings(
        dataset=subject.points.name,
        audited_points=len(subject.points.x),
        models=subject.models + len(prepared.diverged),
        explainers=list(methods.explainers),
        defenses=list(methods.defenses),
        attacks=[attack.name for attack in methods.attacks],
        targets=None if targets is None else [int(target) for target in targets],
        label_known=subject.label_known,
        explained_class=subject.explained_class,
        releases=list(subject.releases),
        neighbours=subject.neighbours,
        neighbour_step=subject.neighbour_step,
        explained_by_others=subject.explained_by is not None,
        group=run.group,
        untrained=budget.untrained is not None,
        background=0 if budget.background is None else len(budget.background),
        costly_points=budget.costly_points,
        model_counts=list(budget.model_counts),
        key=jax.random.key_data(subject.key).tolist(),
    )
