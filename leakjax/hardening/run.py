"""The study: for each explainer a search on shadows, then what was chosen measured once on the targets."""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from leakjax import _validate
from leakjax._workdir import Store, Workdir, opened
from leakjax._workdir.fingerprint import fingerprint
from leakjax.auditing import door
from leakjax.auditing.clock import Clock
from leakjax.auditing.decides import explainer_mark, subject_mark
from leakjax.auditing.environment import environment
from leakjax.auditing.explainers import LISTS, choose
from leakjax.auditing.subject import LEAST_MODELS, LEAST_POINTS, Subject
from leakjax.data import Points
from leakjax.defend import Defense
from leakjax.evaluate import utility_quoted
from leakjax.evaluate.document import from_json
from leakjax.explain import Explainer, LogitsFn, Named
from leakjax.hardening import search as searching
from leakjax.hardening import world as worlds
from leakjax.hardening.document import HardeningReport, HardeningTask, MeasuredRow, RecommendedRow, TriedRow
from leakjax.hardening.measure import RELEASES, Chosen, Court, court, measure
from leakjax.hardening.settings import averaged, defense_of
from leakjax.shadow import Ensemble, exclude_diverged


@dataclasses.dataclass(frozen=True)
class Search:
    """How defenses are searched for.

    Attributes:
      targets: the first so many models are attacked, once, with what was chosen; the others are the shadows.
      policies: whose output may be explained, of `leakjax.hardening.world.POLICIES`.
      trials: settings that are tried for each explainer.
      points: how many of the points settings are compared on; None: on all.
      costly_points: on how many targets are attacked through explainers of more than 10 runs of the model; settings
        of these are compared on at most as many.
      front: how many settings of the front are measured on the targets.
      repeats: numbers of answers whose mean an attacker takes, where what is recommended draws noise for each.
      beside: defenses that are measured as well, under the first policy that is fixed by the query.
      most_lost: what may be lost of the quoted figure by what is recommended.
      seed: of the sampler.
    """

    targets: int = 32
    policies: tuple[str, ...] = worlds.POLICIES
    trials: int = 200
    points: int | None = 400
    costly_points: int = 600
    front: int = 4
    repeats: tuple[int, ...] = (10, 100, 1000)
    beside: tuple[Defense, ...] = ()
    most_lost: float = searching.MOST_LOST
    seed: int = 0

    def __post_init__(self) -> None:
        _validate.at_least("targets", self.targets, LEAST_MODELS)
        _validate.at_least("trials", self.trials, 1)
        _validate.at_least("front", self.front, 1)
        _validate.at_least("costly_points", self.costly_points, LEAST_POINTS)
        for count in self.repeats:
            _validate.at_least("repeats", count, 1)
        if self.points is not None:
            _validate.at_least("search_points", self.points, LEAST_POINTS)
        if not self.policies:
            raise _validate.fail("explained_classes", self.policies, "must name at least one")
        _validate.distinct("explained_classes", self.policies)
        for policy in self.policies:
            _validate.one_of("explained_classes", policy, worlds.POLICIES)
        if not 0 <= self.most_lost <= 1:
            raise _validate.fail("most_lost", self.most_lost, "must be between 0 and 1")


