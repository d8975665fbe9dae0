"""The second step of an audit: from names and objects to explainers, defenses and attacks."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from leakjax import _validate
from leakjax.attack.registry import AnyAttack, Attack, Streamed
from leakjax.attack.registry import parse as parse_attack
from leakjax.attack.run import check_models, check_needs
from leakjax.attack.stacked import LEAST_MODELS as LEAST_STACKED
from leakjax.auditing import door
from leakjax.auditing.explainers import LISTS, Chosen, choose
from leakjax.auditing.options import Budget
from leakjax.auditing.rows import STACKED
from leakjax.auditing.subject import Subject
from leakjax.defend import DEFENSES, Defense, lift, parse
from leakjax.evaluate.document import LeftOut
from leakjax.explain import Explainer, Named

AttackLike = str | AnyAttack
DefenseLike = str | Defense | Callable[[jax.Array], jax.Array]


class Methods(NamedTuple):
    """What is audited by what.

    Attributes:
      explainers: by name, at least one; the first one serves in the controls.
      named: what is known of each, by the same names.
      costly: the names of those that `Budget.costly_points` restricts.
      defenses: by name.
      attacks: in the order in which their rows are listed.
      left_out: what a list of several explainers stands for and does not apply; attacks that need more models.
    """

    explainers: Mapping[str, Explainer]
    named: Mapping[str, Named]
    costly: frozenset[str]
    defenses: Mapping[str, Defense]
    attacks: Sequence[AnyAttack]
    left_out: Sequence[LeftOut]

    @property
    def stacked(self) -> bool:
        """Whether the stacked attack, which runs in any case, is reported."""
        return any(isinstance(attack, Streamed) for attack in self.attacks)


def resolve(
    explainers: Sequence[str | Named | Explainer] | Mapping[str, Explainer],
    defenses: Sequence[DefenseLike],
    attacks: Sequence[AttackLike],
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
    listed, few = _sound(attacks_of(attacks), subject.models, stackable=subject.stackable)
    for one in few:
        say(f"{one.name} is left out: {one.why}")
    _check_attacks(listed, subject)
    x, shape = subject.points.x[0], subject.points.x.shape[1:]
    background = door.check_background(budget.background, subject.points)
    first_model = jax.tree.map(lambda leaf: leaf[0], subject.variables)
    chosen = choose(explainers, subject.logits_fn, first_model, x, background, say, subject.points.columns)
    for method in chosen.methods:
        if method.parts and subject.maps > 1:
            rule = "shows several explanations together; ask for those of all classes one by one"
            raise _validate.fail("explainers", method.name, rule)
    made = {one.name: one.make(subject.logits_fn, shape, background) for one in chosen.methods}
    hardeners = checked_defenses(defenses, chosen, x)
    return Methods(
        made,
        {one.name: one for one in chosen.methods},
        frozenset(one.name for one in chosen.methods if one.runs(shape) > LISTS["cheap"]),
        hardeners,
        listed,
        [*few, *chosen.left_out],
    )


def attacks_of(given: Sequence[AttackLike]) -> list[AnyAttack]:
    """Attacks of texts that `leakjax.attack.parse` reads and of `leakjax.attack.Attack`s, mixed.

    Raises:
      UsageError: an item that is neither, a name or an option that does not exist, two of one name, none at all.
    """
    found = [_attack(item) for item in door.listed("attacks", given)]
    _validate.distinct("attacks", [attack.name for attack in found])
    return found


def defenses_of(given: Sequence[DefenseLike]) -> dict[str, Defense]:
    """Defenses by name, of texts that `leakjax.defend.parse` reads, `Defense`s and functions of one attribution, mixed.

    Raises:
      UsageError: an item that is none of these, a name or an option that does not exist, two of one name, none at all.
    """
    found = [_defense(item) for item in door.listed("defenses", given)]
    _validate.distinct("defenses", [defense.name for defense in found])
    return {defense.name: defense for defense in found}


def checked_defenses(given: Sequence[DefenseLike], chosen: Chosen, x: np.ndarray) -> dict[str, Defense]:
    """As `defenses_of`, each tried on the form of every explainer's attributions.

    Args:
      given: as of `defenses_of`.
      chosen: the explainers.
      x: one example.

    Raises:
      UsageError: as of `defenses_of`, or a defense that does not apply to some attribution.
    """
    found = defenses_of(given)
    for attribution in chosen.attributions.values():
        for defense in found.values():
            door.check_defense(defense, attribution, x)
    return found


def _sound(
    attacks: list[AnyAttack], models: int, *, stackable: bool
) -> tuple[list[AnyAttack], list[LeftOut]]:
    """The attacks that are sound with so many models, and what is left out for too few of them."""
    if stackable:
        return attacks, []
    kept: list[AnyAttack] = [attack for attack in attacks if isinstance(attack, Attack)]
    why = f"needs at least {LEAST_STACKED} models, and there are {models}; train more"
    left_out = [LeftOut(name=attack.name, why=why) for attack in attacks if isinstance(attack, Streamed)]
    if not kept:
        raise _validate.fail("attacks", [attack.name for attack in attacks], why)
    return kept, left_out


def _check_attacks(attacks: Sequence[AnyAttack], subject: Subject) -> None:
    """Raises UsageError, before anything runs, where an attack needs replies or models that there are not."""
    known = {"log_probabilities", "maps", "x", *(["label"] if subject.label_known else [])}
    for attack in attacks:
        if not isinstance(attack, Attack):
            continue
        # Beside an explanation queries follow it, and are asked in any case.
        asks = subject.neighbours or attack.views[0] == "both"
        if "queries" in attack.needs and not asks:
            rule = "needs queries: predictions near each point; allow some, as neighbours=8"
            raise _validate.fail("attacks", attack.name, rule)
        check_needs(attack, {*known, "queries"})
        check_models(attack, subject.membership, subject.roles)


def _attack(item: Any) -> AnyAttack:
    if isinstance(item, str):
        return parse_attack(item)
    if not isinstance(item, AnyAttack):
        rule = "must be a text or a leakjax.attack.Attack"
        raise _validate.fail("attacks", item if not callable(item) else door.name_of(item), rule)
    if not item.name or (isinstance(item, Attack) and item.name == STACKED):
        raise _validate.fail(
            "attacks", item.name, "is no name for an attack of your own; give it another one"
        )
    return item


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
