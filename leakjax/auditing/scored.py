"""`leakjax.score`: the audit of answers that were measured elsewhere, everything but the training and the explaining.

The steps are those of an audit of models. Where an audit runs a model, this one reads its answer.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _validate
from leakjax.attack import DEFAULT_ATTACKS, stacked
from leakjax.attack.reading import OF_MAPS
from leakjax.attack.registry import AnyAttack
from leakjax.auditing import controls, door, literature, looked_up, rows
from leakjax.auditing.answers import SIGNALS, Answers, answers
from leakjax.auditing.assemble import assemble
from leakjax.auditing.check import Checked, hardened
from leakjax.auditing.chunks import Program
from leakjax.auditing.clock import Clock
from leakjax.auditing.explanations import defend_program, placebo
from leakjax.auditing.measure import Measured, Programs
from leakjax.auditing.options import Attacker, Run
from leakjax.auditing.prepare import Prepared
from leakjax.auditing.resolve import AttackLike, DefenseLike, Methods, attacks_of, defenses_of
from leakjax.auditing.rows import Result, Sitting
from leakjax.auditing.subject import Subject
from leakjax.defend import Defense, Domain, identity
from leakjax.evaluate.document import Control, Estimate, Report

_NONE = "none"
_UNTRAINED = "untrained: there are answers and no models"


def score(
    arrays: Mapping[str, np.ndarray],
    *,
    name: str = "answers",
    defenses: Sequence[DefenseLike] = ("none",),
    attacks: Sequence[AttackLike] = DEFAULT_ATTACKS,
    targets: Sequence[int] | None = None,
    key: jax.Array,
    attacker: Attacker = Attacker(),  # noqa: B008  (frozen)
    run: Run = Run(),  # noqa: B008
) -> Report:
    """Measures what explanations leak about membership, beyond predictions, from answers alone.

    Args:
      arrays: by name, memory-mapped or not, as `leakjax.auditing.answers.answers` lists them.
      name: of the data, for the report.
      defenses: as of `leakjax.audit`; each map passes through each of them, signals through none. Those that look at
        the query, as project_out, need `x` among the arrays. Maps that were hardened before they were measured are
        maps like any others, under a name of their own.
      attacks: as of `leakjax.audit`; those of the default that find nothing to read are left out.
      targets: indices of the attacked models; all in turn when None.
      key: of all randomness.
      attacker: what the attacker knows and is shown; where there are no logits, nothing is shown of predictions.
      run: how the audit is run and reported; it keeps nothing, and takes no store.

    Returns:
      The report; `leakjax.report` prints, draws and writes it.

    Raises:
      UsageError: an argument that the caller can mend.
    """
    for what, options, kind in (("attacker", attacker, Attacker), ("run", run, Run)):
        door.check_options(what, options, kind)
    door.check_key(key)
    if run.store is not None:
        rule = "answers are read and nothing is kept of their audit; leave it out"
        raise _validate.fail("store", str(run.store), rule)
    clock = Clock(run.say)
    given = answers(arrays, name)
    subject = _subject(given, targets, key, attacker)
    hardeners = _defenses(defenses, given)
    listed = _attacks(attacks, given)
    if run.group is not None:
        _validate.one_of("group", run.group, given.points.groups)
    with clock("predict"):
        sitting = looked_up.sit(subject, given)
    results: dict[tuple[str, str], Result] = {}
    of_maps = {name: defend_program(subject, one) for name, one in hardeners.items()}
    for explainer in _explainers(given):
        through = of_maps if explainer in given.maps else {_NONE: looked_up.of_signals(subject)}
        with clock(f"attack {explainer}"):
            found = looked_up.found(sitting, given, explainer, list(through.values()))
            for defense, one in zip(through, found, strict=True):
                about = rows.explained(explainer, None, defense, subject)
                results[explainer, defense] = Result(sitting, one, about)
    with clock("controls"):
        checked = Checked(
            [*_controls(sitting, given, of_maps.get(_NONE)), hardened(results)],
            controls.smallest_margin(subject, sitting.judge, sitting.predictions),
        )
    others = literature.literature(
        listed,
        subject,
        results,
        looked_up.source_of(given, subject, hardeners),
        maps=[about for about in results if about[0] in given.maps],
        of_explanation=dict.fromkeys(given.of_explanation, (SIGNALS, _NONE)),
        clock=clock,
    )
    config: dict[str, Any] = {"answers": name, "attacks": [attack.name for attack in listed]}
    config |= {"defenses": list(hardeners), "releases": list(subject.releases)}
    config |= {"label_known": subject.label_known, "explained_class": subject.explained_class}
    config |= {
        "targets": None if targets is None else [int(target) for target in targets],
        "group": run.group,
    }
    config |= {"key": jax.random.key_data(key).tolist(), "controls_not_run": [_UNTRAINED]}
    prepared = Prepared(subject, None, np.zeros(0, int))
    measured = Measured(results, sitting, np.zeros(0, int), Programs(lambda: None, {}), {})
    report = assemble(
        prepared,
        Methods({}, {}, frozenset(), hardeners, listed, ()),
        measured,
        others,
        checked,
        run=run if run.config is not None else dataclasses.replace(run, config=config),
        clock=clock,
    )
    unknown = Estimate(float("nan"), float("nan"), float("nan"))
    task = report.task
    if given.logits is None:
        task = dataclasses.replace(
            task, train_accuracy=unknown, test_accuracy=unknown, generalisation_gap=unknown
        )
    return dataclasses.replace(report, task=task)


def _subject(given: Answers, targets: Sequence[int] | None, key: jax.Array, attacker: Attacker) -> Subject:
    models = len(given.member)
    if attacker.explained_class == "asked":
        rule = "stands for maps of all classes; give each class's as attributions_NAME, and say predicted or true"
        raise _validate.fail("explained_class", attacker.explained_class, rule)
    _validate.at_least("models", models, stacked.LEAST_MODELS)
    attacked_models = np.arange(models) if targets is None else door.check_targets(targets, models)
    door.check_attackable(given.member, attacked_models)
    return Subject(
        lambda own, x: own[x[0].astype(jnp.int32)],  # the answer of a chunk's place
        (),
        np.arange(models, dtype=np.int32),
        given.points,
        given.member,
        attacked_models,
        key=key,
        label_known=attacker.label_known,
        explained_class=attacker.explained_class,
        releases=attacker.releases if given.logits is not None else (_NONE,),
    )


def _attacks(given: Sequence[AttackLike], answers: Answers) -> list[AnyAttack]:
    """The attacks of a list that names stacked; of the default, those that find something to read."""
    found = attacks_of(given)
    if not any(attack.name == rows.STACKED for attack in found):
        raise _validate.fail(
            "attacks", list(given), "must name stacked, beside which all others are reported"
        )
    if [attack.name for attack in found] != list(DEFAULT_ATTACKS):
        return found
    missing = {
        *(() if answers.logits is not None else ("log_probabilities",)),
        *(() if answers.maps else OF_MAPS),
    }
    return [attack for attack in found if not missing & set(getattr(attack, "needs", ()))]


def _defenses(given: Sequence[DefenseLike], answers: Answers) -> dict[str, Defense]:
    """Defenses by name, each of them tried on the form of every map."""
    found = defenses_of(given)
    x = jax.ShapeDtypeStruct(answers.points.x.shape[1:], jnp.float32)
    if not answers.x_given:  # zeros stand in its place, at which no defense shall look
        found = {name: _without_x(one) for name, one in found.items()}
    for maps in answers.maps.values():
        for defense in found.values():
            door.check_defense(defense, jax.ShapeDtypeStruct(maps.shape[2:], jnp.float32), x)
    return found


def _without_x(defense: Defense) -> Defense:
    """The same defense, told of no query."""

    def apply(attribution: jax.Array, domain: Domain, *, key: jax.Array, x: Any = None) -> jax.Array:
        return defense.apply(attribution, domain, key=key)

    return defense._replace(apply=apply)


def _explainers(given: Answers) -> list[str]:
    return [*given.maps, *([SIGNALS] if given.of_explanation else [])]


def _controls(sitting: Sitting, given: Answers, of_maps: Program | None) -> list[Control]:
    """The controls that need no model, with the first explanation, which stands for all.

    Args:
      sitting: what is attacked.
      given: its answers.
      of_maps: the program that leaves maps as they are, where there is one already.
    """
    subject, judge = sitting.subject, sitting.judge
    false = looked_up.sit(controls.permuted(subject), given)
    first = _explainers(given)[0]
    if first in given.maps:
        plain = of_maps or defend_program(subject, identity())
        shuffled = defend_program(subject, identity(), then=placebo(subject))
    else:
        plain, shuffled = looked_up.of_signals(subject), looked_up.of_signals(subject, then=placebo(subject))
    (mixed,) = looked_up.found(sitting, given, first, [shuffled])
    (found,) = looked_up.found(false, given, first, [plain])
    return [
        controls.permuted_membership(false.judge.narrowed(found.valid), found.both[0]),
        controls.inclusion_count(subject, judge),
        controls.of_placebo(judge.narrowed(mixed.valid), mixed.prediction[0], mixed.both[0]),
        *controls.planted(subject, judge),
    ]
