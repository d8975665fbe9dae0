"""The second step of an audit: from names and objects to explainers, defenses and attacks."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax

from leakjax import _validate
from leakjax.attack import ATTACKS
from leakjax.auditing import door
from leakjax.auditing.explainers import LISTS, choose
from leakjax.auditing.options import Budget
from leakjax.auditing.subject import Subject
from leakjax.defend import DEFENSES, Defense, lift, parse
from leakjax.evaluate.document import LeftOut
from leakjax.explain import Explainer, Named

DefenseLike = str | Defense | Callable[[jax.Array], jax.Array]


class Methods(NamedTuple):
    """What is audited by what.

    Attributes:
      explainers: by name, at least one; the first one serves in the controls.
      named: what is known of each, by the same names.
      costly: the names of those that `Budget.costly_points` restricts.
      defenses: by name.
      attacks: names in `leakjax.attack.ATTACKS`.
      left_out: what a list of several explainers stands for and does not apply.
    """

    explainers: Mapping[str, Explainer]
    named: Mapping[str, Named]
    costly: frozenset[str]
    defenses: Mapping[str, Defense]
    attacks: Sequence[str]
    left_out: Sequence[LeftOut]


def resolve(
    explainers: Sequence[str | Named | Explainer] | Mapping[str, Explainer],
    defenses: Sequence[DefenseLike],
    attacks: Sequence[str],
    *,
    subject: Subject,
    budget: Budget,
    say: Callable[[str], None],
) -> Methods:
    """Finds what the names stand for; "cheap" and "all" stand for what applies to the subject's models.

    Args: as of `leakjax.audit`, `budget` and `say` as of its options.

    Raises:
      UsageError: a name that does not exist, an option that does not apply, an explainer or a defense that cannot
        be traced, two of one name, no explainer or no defense at all.
    """
    attacks = door.listed("attacks", attacks)
    for attack in attacks:
        _validate.one_of("attacks", attack, ATTACKS)
    x, shape = subject.points.x[0], subject.points.x.shape[1:]
    background = door.check_background(budget.background, subject.points)
    first_model = jax.tree.map(lambda leaf: leaf[0], subject.variables)
    chosen = choose(explainers, subject.logits_fn, first_model, x, background, say, subject.points.columns)
    made = {one.name: one.make(subject.logits_fn, shape, background) for one in chosen.methods}
    hardeners = _defenses(defenses)
    for attribution in chosen.attributions.values():
        for defense in hardeners.values():
            door.check_defense(defense, attribution)
    return Methods(
        made,
        {one.name: one for one in chosen.methods},
        frozenset(one.name for one in chosen.methods if one.runs(shape) > LISTS["cheap"]),
        hardeners,
        attacks,
        chosen.left_out,
    )


def _defenses(given: Sequence[DefenseLike]) -> dict[str, Defense]:
    """Defenses by name, of texts, `Defense`s and functions of one attribution."""
    found = [_defense(item) for item in door.listed("defenses", given)]
    _validate.distinct("defenses", [defense.name for defense in found])
    return {defense.name: defense for defense in found}


def _defense(item: Any) -> Defense:
    if isinstance(item, str):
        return parse(item)
    if isinstance(item, Defense):
        return item
    factory = next(
        (name for name, one in DEFENSES.items() if inspect.unwrap(one) is inspect.unwrap(item)), None
    )
    if factory:
        rule = f"makes defenses and is none; call it, as leakjax.defend.{factory}(...)"
        raise _validate.fail("defenses", factory, rule)
    name = door.name_of(item)
    if not callable(item) or name == "<lambda>":
        rule = "must be a text, a leakjax.defend.Defense or a function of one attribution that has a name"
        raise _validate.fail("defenses", item, rule)
    door.check_takes("defenses", name, item, "one attribution", None)
    return lift(name, item)