def harden(
    logits_fn: LogitsFn,
    ensemble: Ensemble,
    points: Points,
    *,
    explainers: Sequence[str | Named | Explainer],
    key: jax.Array,
    search: Search = Search(),
    background: np.ndarray | None = None,
    config: Mapping[str, Any] | None = None,
    store: Store = None,
    say: Callable[[str], None] = lambda line: None,
) -> HardeningReport:
    """Searches defenses that keep explanations useful, and measures what it found.

    Nothing is chosen on a target: settings are compared on shadows, under an attack that is cheap; the targets are
    attacked once with what was chosen, by the audit's attack, refitted for each defense. Arguments are those of the
    audit, and what is searched.

    Args:
      logits_fn: (variables of one model, one example) -> logits [classes].
      ensemble: at least 16 targets and 16 shadows.
      points: what is explained.
      explainers: as of `leakjax.audit`.
      key: of all randomness but the sampler's.
      search: how.
      background: as of `leakjax.auditing.Budget`.
      config: what the report records as its configuration.
      store: keeps what is finished, so that the study goes on where it stopped.
      say: told what begins.

    Returns:
      The report.

    Raises:
      UsageError: too few models or points, explainers that do not apply, no optuna.
    """
    _validate_optuna()
    door.check_key(key)
    clock, plan = Clock(say), _sides(logits_fn, ensemble, points, key, search)
    methods = choose(
        explainers, logits_fn, jax.tree.map(lambda leaf: leaf[0], plan.all.variables), points.x[0], background, say,
        points.columns,
    ).methods  # fmt: skip
    costly = [one.runs(points.x.shape[1:]) > LISTS["cheap"] for one in methods]
    few = min(search.costly_points, len(points.x))
    courts: dict[bool, Court] = {}
    with clock("predict"):
        for is_costly in sorted(set(costly)):
            courts[is_costly] = court(plan.all.of_points(few) if is_costly else plan.all)
    tried: list[TriedRow] = []
    measured: list[MeasuredRow] = []
    recommended: list[RecommendedRow] = []
    with opened(store, say) as workdir:
        for named, is_costly in zip(methods, costly, strict=True):
            own = plan if not is_costly else plan._replace(shadows=_at_most(plan.shadows, few))
            explainer = named.make(logits_fn, points.x.shape[1:], background)
            found = _of_explainer(named, explainer, own, courts[is_costly], search, workdir, clock, say)
            tried += found[0]
            measured += found[1]
            recommended.append(found[2])
    sitting = next(iter(courts.values())).sitting
    return HardeningReport(
        config={} if config is None else dict(config),
        environment=environment(),
        task=_task(plan, sitting.predictions.correct, sitting.judge.nonmembers, points, sitting.subject),
        recommended=recommended,
        measured=measured,
        tried=tried,
        timings=clock.seconds,
    )


class _Plan(NamedTuple):
    """Who is attacked, and on whom settings are compared."""

    all: Subject
    shadows: Subject


def _sides(logits_fn: LogitsFn, ensemble: Ensemble, points: Points, key: jax.Array, search: Search) -> _Plan:
    ensemble = door.check_ensemble(ensemble, door.checked_points(points))
    kept, _ = exclude_diverged(ensemble)
    _validate.at_least("models", len(kept.membership), search.targets + LEAST_MODELS)
    whole = Subject(
        logits_fn, kept.variables, np.asarray(kept.ids), points, np.asarray(kept.membership, bool),
        targets=np.arange(search.targets), key=key, explained_class="true", releases=RELEASES,
    )  # fmt: skip
    others = np.arange(search.targets, whole.models)
    shadows = dataclasses.replace(
        whole,
        variables=jax.tree.map(lambda leaf: leaf[others], whole.variables),
        model_ids=whole.model_ids[others],
        membership=whole.membership[others],
        targets=np.arange(LEAST_MODELS),
    )
    return _Plan(whole, _at_most(shadows, search.points))


def _at_most(subject: Subject, count: int | None) -> Subject:
    return subject if count is None or count >= len(subject.points.x) else subject.of_points(count)


