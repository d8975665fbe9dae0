"""From scores to the rows of a leakage profile: what is found, and how much more of it than by an attack before."""

import dataclasses
from typing import NamedTuple

import numpy as np

from leakjax.attack.run import Attacked as Said
from leakjax.auditing.judge import Judge
from leakjax.auditing.rows import Result, attacked
from leakjax.auditing.subject import Subject
from leakjax.evaluate import bootstrap
from leakjax.evaluate.bootstrap import Resamples
from leakjax.evaluate.document import Attacked, Estimate, LeakageRow, Rate
from leakjax.evaluate.leakage import RATES, Rates
from leakjax.papers.leakage.document import BeyondRow
from leakjax.papers.leakage.rivals import Rival

STACKED = "stacked"
_NOTHING_BESIDE = "none"


class Heard(NamedTuple):
    """What a rival says of the targets at some places among all.

    Attributes:
      rival: which.
      said: scores and where they mean something, of these targets.
      places: int [targets].
    """

    rival: Rival
    said: Said
    places: np.ndarray


def rows_of(result: Result) -> list[LeakageRow]:
    """What the stacked attack finds: in the explanation alone, and beside each release with its margin."""
    sitting, found, explanation = result
    subject, judge = sitting.subject, sitting.judge.narrowed(found.valid)
    seen = attacked("explanation", STACKED, subject, _NOTHING_BESIDE, explanation)
    rows = [judge.row(found.explanation, seen)[0]]
    for at, release in enumerate(subject.releases):
        over = judge.rates(found.prediction[at])
        about = attacked("both", STACKED, subject, release, explanation)
        rows.append(judge.row(found.both[at], about, over)[0])
    return rows


def places_of(subject: Subject, count: int) -> np.ndarray:
    """Which of the targets are attacked, evenly spaced: int [count], places among all targets."""
    targets = len(subject.targets)
    return np.unique(np.linspace(0, targets - 1, min(count, targets)).round().astype(int))


def row_of(result: Result, heard: Heard) -> LeakageRow:
    """What a rival finds."""
    rival, said, places = heard
    subject, judge = _judge(result, heard)
    alone = None
    if rival.view == "both":
        at = subject.releases.index(_release(rival))
        alone = judge.rates(result.found.prediction[at][places])
    return judge.row(said.scores, _about(result, rival, subject), alone)[0]


def beside_stacked(result: Result, heard: Heard) -> BeyondRow:
    """How much more the stacked attack finds than a rival, on the same targets and points."""
    rival, _, places = heard
    found, subject = result.found, result.sitting.subject
    both = rival.view == "both"
    ours = found.both[subject.releases.index(_release(rival))] if both else found.explanation
    return _beyond(result, heard, STACKED, ours[places])


def beside_network(result: Result, heard: Heard, network: Heard) -> BeyondRow:
    """How much more the map network finds than a rival before it, on the network's targets."""
    rival, said, places = heard
    own = np.flatnonzero(np.isin(places, network.places))
    narrowed = Said(said.scores[own], said.valid[own] & network.said.valid)
    name = network.rival.attack.name.partition("(")[0]
    return _beyond(result, Heard(rival, narrowed, network.places), name, network.said.scores)


def _beyond(result: Result, heard: Heard, stronger: str, ours: np.ndarray) -> BeyondRow:
    subject, judge = _judge(result, heard)
    mine, theirs = judge.rates(ours), judge.rates(heard.said.scores)
    more = judge.added(mine, theirs)
    return BeyondRow(
        **vars(_about(result, heard.rival, subject)),
        reported_by=heard.rival.reported_by,
        stronger=stronger,
        targets=len(heard.places),
        nonmembers=judge.nonmembers,
        ours=judge.found(mine).tpr_at_fpr,
        theirs=judge.found(theirs).tpr_at_fpr,
        more=more.tpr_at_fpr,
        more_auc=more.auc,
        relative=_relative(mine, theirs, judge.resamples),
    )


def _judge(result: Result, heard: Heard) -> tuple[Subject, Judge]:
    sitting, places = result.sitting, heard.places
    subject = dataclasses.replace(sitting.subject, targets=sitting.subject.targets[places])
    return subject, Judge(subject, seed=subject.seed).narrowed(heard.said.valid & result.found.valid[places])


def _release(rival: Rival) -> str:
    return _NOTHING_BESIDE if rival.view == "explanation" or rival.release is None else rival.release


def _about(result: Result, rival: Rival, subject: Subject) -> Attacked:
    return attacked(rival.view, rival.attack.name, subject, _release(rival), result.explanation)


def _relative(ours: Rates, theirs: Rates, resamples: Resamples) -> dict[Rate, Estimate]:
    found: dict[Rate, Estimate] = {}
    for at, rate in enumerate(RATES):
        mine = bootstrap.mean_over_targets(ours.tpr[at], resamples)
        other = bootstrap.mean_over_targets(theirs.tpr[at], resamples)
        with np.errstate(invalid="ignore", divide="ignore"):
            found[rate] = bootstrap.estimate(mine / other - 1.0)
    return found
