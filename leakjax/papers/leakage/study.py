"""The leakage profile: every explainer explained once, attacked by everything, kept method by method."""

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from leakjax._workdir import Workdir
from leakjax._workdir.fingerprint import fingerprint
from leakjax.attack.run import run
from leakjax.auditing import rows, worth
from leakjax.auditing.clock import Clock
from leakjax.auditing.decides import explainer_mark, subject_mark
from leakjax.auditing.environment import environment
from leakjax.auditing.explainers import LISTS
from leakjax.auditing.explanations import defend_program
from leakjax.auditing.pool import Pool
from leakjax.auditing.prepare import Prepared
from leakjax.auditing.rows import Result, Sitting
from leakjax.defend import identity
from leakjax.evaluate.document import (
    GroupRow,
    LeakageRow,
    LeftOut,
    NeighbourRow,
    WorthRow,
    from_json,
    to_json,
)
from leakjax.explain import Named
from leakjax.hardening.world import logits_of
from leakjax.papers.leakage import claims, judged
from leakjax.papers.leakage.document import BeyondRow, LeakageProfile
from leakjax.papers.leakage.judged import Heard
from leakjax.papers.leakage.ranked import ranked
from leakjax.papers.leakage.rivals import DEEPLEAK, Rival, replies, rivals, trajectories_of
from leakjax.papers.methods import EVERY, methods
from leakjax.papers.shown import check_memory, shown
from leakjax.papers.world import sitting_of

_ATTACK = 11  # of the subject's key
_NO_DEFENSE = "none"


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a leakage profile measures.

    Attributes:
      explainers: texts; "every" stands for all at their default settings.
      most_runs: of the model for one explanation; methods that take more are left out.
      costly_points: on how many points methods of more than 10 runs are attacked; None: on all.
      networks: whether attack networks are trained.
      network_targets: how many models they attack; the papers attack one.
      network_epochs: of their training, the most; None: as each attack has it.
      group: name of a column by which leakage is broken down; None for none.
    """

    explainers: tuple[str, ...] = (EVERY,)
    most_runs: int = 10_000
    costly_points: int | None = 500
    networks: bool = True
    network_targets: int = 1
    network_epochs: int | None = None
    group: str | None = None


def profile(
    prepared: Prepared,
    pool: Pool,
    settings: Settings,
    *,
    config: Mapping[str, Any],
    workdir: Workdir,
    say: Callable[[str], None],
) -> LeakageProfile:
    """Measures what every explainer leaks, and how much of it earlier attacks find.

    Args:
      prepared: models and points.
      pool: whose background the methods explain against.
      settings: what is measured.
      config: every setting of the run, for the document.
      workdir: keeps every finished method.
      say: called with a line when a stage begins.

    Raises:
      UsageError: a text that names no explainer, maps that do not fit into memory.
    """
    clock, subject = Clock(say), prepared.subject
    first = jax.tree.map(lambda leaf: leaf[0], subject.variables)
    x, shape = subject.points.x[0], subject.points.x.shape[1:]
    taken = methods(
        settings.explainers,
        subject.logits_fn,
        first,
        x,
        pool.background,
        pool.points.columns,
        most_runs=settings.most_runs,
    )
    for left in taken.left_out:
        say(f"{left.name} is left out: {left.why}")
    check_memory(subject.models, len(subject.points.x), shape)
    with clock("predict"):
        whole = few = sitting_of(subject)
        costly = [named for named in taken.named if named.runs(shape) > LISTS["cheap"]]
        if costly and settings.costly_points is not None and settings.costly_points < len(subject.points.x):
            few = sitting_of(subject.of_points(settings.costly_points))
        logits = {id(one): logits_of(one.subject) for one in (whole, few)}
    marks = {id(one): subject_mark(one.subject, np.zeros(0, int)) for one in (whole, few)}
    found: list[Mapping[str, Any]] = []
    left_out = list(taken.left_out)
    for named in taken.named:
        sitting = few if named in costly else whole
        explainer = named.make(subject.logits_fn, shape, pool.background)
        mark = fingerprint(
            explainer=explainer_mark(sitting.subject, marks[id(sitting)], explainer, [identity()]),
            settings=dataclasses.replace(settings, explainers=(), costly_points=None),
        )
        work = functools.partial(_method, sitting, named, pool, logits[id(sitting)], settings)
        with clock(f"profile {named.name}"):
            found.append(workdir.stage(f"profile {named.name}", mark, work))
    return _assemble(prepared, whole, found, left_out, config, clock)


def _method(
    sitting: Sitting, named: Named, pool: Pool, logits: np.ndarray, settings: Settings
) -> dict[str, Any]:
    """Everything about one explainer, as JSON."""
    start, subject = time.perf_counter(), sitting.subject
    explainer = named.make(subject.logits_fn, subject.points.x.shape[1:], pool.background)
    maps, (found,) = shown(sitting, explainer, [defend_program(subject, identity())])
    result = Result(sitting, found, rows.explained(named.name, named, _NO_DEFENSE, subject))
    results = {(named.name, _NO_DEFENSE): result}
    gone = trajectories_of(subject, maps)
    leakage, heard, left_out = judged.rows_of(result), [], []
    before = rivals(subject.releases, networks=settings.networks, epochs=settings.network_epochs)
    for number, rival in enumerate(before):
        count = settings.network_targets if rival.network else len(subject.targets)
        places = judged.places_of(subject, count)
        key = jax.random.fold_in(jax.random.fold_in(subject.key, _ATTACK), number)
        seen = replies(rival, subject, logits, maps, gone)
        said = run(rival.attack, seen, subject.membership, targets=subject.targets[places], key=key)
        if not said.valid.any():
            left_out.append(LeftOut(name=named.name, why=_unanswered(rival)))
            continue
        heard.append(Heard(rival, said, places))
    leakage += [judged.row_of(result, one) for one in heard]
    beyond = [judged.beside_stacked(result, one) for one in heard]
    for network in (one for one in heard if one.rival.reported_by == DEEPLEAK):
        others = [one for one in heard if one.rival.view == "explanation" and one is not network]
        beyond += [judged.beside_network(result, one, network) for one in others]
    return {
        "about": to_json(result.explanation),
        "runs": named.runs(subject.points.x.shape[1:]),
        "points": len(subject.points.x),
        "leakage": [to_json(row) for row in leakage],
        "beyond": [to_json(row) for row in beyond],
        "groups": [to_json(row) for row in rows.groups(results, settings.group)],
        "neighbours": [to_json(row) for row in worth.neighbours(results)],
        "worth": [to_json(row) for row in worth.worth(results)],
        "left_out": [to_json(one) for one in left_out],
        "seconds": time.perf_counter() - start,
    }


def _most_points(found: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Of the methods the first one that was attacked on the most points."""
    return max(found, key=lambda one: one["points"], default={})


