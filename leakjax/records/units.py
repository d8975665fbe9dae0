"""The units of work of a study: each is measured alone, and kept as soon as it is."""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import jax

from leakjax._workdir.fingerprint import environment, fingerprint
from leakjax.records import compare, encode, study
from leakjax.records.encode import Task
from leakjax.records.network import Effort
from leakjax.records.plan import PARTS, Plan

REPEATS = 3  # draws of the parts whose means need fewer than the paper's ten
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)  # of the sweep
SWEPT = ("zscore", "minmax")
NETWORK_PENALTIES = (1.0, 5.0)  # a network that memorises, and one that does not


@dataclasses.dataclass(frozen=True)
class Unit:
    """One measurement.

    Attributes:
      part: The part of the study, a name in PARTS.
      number: Its place among the units of that part, from 0.
      effort: About how long it takes, in draws of the same task; for the time left alone.
      measure: Gives the result, which JSON can hold.
      stage: The name under which the result is kept: the part, and what tells the unit from others of it.
      fingerprint: Of everything that decides the result.
    """

    part: str
    number: int
    effort: float
    measure: Callable[[], dict[str, Any]]
    stage: str
    fingerprint: str

    @property
    def name(self) -> str:
        """As shown to people."""
        return f"{self.part} {self.number}"


def units_of(plan: Plan, load: Callable[[str], Task]) -> tuple[Unit, ...]:
    """Every unit of a plan, in the order of its parts.

    Args:
      plan: Of the study.
      load: The task with its continuous features scaled, by the name of a scaling.

    Raises:
      UsageError: More training records than the task has points.
    """
    measure = _Measurements(plan, load)
    encode.check_count("points", measure.points, measure.task)
    if "network" in plan.parts:
        encode.check_count("network_points", plan.network_points, measure.task)
    some = range(min(REPEATS, plan.draws))
    size = len(measure.task.y)
    sizes = [n for n in (measure.points * f // 8 for f in (1, 2, 4, 8, 16)) if 10 < n <= size]
    settings = [(scaling, l2) for scaling in SWEPT for l2 in PENALTIES]
    calls: dict[str, list[tuple[float, Callable[..., dict[str, Any]], tuple[Any, ...]]]] = {
        "draws": [(1, measure.draw, (i,)) for i in range(plan.draws)],
        "defenses": [(25, measure.defenses, (i,)) for i in some],
        "approximations": [(3, measure.approximations, (0,))],
        "network": [(25, measure.network, (0, l2)) for l2 in NETWORK_PENALTIES],
        "sweep": [(0.6, measure.setting, (i, *each)) for each in settings for i in some],
        "sizes": [(0.5 * (n / measure.points) ** 2, measure.size, (i, n)) for n in sizes for i in some],
    }
    marks = _marks(plan, load)
    return tuple(
        Unit(
            part,
            number,
            effort,
            partial(call, *arguments),
            stage=" ".join(map(str, (part, *arguments))),
            fingerprint=fingerprint(part=marks[part], arguments=arguments),
        )
        for part in plan.parts
        for number, (effort, call, arguments) in enumerate(calls[part])
    )


def _marks(plan: Plan, load: Callable[[str], Task]) -> dict[str, str]:
    """For each part the fingerprint of what decides all of its units.

    Which parts there are beside it and how many draws decides none of them, nor does the name of the data set.
    """
    settings = dataclasses.replace(plan, dataset="", parts=PARTS, draws=1)
    return {
        part: fingerprint(
            part=part,
            environment=environment(),
            settings=settings,
            tasks=[load(scaling)._replace(name="") for scaling in (plan.scaling, *_scalings(part))],
        )
        for part in plan.parts
    }


def _scalings(part: str) -> tuple[str, ...]:
    """The scalings beside the plan's own that a part compares."""
    return SWEPT if part == "sweep" else ()


class _Measurements:
    """What is measured of one draw, for each part of a study."""

    def __init__(self, plan: Plan, load: Callable[[str], Task]):
        self.plan, self.load = plan, load
        self.task = load(plan.scaling)
        self.points = plan.points or len(self.task.y) // 2

    def key(self, index: int) -> jax.Array:
        return jax.random.fold_in(jax.random.key(self.plan.seed), index)

    def drawn(self, index: int) -> study.Draw:
        return study.make_draw(self.task, self.points, l2=self.plan.l2, key=self.key(index))

    def draw(self, index: int) -> dict[str, Any]:
        plan, task, drawn = self.plan, self.task, self.drawn(index)
        return {
            "membership": study.revealing(task, drawn, loss=plan.loss),
            "static": study.static(task, drawn, queries=plan.queries, loss=plan.loss),
            "graph": study.graph(drawn, k=plan.k, walks=plan.walks, loss=plan.loss),
            "subspace": study.subspace(drawn, oracles=plan.oracles, loss=plan.loss, threshold=plan.threshold),
        }

    def defenses(self, index: int) -> dict[str, Any]:
        plan = self.plan
        return study.defenses(
            self.task,
            self.drawn(index),
            k=plan.k,
            queries=plan.queries,
            loss=plan.loss,
            threshold=plan.threshold,
        )

    def approximations(self, index: int) -> dict[str, Any]:
        drawn = self.drawn(index)
        some = drawn.outside[:200]
        return compare.compare_linear(drawn.service, self.task.x[some], self.task.y[some])

    def network(self, index: int, l2: float) -> dict[str, Any]:
        plan, key = self.plan, self.key(index)
        rows, others = encode.draw(self.task, plan.network_points, key=key)
        return compare.compare_network(
            self.task,
            rows,
            others,
            training=compare.Training(l2),
            effort=Effort(k=min(plan.k, len(rows)), queries=plan.queries),
            loss=plan.loss,
            key=key,
        )

    def setting(self, index: int, scaling: str, l2: float) -> dict[str, Any]:
        drawn = study.make_draw(self.load(scaling), self.points, l2=l2, key=self.key(index))
        name = f"{scaling}, lambda = {l2 / self.points:g}"
        return {"setting": name, **study.brief(drawn, k=self.plan.k, loss=self.plan.loss)}

    def size(self, index: int, points: int) -> dict[str, Any]:
        drawn = study.make_draw(self.task, points, l2=self.plan.l2, key=self.key(index))
        return {"points": points, **study.brief(drawn, k=self.plan.k, loss=self.plan.loss)}
