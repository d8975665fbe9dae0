r"""Is `stacked` anywhere weaker than an attack of the literature? Paired differences, corrected for looking often.

    python -m experiments.benchmark_attacks --models=32 --explainers='gradient(output="probability")' \
        --explained_class=true --dataset=digits

Every flag of experiments.audit is taken; --attacks are those that `stacked` is set beside, by default all that need no
further queries and learn within seconds. A row is one attack beside one release, on one explanation: its TPR at the
headline rate and its AUC, less those of `stacked` in the same view, on the same points and targets in the same
resamples. Of all rows together Holm's method says where `stacked` is weaker by more than 2 standard errors; the last
line counts these rows. Exit codes: 0 done, 2 bad usage.
"""

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import flags
from rich.console import Console
from rich.table import Table
from scipy import stats

from leakjax import attack, models
from leakjax._workdir import Workdir, writer
from leakjax.attack.run import Attacked
from leakjax.auditing import asked
from leakjax.auditing.clock import Clock
from leakjax.auditing.literature import say, works_of
from leakjax.auditing.measure import measure
from leakjax.auditing.options import Budget
from leakjax.auditing.pool import Pool
from leakjax.auditing.prepare import Prepared
from leakjax.auditing.resolve import resolve
from leakjax.evaluate.document import Estimate
from leakjax.papers.world import Training, prepared
from leakjax.report.progress import Stages

from . import _main, audit_flags, training_flags
from .audit import load_pool
from .audit_flags import Config, Places, read_config

RIVALS = (
    "lira,lira(variance='pooled'),lira(variance='global'),lira(variance='fixed'),lira(online=False),rmia,"
    "rmia(online=False),base,base(online=False),bavaria,bavaria(online=False),attack_r,difference,quantile,threshold,"
    "threshold(signal='entropy'),threshold(signal='map_log_l1'),tree,map_ratio,map_ratio(signal='map_log_variance')"
)
# The chance of a standard normal to lie 2 below its mean: what "more than 2 standard errors" means of one row.
LEVEL = float(stats.norm.cdf(-2))


class Compared(NamedTuple):
    """A rival's row: what it finds, and what `stacked` finds beyond it in the same view."""

    rival: str
    view: str
    release: str
    explanation: str
    tpr: Estimate
    auc: Estimate
    more_tpr: Estimate
    more_auc: Estimate


def holm(differences: list[Estimate]) -> np.ndarray:
    """Which differences lie below 0, by Holm's method at the level of 2 standard errors: bool [differences].

    Source: Holm, "A simple sequentially rejective multiple test procedure" (1979): the k-th smallest of n probabilities
    is set against the level over n - k + 1, up to the first that is not below.
    """
    chances = np.array([_chance(one) for one in differences])
    order = np.argsort(chances, kind="stable")
    below = chances[order] * (len(order) - np.arange(len(order))) < LEVEL
    found = np.zeros(len(order), bool)
    found[order] = np.logical_and.accumulate(below)
    return found


def _chance(difference: Estimate) -> float:
    """How likely a difference as low as this is where there is none."""
    if not difference.error > 0:
        return 1.0 if difference.value >= 0 else 0.0
    return float(stats.norm.cdf(difference.value / difference.error))


def compared(found: dict[str, np.ndarray], work: Any) -> Compared:
    """Sets what a rival says beside what `stacked` says in the same view."""
    sitting, own, _ = work.result
    said, judge = Attacked(**found), sitting.judge
    judge = judge.narrowed(said.valid & (own.valid if work.about is not None else True))
    rate = judge.headline
    if work.view == "explanation":
        ours = own.explanation  # beside whichever release names the class, asked for or not
    else:
        at = sitting.subject.releases.index(work.release)
        ours = own.both[at] if work.view == "both" else own.prediction[at]
    rival, stacked = judge.rates(said.scores), judge.rates(ours)
    alone, more = judge.found(rival), judge.added(stacked, rival)
    return Compared(
        work.attack.name,
        work.view,
        work.release or "none",
        "none" if work.about is None else " under ".join(work.about),
        alone.tpr_at_fpr[rate],
        alone.auc,
        more.tpr_at_fpr[rate],
        more.auc,
    )


