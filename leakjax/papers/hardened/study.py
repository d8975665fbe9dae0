"""The hardening profile: every explainer plain, under DeepLeak's hardening and under ours, kept method by method."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from leakjax import _validate
from leakjax._workdir import Workdir
from leakjax._workdir.fingerprint import fingerprint
from leakjax.auditing.clock import Clock
from leakjax.auditing.decides import explainer_mark, subject_mark
from leakjax.auditing.environment import environment
from leakjax.auditing.explainers import LISTS
from leakjax.auditing.pool import Pool
from leakjax.auditing.prepare import Prepared
from leakjax.auditing.subject import LEAST_MODELS, Subject
from leakjax.defend.presets import PRESETS
from leakjax.defend.registry import parse
from leakjax.evaluate import utility_quoted
from leakjax.evaluate.document import Estimate, from_json
from leakjax.evaluate.leakage import chance_tpr
from leakjax.explain import Named
from leakjax.hardening.document import HardeningTask, MeasuredRow
from leakjax.hardening.measure import RELEASES, Chosen, Court, court, measure
from leakjax.papers.hardened import claims, summaries
from leakjax.papers.hardened.document import (
    DEEPLEAK,
    DENOISED,
    OURS,
    PLAIN,
    SCALED,
    HardenedRow,
    HardeningProfile,
)
from leakjax.papers.methods import EVERY, methods

_SCALE = "normalize(norm=inf)"
_NONE = "none"
_UNKNOWN = Estimate(float("nan"), float("nan"), float("nan"))
_ERRORS = 3  # standard errors above chance, from which there is something to cut


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a hardening profile measures.

    Attributes:
      explainers: texts; "every" stands for all at their default settings.
      most_runs: of the model for one explanation; methods that take more are left out.
      costly_points: on how many points methods of more than 10 runs are attacked; None: on all.
      targets: how many of the models are attacked; the others are shadows alone.
      policy: whose output is explained: "true" and "reference" are fixed by the query.
      deepleak: DeepLeak's hardening, as text; "none" leaves it out.
      chain: ours, as text, of explainers that have no preset of their own.
      beside: further chains, as text, that every explainer passes through.
    """

    explainers: tuple[str, ...] = (EVERY,)
    most_runs: int = 10_000
    costly_points: int | None = 500
    targets: int = 16
    policy: str = "true"
    deepleak: str = "deepleak"
    chain: str = "normalize+cosine_noise(0.98)"
    beside: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _validate.at_least("targets", self.targets, LEAST_MODELS)
        for text in (self.deepleak, self.chain, *self.beside):
            parse(text)

    def hardenings(self, explainer: str) -> dict[str, str]:
        """The chains of an explainer by what they are called; its preset is ours where it has one.

        Args:
          explainer: its name, without options.
        """
        theirs = {DEEPLEAK: self.deepleak, SCALED: f"{_SCALE}+{self.deepleak}"}
        return {
            **({} if self.deepleak == _NONE else theirs),
            OURS: PRESETS.get(explainer, self.chain),
            **{text: text for text in self.beside},
        }


