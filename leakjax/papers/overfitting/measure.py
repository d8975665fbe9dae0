"""All models of a world at one gap, measured: correlations, the paper's attacks, the stacked attack, groups."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from leakjax import data
from leakjax.auditing.explainers import parse
from leakjax.auditing.explanations import defend_program
from leakjax.auditing.options import Attacker
from leakjax.auditing.prepare import prepare
from leakjax.auditing.rows import Sitting
from leakjax.defend.registry import parse as defense_of
from leakjax.evaluate.document import Estimate, to_json
from leakjax.papers.over_models import correlations, over_models
from leakjax.papers.overfitting import attacks
from leakjax.papers.overfitting.attacks import Asked, Caught
from leakjax.papers.overfitting.document import AttackRow, GapRow, GroupLeak
from leakjax.papers.overfitting.groups import group_rows, groups_of
from leakjax.papers.overfitting.worlds import AtGap, Grown, World
from leakjax.papers.read import read
from leakjax.papers.shown import check_memory, shown
from leakjax.papers.world import logits_at, sitting_of
from leakjax.shadow.ensemble import from_arrays

# The other explainers of figure 12, and the gradient of the logit beside that of the probability.
OTHERS = (
    "gradient",
    "integrated_gradients(output='probability')",
    "lrp",
    "deeplift(output='probability')",
    "smoothgrad(output='probability', samples=50)",
)
PLAIN = "gradient(output='probability')"
RELEASES = ("label", "vector")
_STAGE = 7  # of a world's key


class Plan(NamedTuple):
    """What is measured at a gap.

    Attributes:
      asked: the paper's attacks on the gradient.
      others: explainers that are attacked too, by what they show alone.
      grouped: whether leakage is broken down by group.
      targets: models that the paper's attacks are made on; the stacked attack is made on all.
    """

    asked: Sequence[Asked]
    others: Sequence[str]
    grouped: bool
    targets: int


def measured(
    world: World, grown: Grown, level: AtGap, plan: Plan, *, audited: int | None, key: jax.Array
) -> dict[str, Any]:
    """Measures all models at one gap.

    Args:
      world: of the models.
      grown: likewise.
      level: the gap.
      plan: what is measured.
      audited: on how many points, evenly spaced; None: all.
      key: of what attacks draw.

    Returns:
      Rows as JSON: "gap", one; "attacks" and "groups", lists.
    """
    rows = data.evenly_spaced(min(audited or len(grown.points.x), len(grown.points.x)), len(grown.points.x))
    points, membership = data.take(grown.points, rows), grown.membership[:, rows]
    check_memory(len(membership), len(points.x), points.x.shape[1:])
    sitting = _sitting(grown, level, points, membership, key)
    seen = read(grown.model.logits_fn, level.variables, points.x, points.y)
    share = lambda part: over_models((seen.correct * part).sum(1) / part.sum(1))
    between = [
        np.corrcoef(norm, variance)[0, 1] for norm, variance in zip(seen.norm, seen.variance, strict=True)
    ]
    gap = GapRow(
        dataset=world.dataset,
        model=world.model,
        asked=level.asked,
        gap=over_models(level.gap),
        epochs=float(level.epochs.mean()),
        train_accuracy=share(membership),
        test_accuracy=share(~membership),
        norm=over_models(correlations(seen.norm, membership)),
        variance=over_models(correlations(seen.variance, membership)),
        loss=over_models(correlations(seen.loss, membership)),
        norm_and_variance=over_models(np.array(between)),
    )
    found, groups = _attacked(world, level, sitting, plan, key)
    return {
        "gap": to_json(gap),
        "attacks": [to_json(one) for one in found],
        "groups": [to_json(one) for one in groups],
    }


def _sitting(
    grown: Grown, level: AtGap, points: data.Points, membership: np.ndarray, key: jax.Array
) -> Sitting:
    ensemble = from_arrays(level.variables, membership)
    attacker = Attacker(True, "predicted", RELEASES)
    ready = prepare(
        grown.model.logits_fn, ensemble, points, targets=None, key=key, attacker=attacker, untrained=None
    )
    return sitting_of(ready.subject)


def _attacked(
    world: World, level: AtGap, sitting: Sitting, plan: Plan, key: jax.Array
) -> tuple[list[AttackRow], list[GroupLeak]]:
    subject = sitting.subject
    rows: list[AttackRow] = []

    def add(
        attack: str,
        learns: Any,
        sees: str,
        explainer: str,
        targets: int,
        caught: Caught,
        added: Estimate | None = None,
    ) -> None:
        rows.append(
            AttackRow(
                dataset=world.dataset,
                asked=level.asked,
                gap=float(level.gap.mean()),
                attack=attack,
                learns=learns,
                sees=sees,
                explainer=explainer,
                targets=targets,
                **caught._asdict(),
                added=added,
            )
        )

    logits = logits_at(subject, lambda rows: subject.points.x[rows][None, :, None], 1)[:, :, 0]
    models = len(subject.membership)
    groups: list[GroupLeak] = []
    for explainer in (PLAIN, *plan.others):
        made = parse(explainer).make(subject.logits_fn, subject.points.x.shape[1:], None)
        defend = [defend_program(subject, defense_of(text)) for text in ("none", "normalize(norm=1)")]
        maps, found = shown(sitting, made, defend if explainer == PLAIN else defend[:1])
        judge = sitting.judge.narrowed(found[0].valid)
        stacked = lambda scores, judge=judge: attacks.judged(scores, judge.membership, judge.valid, 0.0)
        add("stacked", "shadows", attacks.GRADIENT, explainer, models, stacked(found[0].explanation))
        chosen = (
            plan.asked if explainer == PLAIN else [one for one in plan.asked if one.sees == attacks.GRADIENT]
        )
        for place, one in enumerate(chosen):
            own = jax.random.fold_in(jax.random.fold_in(key, _STAGE), place)
            caught = attacks.caught(
                one, logits, maps, subject.points.y, subject.membership, plan.targets, own
            )
            unseen = one.sees in (attacks.PREDICTION, attacks.LABEL, attacks.LOSS)
            add(one.attack, one.learns, one.sees, "none" if unseen else explainer, plan.targets, caught)
        if explainer == PLAIN:
            add("stacked", "shadows", attacks.NORMALISED, explainer, models, stacked(found[1].explanation))
            for place, sees in enumerate((attacks.LABEL, attacks.PREDICTION)):
                add("stacked", "shadows", sees, "none", models, stacked(found[0].prediction[place]))
            both, vector = judge.rates(found[0].both[1]), judge.rates(found[0].prediction[1])
            beyond = judge.added(both, vector).auc
            add("stacked", "shadows", attacks.BOTH, explainer, models, stacked(found[0].both[1]), beyond)
            if plan.grouped:
                groups = group_rows(world.dataset, groups_of(subject.points), sitting.judge, found[0])
    return rows, groups