def prepared_of(config: Config, places: Places, workdir: Workdir, stages: Stages) -> tuple[Pool, Prepared]:
    """Loads, trains, and lays out what is attacked, as the audit of the same flags does."""
    pool = load_pool(config, places)
    model = models.make(config.model, pool.points.classes, **config.model_options)
    return pool, prepared(
        Training(model, config.training, config.models, jax.random.key(config.seed)),
        pool,
        config.attacker,
        audit_points=config.audit_points,
        targets=config.targets,
        workdir=workdir,
        say=stages.say,
        on_epoch=partial(stages.on_epoch, config.epochs),
    )


def run(config: Config, places: Places, stages: Stages) -> list[Compared]:
    """Trains, attacks by `stacked` and by all rivals, and compares."""
    with _main.claimed(
        places.workdir, config.as_json(), take_over=places.take_over, say=stages.say
    ) as workdir:
        pool, attacked = prepared_of(config, places, workdir, stages)
        budget = Budget(config.costly_points, pool.background, attacked.untrained)
        given = (config.explainers, config.defenses, config.attacks)
        methods = resolve(*given, subject=attacked.subject, budget=budget, say=stages.say)
        subject, clock = attacked.subject, Clock(stages.say)
        measured = measure(subject, methods, costly_points=config.costly_points, store=workdir, clock=clock)
        source_of = asked.source_of(subject, methods.explainers, methods.defenses, measured.results)
        found = []
        for rival in (one for one in methods.attacks if isinstance(one, attack.Attack)):
            works = works_of(rival, subject, measured.results, maps=list(measured.results))
            with clock(f"attack by {rival.name}"):
                said = say(works, source_of)
            found += [compared(what, work) for what, work in zip(said, works, strict=True)]
        writer(workdir.path)("attacks.csv", _csv(found).encode())
    return found


def _csv(found: list[Compared]) -> str:
    worse = holm([one.more_tpr for one in found] + [one.more_auc for one in found])
    lines = [
        "rival,view,release,explanation,tpr,auc,more_tpr,error_tpr,more_auc,error_auc,weaker_tpr,weaker_auc"
    ]
    for place, one in enumerate(found):
        more = (one.more_tpr.value, one.more_tpr.error, one.more_auc.value, one.more_auc.error)
        numbers = (one.tpr.value, one.auc.value, *more)
        names = ",".join(f'"{name}"'.replace("'", "") for name in one[:4])
        flagged = f"{int(worse[place])},{int(worse[len(found) + place])}"
        lines.append(f"{names},{','.join(f'{number:.5f}' for number in numbers)},{flagged}")
    return "\n".join(lines) + "\n"


def show(found: list[Compared]) -> Table:
    """The rows in percent, with what `stacked` finds beyond each."""
    worse = holm([one.more_tpr for one in found] + [one.more_auc for one in found])
    names = (
        "rival",
        "view",
        "release",
        "explanation",
        "TPR",
        "AUC",
        "stacked - TPR",
        "stacked - AUC",
        "weaker",
    )
    table = Table(*names)
    percent = lambda one: f"{100 * one.value:.2f}"
    paired = lambda one: f"{100 * one.value:+.2f} ± {100 * one.error:.2f}"
    for place, one in enumerate(found):
        weaker = "yes" if worse[place] or worse[len(found) + place] else ""
        table.add_row(
            *one[:4], percent(one.tpr), percent(one.auc), paired(one.more_tpr), paired(one.more_auc), weaker
        )
    return table


def places_of(values: flags.FlagValues, study: str) -> Places:
    """Where a study of an audit's flags reads and writes."""
    workdir = Path(values.workdir or f"runs/{study}-{Path(values.dataset).stem}").expanduser()
    return Places(workdir, values.data_dir, values.source_dir, values.take_over)


def main(values: flags.FlagValues) -> int:
    """Reads the flags and runs; the exit code that the module's docstring names."""
    config = read_config(values)
    places = places_of(values, "attacks")
    with Stages(Console(stderr=True)) as stages:
        found = run(config, places, stages)
    Console(width=180).print(show(found))
    worse = holm([one.more_tpr for one in found] + [one.more_auc for one in found])
    print(f"{int(worse.sum())} of {len(worse)} comparisons say that stacked is weaker, by Holm's method")
    return _main.DONE


if __name__ == "__main__":
    audit_flags.define_flags()
    for module in (audit_flags, training_flags):
        flags.adopt_module_key_flags(module)
    flags.FLAGS.set_default("attacks", RIVALS)
    flags.FLAGS.set_default("models", 32)
    flags.FLAGS.set_default("explainers", "gradient,gradient(output='probability')")
    flags.FLAGS.set_default("defenses", "none")
    _main.launch(main)