def _unanswered(rival: Rival) -> str:
    return f"{rival.attack.name} ({rival.reported_by}) has no score at any point: the map has no such number"


def _assemble(
    prepared: Prepared,
    whole: Sitting,
    found: list[Mapping[str, Any]],
    left_out: list[LeftOut],
    config: Mapping[str, Any],
    clock: Clock,
) -> LeakageProfile:
    subject, judge = whole.subject, whole.judge
    predictions = [
        judge.row(whole_scores, rows.attacked("prediction", judged.STACKED, subject, release))[0]
        for release, whole_scores in _predicted(whole).items()
    ]
    leakage: list[LeakageRow] = [*predictions]
    beyond: list[BeyondRow] = []
    groups: list[GroupRow] = []
    for one in found:
        leakage += [from_json(LeakageRow, row) for row in one["leakage"]]
        beyond += [from_json(BeyondRow, row) for row in one["beyond"]]
        groups += [from_json(GroupRow, row) for row in one["groups"]]
        left_out += [from_json(LeftOut, row) for row in one["left_out"]]
    unique = list({(row.view, row.explainer, row.group, row.level): row for row in groups}.values())
    return LeakageProfile(
        config=config,
        environment=environment(),
        timings=clock.seconds,
        task=rows.task(whole, {}, prepared.diverged),
        methods=ranked(found),
        neighbours=[from_json(NeighbourRow, row) for row in _most_points(found).get("neighbours", ())],
        worth=[from_json(WorthRow, row) for one in found for row in one["worth"]],
        leakage=leakage,
        beyond=beyond,
        groups=unique,
        left_out=left_out,
        claims=claims.of_profile(beyond),
    )


def _predicted(whole: Sitting) -> dict[str, np.ndarray]:
    """The scores of the predictions alone, by release."""
    from leakjax.attack import stacked

    return {name: stacked.scores_of(groups) for name, groups in whole.base.log_odds.items()}
