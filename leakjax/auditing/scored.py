"""`leakjax.score`: the audit of answers that were measured elsewhere, everything but the training and the explaining.

The steps are those of an audit of models. Where an audit runs a model, this one reads its answer: programs that
predict or explain are replaced by functions that look up a chunk, so that nothing of size models x points x features
is held.
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
from leakjax.attack.replies import Replies, Source
from leakjax.auditing import controls, door, literature, rows
from leakjax.auditing.answers import SIGNALS, Answers, answers
from leakjax.auditing.assemble import assemble
from leakjax.auditing.check import Checked
from leakjax.auditing.chunks import Chunks, Program
from leakjax.auditing.clock import Clock
from leakjax.auditing.explanations import (
    MEASURES,
    Explanations,
    defend_program,
    permute_over_models,
    stream_explanations,
)
from leakjax.auditing.judge import Judge
from leakjax.auditing.measure import Measured, Programs
from leakjax.auditing.options import Attacker, Run
from leakjax.auditing.predictions import predict_program, stream_predictions
from leakjax.auditing.prepare import Prepared
from leakjax.auditing.resolve import AttackLike, Methods, attacks_of
from leakjax.auditing.rows import Found, Result, Sitting
from leakjax.auditing.score import baseline
from leakjax.auditing.score import score as attacked
from leakjax.auditing.subject import Subject
from leakjax.defend import identity
from leakjax.evaluate.document import Control, Estimate, Report
from leakjax.evaluate.leakage import chance_tpr

_NONE = "none"
_UNTRAINED = "untrained: there are answers and no models"


def score(
    arrays: Mapping[str, np.ndarray],
    *,
    name: str = "answers",
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
    listed = _attacks(attacks, given)
    if run.group is not None:
        _validate.one_of("group", run.group, given.points.groups)
    with clock("predict"):
        sitting = _sit(subject, given)
    results: dict[tuple[str, str], Result] = {}
    for explainer in _explainers(given):
        with clock(f"attack {explainer}"):
            found = _found(sitting, given, explainer)
            about = rows.explained(explainer, None, _NONE, subject)
            results[explainer, _NONE] = Result(sitting, found, about)
    with clock("controls"):
        first = next(iter(results))[0]
        checked = Checked(
            _controls(sitting, given, first),
            controls.smallest_margin(subject, sitting.judge, sitting.predictions),
        )
    others = literature.literature(
        listed,
        subject,
        results,
        _source_of(given, subject),
        maps=[(explainer, _NONE) for explainer in given.maps],
        of_explanation=dict.fromkeys(given.of_explanation, (SIGNALS, _NONE)),
        clock=clock,
    )
    config: dict[str, Any] = {"answers": name, "attacks": [attack.name for attack in listed]}
    config |= {"releases": list(subject.releases)}
    config |= {"label_known": subject.label_known, "explained_class": subject.explained_class}
    config |= {"controls_not_run": [_UNTRAINED]}
    prepared = Prepared(subject, None, np.zeros(0, int))
    measured = Measured(results, sitting, np.zeros(0, int), Programs(lambda: None, {}), {})
    report = assemble(
        prepared,
        Methods({}, {}, frozenset(), {}, listed, ()),
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


def _explainers(given: Answers) -> list[str]:
    return [*given.maps, *([SIGNALS] if given.of_explanation else [])]


def _sit(subject: Subject, given: Answers) -> Sitting:
    """Reads the predictions in place of making them."""
    program, put = predict_program(subject), Chunks(subject).put
    logits = given.logits

    def read(variables: Any, x: Any, y: Any, membership: Any) -> Any:
        places = np.asarray(x)[:, 0].astype(int)
        if logits is None:
            chunk = np.zeros((subject.models, len(places), subject.points.classes), np.float32)
        else:
            chunk = np.asarray(logits[:, places], np.float32)
        here = put(np.arange(len(places), dtype=np.float32)[:, None])
        return program(put(chunk, None), here, y, membership)

    places = np.arange(len(subject.points.x), dtype=np.float32)[:, None]
    numbered = dataclasses.replace(subject, points=subject.points._replace(x=places))
    predictions = stream_predictions(read, numbered)
    base = baseline(subject, predictions, subject.releases)
    judge = Judge(subject, seed=subject.seed).narrowed(base.there[subject.targets])
    return Sitting(subject, predictions, base, judge)


def _found(sitting: Sitting, given: Answers, explainer: str, *, placebo: bool = False) -> Found:
    """Reads one explanation in place of making it, and attacks it."""
    subject = sitting.subject
    put = Chunks(subject).put
    if explainer in given.maps:
        maps, defend = given.maps[explainer], defend_program(subject, identity(), placebo=placebo)
        look = lambda rows: maps[:, rows]
    else:
        signals, defend = (
            [given.signals[name] for name in given.of_explanation],
            _of_signals(subject, placebo),
        )
        look = lambda rows: np.stack([each[:, rows] for each in signals], axis=-1)

    def read(variables: Any, x: Any, ids: Any, explained: Any) -> Any:
        return put(np.asarray(look(np.asarray(ids)), np.float32), 1)

    (streamed,) = stream_explanations(read, [defend], subject, sitting.predictions, np.zeros(0, int))
    return Found.of(attacked(subject, sitting.base, streamed), streamed)


def _of_signals(subject: Subject, placebo: bool) -> Program:
    """What `defend_program` is to maps, for signals [models, points, signals] that stand for themselves."""
    targets = jnp.asarray(subject.targets)
    roles = jnp.asarray(subject.roles.known), jnp.asarray(subject.roles.scored)
    # No defense stands between: cosine and overlap are 1, the change is 0.
    unchanged = jnp.array([0.0 if name == "relative_change" else 1.0 for name in MEASURES])

    def chunk(signals: Any, x: Any, ids: Any, agrees: Any, membership: Any) -> Explanations:
        if placebo:
            signals = permute_over_models(signals, subject.key, ids)
        there = jnp.isfinite(signals)
        size = jnp.sum(jnp.abs(jnp.where(there, signals, 0.0)), axis=-1)
        return Explanations(
            log_l1=jnp.log(size),
            change=jnp.broadcast_to(unchanged[None], (signals.shape[1], len(MEASURES))),
            finite=there.any(axis=-1),
            reduced=stacked.reduce_points(signals, (), (), membership, *roles),
            together=stacked.reduce_points(signals[..., :0], (), (), membership, *roles),
            examples=signals[targets[0]],
        )

    return jax.jit(chunk)


def _controls(sitting: Sitting, given: Answers, explainer: str) -> list[Control]:
    """The controls that need no model, with one explanation, which stands for all."""
    subject, judge = sitting.subject, sitting.judge
    chance = chance_tpr(float(judge.headline), judge.nonmembers)
    rolled = dataclasses.replace(subject, membership=np.roll(subject.membership, 1, axis=0))
    false = _sit(rolled, given)
    placebo = _found(sitting, given, explainer, placebo=True)
    counts = subject.membership.sum(axis=0)[None] - subject.membership[subject.targets].astype(float)
    own = judge.narrowed(placebo.valid)
    margin = own.added(own.rates(placebo.both[0]), own.rates(placebo.prediction[0]))
    found = _found(false, given, explainer)
    of_false = false.judge.narrowed(found.valid)
    return [
        controls.within(
            "permuted_membership",
            "Does the full attack find members when each model is given another's membership list?",
            of_false.headline_tpr(of_false.rates(found.both[0])),
            chance,
        ),
        controls.within(
            "inclusion_count",
            "Can members be told from how many other models hold a record? (AUC)",
            judge.found(judge.rates(counts)).auc,
            0.5,
        ),
        controls.within(
            "placebo",
            "Do explanations that were shuffled between the models add anything to the prediction?",
            margin.tpr_at_fpr[judge.headline],
            0.0,
        ),
        *controls.planted(subject, judge),
    ]


def _source_of(given: Answers, subject: Subject) -> literature.SourceOf:
    """Replies of a chunk of points as a release and an explanation show them."""

    def source_of(release: str | None, about: tuple[str, str] | None, needs: Sequence[str]) -> Source:
        seen = given.replies(about[0] if about is not None and literature.looks_at_maps(needs) else None)
        whole = seen._replace(log_probabilities=None)

        def source(rows: np.ndarray) -> Replies:
            logits = None if given.logits is None else given.logits[:, rows]
            return literature.replies_by(release, logits, subject.label_known, whole.at(rows))

        return source

    return source_of