def _of_explainer(
    named: Named,
    explainer: Explainer,
    plan: _Plan,
    court: Court,
    search: Search,
    workdir: Workdir | None,
    clock: Clock,
    say: Callable[[str], None],
) -> tuple[list[TriedRow], list[MeasuredRow], RecommendedRow]:
    """Searches and measures for one explainer; each is a stage of the workdir."""
    name, called = named.name, named.name.partition("(")[0]
    quoted, reason = utility_quoted.QUOTED[utility_quoted.FAMILY_OF.get(called, "additive")]

    def stage(what: str, subject: Subject, work: Callable[[], Any], **decides: Any) -> Any:
        with clock(f"{what} {name}"):
            if workdir is None:
                return work()
            of = explainer_mark(subject, subject_mark(subject, np.array([], int)), explainer, ())
            return workdir.stage(f"{what} {name}", fingerprint(of=of, figure=quoted, **decides), work)

    def compare() -> list[list[Any]]:
        logits = worlds.logits_of(plan.shadows)
        shown = worlds.explained_by_policy(search.policies, logits, plan.shadows.points.y, logits)
        by_policy = {
            policy: worlds.world(plan.shadows, explainer, classes, logits, quoted)
            for policy, classes in shown.items()
        }
        found = searching.search(by_policy, trials=search.trials, seed=search.seed, say=say)
        return [searching.plain(one) for one in found]

    kept = stage(
        "search", plan.shadows, compare, policies=search.policies, trials=search.trials, seed=search.seed
    )
    tried = [searching.read(one) for one in kept]
    best = searching.recommended(tried, most_lost=search.most_lost)
    chosen = _chosen(tried, best, search)
    rows = stage(
        "measure",
        court.sitting.subject,
        functools.partial(measure, court, explainer, quoted, chosen),
        chosen=[(one.policy, one.defense.name, one.role, one.repeats) for one in chosen],
    )
    measured = [from_json(MeasuredRow, {"explainer": name, **row}, "measured") for row in rows]
    on_front = searching.front(tried)
    about = [
        TriedRow(
            explainer=name,
            explained_class=one.policy,  # type: ignore[arg-type]
            defense=one.defense.name,
            excess=one.excess,
            lost=one.lost,
            mask_correlation=one.mask_correlation,
            front=one in on_front,
        )
        for one in tried
    ]
    count, rank = _ranks(on_front, measured)
    return (
        about,
        measured,
        RecommendedRow(
            explainer=name,
            explained_class=best.policy,  # type: ignore[arg-type]
            defense=best.defense.name,
            figure=quoted,
            reason=reason,
            settings=count,
            rank_correlation=rank,
        ),
    )


def _chosen(tried: Sequence[searching.Tried], best: searching.Tried, search: Search) -> list[Chosen]:
    """The plain maps, what is recommended, some of the front, and what was named, each once."""
    fixed = next((policy for policy in search.policies if policy != "predicted"), search.policies[0])
    wanted = [
        *(Chosen(policy, searching.PLAIN, "plain") for policy in search.policies),
        Chosen(best.policy, best.defense, "recommended"),
        *([Chosen(best.policy, best.defense, "denoised")] if best.defense.noise is not None else []),
        *(
            Chosen(best.policy, defense_of(best.family, averaged(best.setting, count)), "averaged", count)
            for count in search.repeats
            if best.setting.cosine < 1
        ),
        *(Chosen(one.policy, one.defense, "front") for one in searching.along(tried, search.front)),
        *(Chosen(fixed, defense, "beside") for defense in search.beside),
    ]
    unlike = {(one.policy, one.defense.name, one.role == "denoised"): one for one in reversed(wanted)}
    return list(unlike.values())[::-1]


def _ranks(front: Sequence[searching.Tried], measured: Sequence[MeasuredRow]) -> tuple[int, float]:
    """How many settings of the front were measured, and how alike the two attacks rank them."""
    cheap = {(one.policy, one.defense.name): one.excess for one in front}
    pairs = [
        (cheap[row.explained_class, row.defense], row.margin.value)
        for row in measured
        if (row.explained_class, row.defense) in cheap and row.role != "denoised"
    ]
    if len(pairs) < 3:
        return len(pairs), math.nan
    from scipy import stats

    return len(pairs), float(stats.spearmanr(*zip(*pairs, strict=True)).statistic)


def _task(
    plan: _Plan, correct: np.ndarray, nonmembers: int, points: Points, subject: Subject
) -> HardeningTask:
    targets = subject.targets
    own = subject.membership[targets]
    right = np.asarray(correct)[targets]
    return HardeningTask(
        dataset=points.name,
        points=len(subject.points.x),
        searched_points=len(plan.shadows.points.x),
        targets=len(targets),
        shadows=plan.shadows.models,
        nonmembers=nonmembers,
        train_accuracy=float(right[own].mean()),
        test_accuracy=float(right[~own].mean()),
    )


def _validate_optuna() -> None:
    try:
        import optuna  # noqa: F401
    except ImportError:
        raise _validate.fail("optuna", "not installed", "the search needs it: pip install optuna") from None
