"""The root-cause analysis: worlds are trained one by one, their settings measured and kept one by one."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from leakjax import models
from leakjax._validate import UsageError
from leakjax._workdir import Workdir
from leakjax._workdir.fingerprint import environment as packages
from leakjax._workdir.fingerprint import fingerprint
from leakjax.auditing.environment import environment
from leakjax.auditing.options import Attacker
from leakjax.auditing.pool import Pool
from leakjax.auditing.rows import Sitting
from leakjax.evaluate.document import LeftOut, from_json, to_json
from leakjax.papers.root_cause import claims, regression
from leakjax.papers.root_cause.document import CaseRow, RootCause
from leakjax.papers.root_cause.measure import RELEASES, measured
from leakjax.papers.root_cause.sweeps import Case, World
from leakjax.papers.world import Training, prepared, sitting_of
from leakjax.shadow.ensemble import OnEpoch
from leakjax.shadow.recipe import of_network

# From a world to its points and background.
Load = Callable[[World], Pool]


@dataclasses.dataclass(frozen=True)
class Settings:
    """What decides how every setting is measured.

    Attributes:
      models: of each world, every one a target in turn.
      audit_points: on how many of the points; None: all.
      label_known: whether the attacker knows the true class.
      seed: of all randomness.
    """

    models: int
    audit_points: int | None
    label_known: bool
    seed: int


def root_cause(
    cases: Sequence[Case],
    load: Load,
    settings: Settings,
    *,
    config: Mapping[str, Any],
    workdir: Workdir,
    say: Callable[[str], None],
    on_epoch: OnEpoch,
) -> RootCause:
    """Measures every setting that the workdir does not hold, and regresses leakage on properties.

    Args:
      cases: the settings, those of one world together.
      load: the points of a world.
      settings: how each is measured.
      config: every setting of the run, for the document.
      workdir: keeps every finished setting.
      say: called with a line when a world begins.
      on_epoch: called after each epoch of training.

    Raises:
      UsageError: a data set that is missing.
    """
    rows: list[CaseRow] = []
    left_out: list[LeftOut] = []
    seconds: dict[str, float] = {}
    for world in dict.fromkeys(case.world for case in cases):
        own = [case for case in cases if case.world == world]
        try:
            trained = _Lazy(world, load(world), settings, workdir, say, on_epoch)
            for case in own:
                say(f"{case.sweep}: {case.setting}")
                kept = _kept(case, trained, workdir)
                row = from_json(CaseRow, kept["row"])
                rows.append(dataclasses.replace(row, **case.named))
                seconds[f"{case.sweep}: {case.setting}"] = round(kept["seconds"], 2)
        except UsageError as error:
            left_out += [LeftOut(name=f"{case.sweep}: {case.setting}", why=str(error)) for case in own]
            say(f"{own[0].sweep}, {own[0].setting} is left out: {error}")
    found = regression.effects(rows, seed=settings.seed)
    checked = regression.checks(rows)
    return RootCause(
        config=config,
        environment=environment(),
        timings=seconds,
        cases=rows,
        trends=regression.trends(rows),
        effects=found,
        checks=checked,
        left_out=left_out,
        claims=claims.of_analysis(found, regression.trends(rows)),
    )


class _Lazy:
    """A world that is trained when its first setting is measured, and not where all are kept."""

    def __init__(
        self,
        world: World,
        pool: Pool,
        settings: Settings,
        workdir: Workdir,
        say: Callable[[str], None],
        on_epoch: OnEpoch,
    ) -> None:
        self.pool, self._world, self._settings = pool, world, settings
        self._workdir, self._say, self._on_epoch = workdir, say, on_epoch
        self._sittings: dict[str, Sitting] = {}
        self._model = models.make(world.model, pool.points.classes)
        points = pool.points
        self.mark = fingerprint(
            environment=packages(),
            model=of_network(self._model, points.x[0]),
            training=world.training,
            points=(points.x, points.y, points.ids),
            settings=settings,
        )

    def sitting(self, explained_class: str) -> Sitting:
        """The sitting in which this class is explained."""
        if explained_class not in self._sittings:
            self._say(f"{self._world.dataset}, {self._world.model}, {self._world.training.epochs} epochs")
            key = jax.random.key(self._settings.seed)
            ready = prepared(
                Training(self._model, self._world.training, self._settings.models, key),
                self.pool,
                Attacker(self._settings.label_known, explained_class, RELEASES),  # type: ignore[arg-type]
                audit_points=self._settings.audit_points,
                workdir=self._workdir,
                say=self._say,
                on_epoch=self._on_epoch,
            )
            self._sittings[explained_class] = sitting_of(ready.subject)
        return self._sittings[explained_class]


def _kept(case: Case, world: _Lazy, workdir: Workdir) -> dict[str, Any]:
    """What was measured; settings of several sweeps that are the same are measured once."""
    measured_as = f"{case.explainer} {case.defense} {case.explained_class}"
    mark = fingerprint(world=world.mark, measured=measured_as)
    return workdir.stage(f"{measured_as} {world.mark[:16]}", mark, lambda: _timed(case, world))


def _timed(case: Case, world: _Lazy) -> dict[str, Any]:
    start = time.perf_counter()
    row = measured(case, world.sitting(case.explained_class), world.pool)
    return {"row": to_json(row), "seconds": time.perf_counter() - start}
