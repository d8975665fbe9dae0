"""The study of who explains: sub-models that never saw the query, students, and nobody where references are unsure.

Each way is a hook of `leakjax.hardening.served`; the attack is refitted for each, on the same targets and points. The
class that is explained is the subject's choice: where the target predicts it, none of these covers it.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _validate, shadow
from leakjax._workdir import Workdir
from leakjax._workdir.fingerprint import environment as versions
from leakjax._workdir.fingerprint import fingerprint
from leakjax.auditing.clock import Clock
from leakjax.auditing.environment import environment
from leakjax.auditing.explanations import explain_program
from leakjax.auditing.subject import LEAST_MODELS, Subject
from leakjax.defend import identity
from leakjax.defend.policies import near_duplicates, selective
from leakjax.evaluate import bootstrap, utility_quoted
from leakjax.explain import Explainer, Named
from leakjax.hardening import served as hooks
from leakjax.hardening import world as worlds
from leakjax.hardening.document import HardeningTask, ServedRow, ServingReport, WithheldRow
from leakjax.hardening.measure import RELEASES, Court, Replicates, court, cut, program_of, replicates
from leakjax.hardening.useful import figures, lost, sample
from leakjax.models import Model


@dataclasses.dataclass(frozen=True)
class Serving:
    """What is measured.

    Attributes:
      targets: the first so many models are attacked.
      reference: the last so many models decide which queries get no explanation; they are neither targets nor shadows.
      folds: of out-of-fold explanation.
      withheld: share of the queries that get no explanation under selective release.
      queries: beside the point, of the attacker of out-of-fold explanation who asks there and takes the mean.
      step: standard deviation of these queries in every feature.
      near: distance below which two points count as near-duplicates, in the unit of the features.
    """

    targets: int = 32
    reference: int = 8
    folds: int = 5
    withheld: float = 0.05
    queries: int = 4
    step: float = 1e-3
    near: float = 0.5

    def __post_init__(self) -> None:
        _validate.at_least("targets", self.targets, LEAST_MODELS)
        _validate.at_least("reference", self.reference, LEAST_MODELS)
        _validate.at_least("folds", self.folds, 2)
        _validate.at_least("queries", self.queries, 1)
        _validate.positive("step", self.step)
        _validate.at_least("near", self.near, 0)
        if not 0 <= self.withheld <= 1:
            raise _validate.fail("withheld", self.withheld, "must be between 0 and 1")


class _Way(NamedTuple):
    """One way to answer.

    Attributes:
      served: what it is called.
      subject: the models that are attacked, and by whom they explain.
      explainer: of one example.
      predicts: bool [models, points], whether what stands beside the explanation is right.
      explains: bool [models, points], whether the models that explain are right.
    """

    served: str
    subject: Subject
    explainer: Explainer
    predicts: np.ndarray
    explains: np.ndarray


def serve(
    model: Model,
    subject: Subject,
    public: np.ndarray,
    named: Named,
    settings: Serving,
    training: shadow.TrainConfig,
    *,
    group: np.ndarray | None,
    config: Mapping[str, Any],
    workdir: Workdir,
    say: Callable[[str], None],
) -> ServingReport:
    """Measures every way of serving explanations.

    Args:
      model: the network, of which sub-models and students are trained too.
      subject: all models, the points that they were trained on, all of which are attacked, and whose output is
        explained, of `leakjax.hardening.world.POLICIES`.
      public: float32 [rows, ...], points that nobody was trained on, for the student.
      named: the explainer.
      settings: what is measured.
      training: of sub-models and students, as the models' own.
      group: str [points], whose cost of selective release is told; None: the classes.
      config: every setting of the run, for the document.
      workdir: keeps sub-models and students.
      say: called with a line when a stage begins.

    Raises:
      UsageError: too few models, another policy.
    """
    _validate.one_of("explained_class", subject.explained_class, worlds.POLICIES)
    _validate.at_least("models", subject.models, settings.targets + settings.reference + 2)
    clock, split = Clock(say), subject.models - settings.reference
    references = _models(subject, np.arange(split, subject.models))
    own = dataclasses.replace(
        _models(subject, np.arange(split)),
        targets=np.arange(settings.targets),
        releases=RELEASES,
    )
    fold_key, others_key, moves_key = jax.random.split(jax.random.fold_in(own.key, 3), 3)
    fold = _folds(own.points.x, settings.folds, fold_key)
    others = _Others(model, own, public, fold, settings.folds, training, others_key, workdir, clock)
    sure = worlds.logits_of(references)
    least = float(np.quantile(_certainty(sure), settings.withheld, method="lower"))
    explainer = named.make(model.logits_fn, own.points.x.shape[1:], None)
    ways = _ways(others, explainer, references, least, settings, fold_key, moves_key)
    figure = utility_quoted.quoted(named.name.partition("(")[0])
    with clock("predict"):
        first = court(own)
    rows = _rows(ways, first, subject.explained_class, figure, clock)
    inside, right = own.membership[own.targets], ways[0].predicts[own.targets]
    return ServingReport(
        config=config,
        environment=environment(),
        task=HardeningTask(
            dataset=own.points.name,
            points=len(own.points.x),
            searched_points=0,
            targets=len(own.targets),
            shadows=own.models - len(own.targets),
            nonmembers=first.sitting.judge.nonmembers,
            train_accuracy=float(right[inside].mean()),
            test_accuracy=float(right[~inside].mean()),
        ),
        explainer=named.name,
        figure=figure,
        near_duplicates=near_duplicates(own.points.x, fold, radius=settings.near),
        rows=rows,
        withheld=_withheld(sure, settings.withheld, own.points.y if group is None else group),
        timings=clock.seconds,
    )


class _Others:
    """The models that explain in place of the attacked ones, trained once and kept: variables, leaves [models, ...]."""

    def __init__(
        self,
        model: Model,
        own: Subject,
        public: np.ndarray,
        fold: np.ndarray,
        folds: int,
        training: shadow.TrainConfig,
        key: jax.Array,
        workdir: Workdir,
        clock: Clock,
    ) -> None:
        self.model, self.own = model, own
        x, y = own.points.x, own.points.y

        def kept(name: str, train: Callable[[], shadow.Ensemble]) -> Any:
            mark = fingerprint(
                environment=versions(),
                points=(x, y, public),
                training=training,
                key=key,
                variables=jax.tree.leaves(own.variables),
                membership=own.membership,
                fold=fold,
            )
            with clock(name):
                found = workdir.stage(name, mark, lambda: {"variables": jax.tree.leaves(train().variables)})
            return jax.tree.unflatten(jax.tree.structure(own.variables), found["variables"])

        members = (own.membership[:, None] & (np.arange(folds)[:, None] != fold)).reshape(-1, len(x))
        ids = np.arange(len(members), dtype=np.int32)
        flat = kept(
            "train sub-models",
            lambda: shadow.train_ensemble(model, x, y, training, key=key, membership=members, ids=ids),
        )
        self.parts = jax.tree.map(lambda leaf: leaf.reshape(own.models, folds, *leaf.shape[1:]), flat)
        by_part = jax.vmap(self._answer(x), in_axes=0)
        each = np.stack([np.asarray(by_part(_row(self.parts, number))) for number in range(own.models)])
        self.of_folds = each[:, fold, np.arange(len(x))]

        def students(x: np.ndarray, logits: np.ndarray, membership: np.ndarray) -> shadow.Ensemble:
            answers = np.asarray(jax.nn.softmax(logits))
            return shadow.students(
                model, x, answers, training, key=key, membership=membership, ids=own.model_ids
            )

        everywhere = np.ones((own.models, len(public)), bool)
        self.student = kept(
            "train students on public points",
            lambda: students(public, self.logits(own.variables, public), everywhere),
        )
        self.selena = kept("train students of sub-models", lambda: students(x, self.of_folds, own.membership))

    def _answer(self, x: np.ndarray) -> Callable[[Any], jax.Array]:
        return jax.jit(lambda own: jax.vmap(self.model.logits_fn, (None, 0))(own, jnp.asarray(x)))

    def logits(self, variables: Any, x: np.ndarray) -> np.ndarray:
        """[models, points, classes]."""
        answer = self._answer(x)
        return np.stack([np.asarray(answer(_row(variables, number))) for number in range(self.own.models)])

    def right(self, logits: np.ndarray) -> np.ndarray:
        """bool [models, points]."""
        return logits.argmax(axis=-1) == self.own.points.y

    def explaining(self, variables: Any) -> Subject:
        """The attacked models, whose explanations others give."""
        both = hooks.explained_by(shadow.from_arrays(self.own.variables, self.own.membership), variables)
        return dataclasses.replace(
            self.own, logits_fn=hooks.predicting(self.model.logits_fn), variables=both.variables
        )


def _ways(
    others: _Others,
    explainer: Explainer,
    references: Subject,
    least: float,
    settings: Serving,
    fold_key: jax.Array,
    moves_key: jax.Array,
) -> list[_Way]:
    own, x = others.own, others.own.points.x
    first, of_folds = others.right(others.logits(own.variables, x)), others.right(others.of_folds)
    student, selena = (others.right(others.logits(each, x)) for each in (others.student, others.selena))
    folded = hooks.out_of_fold(explainer, settings.folds, secret=fold_key)
    nearby = lambda of: hooks.asked_nearby(of, queries=settings.queries, step=settings.step, key=moves_key)
    by_parts, shown = others.explaining(others.parts), hooks.explaining(explainer)
    unsure = hooks.withholding(explainer, own.logits_fn, references.variables, least=least)
    alone = dataclasses.replace(own, variables=others.selena)
    return [
        _Way("the target", own, explainer, first, first),
        _Way("the target, asked nearby", own, nearby(explainer), first, first),
        _Way("out of fold", by_parts, folded, first, of_folds),
        _Way("out of fold, asked nearby", by_parts, nearby(folded), first, of_folds),
        _Way("student on public points", others.explaining(others.student), shown, first, student),
        _Way("student of sub-models", others.explaining(others.selena), shown, first, selena),
        _Way("student of sub-models, predicts too", alone, explainer, selena, selena),
        _Way("nobody where references are unsure", own, unsure, first, first),
    ]


def _rows(ways: list[_Way], first: Court, policy: str, figure: str, clock: Clock) -> list[ServedRow]:
    """Attacks every way; where the predictions are the targets' own, they are attacked once."""
    own, classes = first.sitting.subject, first.classes[policy]
    outside = ~own.membership[own.targets]
    plain = sample(own, ways[0].explainer, classes, figure)
    before = figures(plain, figure).mean(axis=0)
    target: Replicates | None = None
    rows = []
    for way in ways:
        with clock(way.served):
            same = way.predicts is ways[0].predicts
            judges = first if same else court(way.subject)
            judges = judges._replace(sitting=judges.sitting._replace(subject=way.subject))
            program = explain_program(way.subject, way.explainer)
            (found,) = replicates(judges, program, [program_of(judges, identity())], policy)
            target = found if target is None else target
            shown = sample(way.subject, way.explainer, classes, figure)
            after = figures(plain._replace(maps=shown.maps) if same else shown, figure).mean(axis=0)
            rows.append(
                ServedRow(
                    served=way.served,
                    alone=bootstrap.estimate(found.alone),
                    label=bootstrap.estimate(found.label),
                    vector=bootstrap.estimate(found.all_probabilities),
                    margin=bootstrap.estimate(found.margin),
                    margin_vector=bootstrap.estimate(found.vector),
                    cut=cut(target.margin, found.margin),
                    lost=lost(utility_quoted.loss(before, after)),
                    predicts=float(way.predicts[own.targets][outside].mean()),
                    explains=float(way.explains[own.targets][outside].mean()),
                )
            )
    return rows


def _models(subject: Subject, rows: np.ndarray) -> Subject:
    """Some of the models of a subject; all of them are targets."""
    return dataclasses.replace(
        subject,
        variables=_row(subject.variables, rows),
        model_ids=subject.model_ids[rows],
        membership=subject.membership[rows],
        targets=np.arange(len(rows)),
    )


def _row(variables: Any, row: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf[row], variables)


def _folds(x: np.ndarray, folds: int, key: jax.Array) -> np.ndarray:
    return np.asarray(jax.jit(jax.vmap(lambda x: hooks.fold_of(x, folds, secret=key)))(jnp.asarray(x)))


def _certainty(logits: np.ndarray) -> np.ndarray:
    """Mean over models of the largest probability, [points], as `served.withholding` sees it."""
    return np.asarray(jax.nn.softmax(logits).max(axis=-1).mean(axis=0))


def _withheld(reference: np.ndarray, share: float, group: np.ndarray) -> list[WithheldRow]:
    names, of = np.unique(np.asarray(group).astype(str), return_inverse=True)
    found = selective(reference, share=share, group=of)
    return [
        WithheldRow(group=str(name), points=int((of == i).sum()), withheld=float(found.by_group[i]))
        for i, name in enumerate(names)
    ]