def hardening_profile(
    prepared: Prepared,
    pool: Pool,
    settings: Settings,
    *,
    config: Mapping[str, Any],
    workdir: Workdir,
    say: Callable[[str], None],
) -> HardeningProfile:
    """Measures what hardening cuts and costs, explainer by explainer.

    Args:
      prepared: models and points, more models than `Settings.targets`.
      pool: whose background the methods explain against.
      settings: what is measured.
      config: every setting of the run, for the document.
      workdir: keeps every finished explainer.
      say: called with a line when a stage begins.

    Raises:
      UsageError: too few models, a text that names no explainer.
    """
    clock, whole = Clock(say), _attacked(prepared.subject, settings.targets)
    shape = whole.points.x.shape[1:]
    taken = methods(
        settings.explainers,
        whole.logits_fn,
        jax.tree.map(lambda leaf: leaf[0], whole.variables),
        whole.points.x[0],
        pool.background,
        pool.points.columns,
        most_runs=settings.most_runs,
    )
    for one in taken.left_out:
        say(f"{one.name} is left out: {one.why}")
    few = whole
    if settings.costly_points is not None and settings.costly_points < len(whole.points.x):
        few = whole.of_points(settings.costly_points)
    subject_of = lambda named: few if named.runs(shape) > LISTS["cheap"] else whole
    courts: dict[int, Court] = {}
    with clock("predict"):
        for subject in {id(one): one for one in map(subject_of, taken.named)}.values():
            courts[id(subject)] = court(subject)
    rows: list[HardenedRow] = []
    for named in taken.named:
        subject = subject_of(named)
        chains = settings.hardenings(named.name.partition("(")[0])
        explainer = named.make(subject.logits_fn, shape, pool.background)
        defenses = {one.name: one for one in map(parse, chains.values())}
        chosen = [Chosen(settings.policy, one, "beside") for one in defenses.values()]
        ours = defenses[parse(chains[OURS]).name]
        if ours.noise is not None:
            chosen.append(Chosen(settings.policy, ours, "denoised"))
        mark = fingerprint(
            explainer=explainer_mark(
                subject,
                subject_mark(subject, np.zeros(0, int)),
                explainer,
                [one.defense for one in chosen],
            ),
            policy=settings.policy,
            roles=[one.role for one in chosen],
        )
        figure = utility_quoted.quoted(named.name.partition("(")[0])
        work = functools.partial(measure, courts[id(subject)], explainer, figure, chosen)
        with clock(f"harden {named.name}"):
            kept = workdir.stage(f"harden {named.name}", mark, work)
        nonmembers = courts[id(subject)].sitting.judge.nonmembers
        rows += _rows(named, kept, chains, chance_tpr(0.01, nonmembers))
    summed = summaries.of_rows(rows)
    first = next(iter(courts.values()))
    return HardeningProfile(
        config=config,
        environment=environment(),
        timings=clock.seconds,
        task=_task(whole, first),
        rows=rows,
        summaries=summed,
        left_out=taken.left_out,
        claims=claims.of_summaries(summed),
    )


def _attacked(subject: Subject, targets: int) -> Subject:
    _validate.at_least("models", subject.models, targets + 2)
    return dataclasses.replace(subject, targets=np.arange(targets), releases=RELEASES)


def _rows(
    named: Named, kept: Sequence[Mapping[str, Any]], chains: Mapping[str, str], chance: float
) -> list[HardenedRow]:
    """The rows of one explainer: the plain map first, then each hardening, one that two share twice."""
    rows = [from_json(MeasuredRow, {"explainer": named.name, **row}) for row in kept]
    measured = {row.defense: row for row in rows if row.role != "denoised"}
    plain = measured[_NONE]
    shown = {called: measured[parse(text).name] for called, text in {PLAIN: _NONE, **chains}.items()}
    denoised = [(DENOISED, row) for row in rows if row.role == "denoised"]
    found = []
    for called, row in [*shown.items(), *denoised]:
        own = {field.name: getattr(row, field.name) for field in dataclasses.fields(MeasuredRow)}
        found.append(
            HardenedRow(
                **own,
                family=named.method.family,
                hardening=called,
                cut_alone=_cut_alone(plain.alone, row.alone, chance),
                lost_mask=row.losses.mask_correlation,
            )
        )
    return found


def _cut_alone(plain: Estimate, hardened: Estimate, chance: float) -> Estimate:
    """The share of what is caught beyond chance that is gone; its interval takes the two for independent."""
    excess = plain.value - chance
    error = (plain.high - plain.low) / 4
    if not excess > _ERRORS * error:
        return _UNKNOWN
    left = (hardened.value - chance) / excess
    spread = np.hypot((hardened.high - hardened.low) / 2, left * 2 * error) / excess
    return Estimate(1 - left, 1 - left - float(spread), 1 - left + float(spread))


def _task(subject: Subject, first: Court) -> HardeningTask:
    sitting = first.sitting
    correct = sitting.predictions.correct[sitting.subject.targets]
    inside = sitting.subject.membership[sitting.subject.targets]
    return HardeningTask(
        dataset=subject.points.name,
        points=len(subject.points.x),
        searched_points=0,
        targets=len(subject.targets),
        shadows=subject.models - len(subject.targets),
        nonmembers=sitting.judge.nonmembers,
        train_accuracy=float(correct[inside].mean()),
        test_accuracy=float(correct[~inside].mean()),
    )
