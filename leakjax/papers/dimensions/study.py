"""The study of dimensions: settings are trained, measured and kept one by one."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax

from leakjax import data, models
from leakjax._workdir import Workdir
from leakjax._workdir.fingerprint import environment as packages
from leakjax._workdir.fingerprint import fingerprint
from leakjax.auditing.environment import environment
from leakjax.auditing.options import Attacker
from leakjax.auditing.pool import Pool
from leakjax.auditing.rows import Sitting
from leakjax.evaluate.document import LeftOut, from_json, to_json
from leakjax.papers.dimensions import claims, measure, sampled
from leakjax.papers.dimensions.document import DimensionRow, Dimensions, SampledRow
from leakjax.papers.dimensions.measure import Case
from leakjax.papers.dimensions.training import Adagrad
from leakjax.papers.world import Training, prepared, sitting_of
from leakjax.shadow.ensemble import OnEpoch


@dataclasses.dataclass(frozen=True)
class Settings:
    """What decides how every setting is measured.

    Attributes:
      training: how models are trained.
      points: of each pool.
      models: of each setting, each a repetition.
      sampled: whether explanations made of samples are attacked.
      sampled_points: of the pool on which explanations made of samples are attacked.
      sampled_features: of its points.
      sampled_models: on it, each a target in turn.
      sampled_audited: on how many of its points.
      sigmas: of SmoothGrad, in standard deviations of a feature.
      samples: of SmoothGrad.
      seed: of all randomness.
    """

    training: Adagrad
    points: int
    models: int
    sampled: bool
    sampled_points: int
    sampled_features: int
    sampled_models: int
    sampled_audited: int
    sigmas: tuple[float, ...]
    samples: tuple[int, ...]
    seed: int


def cases(
    features: Sequence[int], classes: Sequence[int], sizes: Sequence[str]
) -> tuple[list[Case], list[LeftOut]]:
    """The settings that can be made, and the others with their reason: a class needs a vertex of the cube.

    Args:
      features: numbers of features.
      classes: numbers of classes.
      sizes: of the network.
    """
    listed = [Case(n, k, size) for size in sizes for k in classes for n in features]
    made = [case for case in listed if case.classes <= 2**case.features]
    left_out = [
        LeftOut(
            name=case.name,
            why=f"a cube of {case.features} features has fewer vertices than {case.classes} classes",
        )
        for case in listed
        if case not in made
    ]
    return made, left_out


def dimensions(
    listed: Sequence[Case],
    left_out: Sequence[LeftOut],
    settings: Settings,
    *,
    config: Mapping[str, Any],
    workdir: Workdir,
    say: Callable[[str], None],
    on_epoch: OnEpoch,
) -> Dimensions:
    """Measures every setting that the workdir does not hold.

    Args:
      listed: settings, from `cases`.
      left_out: likewise.
      settings: how each is measured.
      config: every setting of the run, for the document.
      workdir: keeps every finished setting.
      say: called with a line when a setting begins.
      on_epoch: called after each epoch of training.
    """
    seconds: dict[str, float] = {}

    def kept(cls: type, name: str, mark: str, compute: Callable[[], Any]) -> Any:
        def timed() -> dict[str, Any]:
            say(name)
            start = time.perf_counter()
            return {"row": to_json(compute()), "seconds": time.perf_counter() - start}

        found = workdir.stage(name, mark, timed)
        seconds[name] = round(found["seconds"], 2)
        return from_json(cls, found["row"])

    rows: list[DimensionRow] = []
    for case in listed:
        decides = {"points": settings.points, "repeats": settings.models, "seed": settings.seed}
        mark = fingerprint(environment=packages(), case=case, training=settings.training, **decides)
        rows.append(
            kept(
                DimensionRow,
                case.name,
                mark,
                partial(measure.measured, case, settings.training, **decides, on_epoch=on_epoch),
            )
        )
    world = _Lazy(settings, workdir, say, on_epoch)
    shown: list[SampledRow] = []
    for one in sampled.explanations(settings.sigmas, settings.samples) if settings.sampled else ():
        mark = fingerprint(environment=packages(), one=one, settings=settings)
        shown.append(
            kept(
                SampledRow,
                one.text,
                mark,
                partial(_explained, one, world),
            )
        )
    return Dimensions(
        config=config,
        environment=environment(),
        timings=seconds,
        rows=rows,
        sampled=shown,
        left_out=list(left_out),
        claims=claims.of_study(rows, shown, epochs=settings.training.epochs),
    )


def _explained(one: sampled.Sampled, world: "_Lazy") -> SampledRow:
    return sampled.measured(one, world.sitting())


class _Lazy:
    """The models whose explanations are sampled, trained when the first is asked for."""

    def __init__(
        self, settings: Settings, workdir: Workdir, say: Callable[[str], None], on_epoch: OnEpoch
    ) -> None:
        self._settings, self._workdir, self._say, self._on_epoch = settings, workdir, say, on_epoch
        self._sitting: Sitting | None = None

    def sitting(self) -> Sitting:
        """Their predictions, attacked alone."""
        if self._sitting is None:
            own = self._settings
            points = data.load(
                "synthetic", points=own.sampled_points, features=own.sampled_features, seed=own.seed
            )
            training = Training(
                models.make("synthetic", points.classes),
                own.training,
                own.sampled_models,
                jax.random.key(own.seed),
            )
            ready = prepared(
                training,
                Pool(points, None),
                Attacker(True, "predicted", sampled.RELEASES),
                audit_points=own.sampled_audited,
                workdir=self._workdir,
                say=self._say,
                on_epoch=self._on_epoch,
            )
            self._sitting = sitting_of(ready.subject)
        return self._sitting
