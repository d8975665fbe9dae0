"""The study of overfitting: data sets are trained and measured gap by gap, each kept as soon as it is done."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from leakjax import data
from leakjax._validate import UsageError
from leakjax._workdir import Workdir
from leakjax._workdir.fingerprint import environment as packages
from leakjax._workdir.fingerprint import fingerprint
from leakjax.auditing.environment import environment
from leakjax.evaluate.document import LeftOut, from_json
from leakjax.papers.overfitting import attacks, claims, measure
from leakjax.papers.overfitting.document import AttackRow, GapRow, GroupLeak, Learns, Overfitting
from leakjax.papers.overfitting.lines import lines
from leakjax.papers.overfitting.worlds import World, grown
from leakjax.shadow.ensemble import OnEpoch

# From the name of a data set to its points.
Load = Callable[[str], data.Points]


@dataclasses.dataclass(frozen=True)
class Settings:
    """What decides how every gap is measured.

    Attributes:
      models: of each data set.
      targets: on how many of them the paper's attacks are made.
      audited: on how many points; None: all.
      learns: how the paper's attacks learn at the largest gap; at the others in the first way alone.
      attack_epochs: of training an attack network, the most.
      others: explainers that are attacked at the largest gap beside the gradient.
      seed: of all randomness.
    """

    models: int
    targets: int
    audited: int | None
    learns: tuple[Learns, ...]
    attack_epochs: int
    others: tuple[str, ...]
    seed: int


def overfitting(
    worlds: Sequence[World],
    load: Load,
    settings: Settings,
    *,
    config: Mapping[str, Any],
    workdir: Workdir,
    say: Callable[[str], None],
    on_epoch: OnEpoch,
) -> Overfitting:
    """Measures every gap that the workdir does not hold.

    Args:
      worlds: data sets, networks and gaps.
      load: the points of a data set; a `UsageError` of it leaves the set out.
      settings: how each gap is measured.
      config: every setting of the run, for the document.
      workdir: keeps models and finished gaps.
      say: called with a line when a gap begins.
      on_epoch: called after each epoch of training.
    """
    gaps: list[GapRow] = []
    rows: list[AttackRow] = []
    groups: list[GroupLeak] = []
    left_out: list[LeftOut] = []
    seconds: dict[str, float] = {}
    for number, world in enumerate(worlds):
        try:
            points = load(world.dataset)
        except UsageError as error:
            left_out.append(LeftOut(name=world.dataset, why=str(error)))
            say(f"{world.dataset} is left out: {error}")
            continue
        key = jax.random.fold_in(jax.random.key(settings.seed), number)
        grew = grown(
            world, points, count=settings.models, key=key, workdir=workdir, say=say, on_epoch=on_epoch
        )
        left_out += [
            LeftOut(name=f"{world.dataset}, gap {asked:g}", why=why) for asked, why in grew.missed.items()
        ]
        for level in grew.levels:
            last = level is grew.levels[-1]
            learns = settings.learns if last else settings.learns[:1]
            plan = measure.Plan(
                attacks.asked(learns, settings.attack_epochs),
                settings.others if last else (),
                last,
                settings.targets,
            )
            name = f"{world.dataset}, gap {level.asked:g}"
            mark = fingerprint(
                environment=packages(),
                variables=jax.tree.leaves(level.variables),
                world=world,
                points=(points.x, points.y, dict(points.groups)),
                plan=plan,
                audited=settings.audited,
                key=key,
            )

            def timed(
                world: World = world, grew: Any = grew, level: Any = level, plan: Any = plan, key: Any = key
            ) -> dict[str, Any]:
                say(f"{world.dataset}, gap {level.asked:g}")
                start = time.perf_counter()
                found = measure.measured(world, grew, level, plan, audited=settings.audited, key=key)
                return {**found, "seconds": time.perf_counter() - start}

            kept = workdir.stage(name, mark, timed)
            seconds[name] = round(kept["seconds"], 2)
            gaps.append(from_json(GapRow, kept["gap"]))
            rows += [from_json(AttackRow, one) for one in kept["attacks"]]
            groups += [from_json(GroupLeak, one) for one in kept["groups"]]
    fitted = lines([one for one in rows if one.explainer in ("none", measure.PLAIN)])
    return Overfitting(
        config=config,
        environment=environment(),
        timings=seconds,
        gaps=gaps,
        attacks=rows,
        lines=fitted,
        groups=groups,
        left_out=left_out,
        claims=claims.of_study(gaps, rows, fitted, groups, left_out),
    )
