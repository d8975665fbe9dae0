"""The second step of an audit: from names to explainers, defenses and attacks."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax

from leakjax import _validate
from leakjax.attack import ATTACKS
from leakjax.auditing.explainers import LISTS, Named, expand
from leakjax.auditing.options import Budget
from leakjax.auditing.subject import Subject
from leakjax.defend import Defense
from leakjax.defend.registry import parse
from leakjax.explain import Explainer


class Methods(NamedTuple):
    """What is audited by what.

    Attributes:
      explainers: by name, at least one; the first one serves in the controls.
      named: the methods of ours among them, by the same names; the others are the user's own functions.
      costly: the names of those that `Budget.costly_points` restricts.
      defenses: by name.
      attacks: names in `leakjax.attack.ATTACKS`.
    """

    explainers: Mapping[str, Explainer]
    named: Mapping[str, Named]
    costly: frozenset[str]
    defenses: Mapping[str, Defense]
    attacks: Sequence[str]


def resolve(
    explainers: Sequence[str] | Mapping[str, Explainer],
    defenses: Sequence[str | Defense],
    attacks: Sequence[str],
    *,
    subject: Subject,
    budget: Budget,
    say: Callable[[str], None],
) -> Methods:
    """Finds what the names stand for; "cheap" and "all" stand for what applies to the subject's models.

    Args: as of `leakjax.audit`, `budget` and `say` as of its options.

    Raises:
      UsageError: a name that does not exist, two defenses of one name, an option that does not apply, no explainer or
        no defense at all.
    """
    for attack in attacks:
        _validate.one_of("attacks", attack, ATTACKS)
    given = [parse(defense) if isinstance(defense, str) else defense for defense in defenses]
    if not given:
        raise _validate.fail("defenses", list(defenses), 'must name at least one; "none" is the plain map')
    _validate.distinct("defenses", [defense.name for defense in given])
    costly: frozenset[str] = frozenset()
    ours: dict[str, Named] = {}
    if isinstance(explainers, Mapping):
        made = dict(explainers)
    else:
        shape = subject.points.x.shape[1:]
        first_model = jax.tree.map(lambda leaf: leaf[0], subject.variables)
        named = expand(
            explainers, subject.logits_fn, first_model, subject.points.x[0], budget.background, say
        )
        ours = {one.name: one for one in named}
        made = {one.name: one.make(subject.logits_fn, shape, budget.background) for one in named}
        costly = frozenset(one.name for one in named if one.runs(shape) > LISTS["cheap"])
    if not made:
        raise _validate.fail(
            "explainers", list(explainers), "must name at least one that applies to the model"
        )
    return Methods(made, ours, costly, {defense.name: defense for defense in given}, attacks)
