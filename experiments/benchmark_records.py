"""How fast is exact leave-one-out training, beside its approximation and beside refitting scikit-learn?

    python -m experiments.benchmark_records --dataset=adult

times, in one run on one machine, every leave-one-out model of one draw, the influence of all records on all
of them, the same influences by influence functions (Koh and Liang's conjugate gradients, and the Hessian itself),
and --refits warm-started refits of scikit-learn, and prints the ratio per model. On two cores expect
0.2 to 0.5 s for the 2,000 models of adult, and 4 to 20 s for the 1,800 models with 2,048 features of
fashion_mnist. Processor time stands beside the clock, and is what compares on a busy machine.
"""

import functools
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from sklearn.linear_model import LogisticRegression

from leakjax import data
from leakjax._threads import one_blas_thread
from leakjax._validate import at_least
from leakjax.influence.agreement import agreement
from leakjax.influence.exact import Service, influence_chunks
from leakjax.influence.influence_functions import cross_entropy, influence_functions, probability_loss
from leakjax.influence.leave_one_out import LeaveOneOut, leave_one_out
from leakjax.influence.logistic import Logistic, fit
from leakjax.records import encode
from leakjax.records.compare import linear_logits
from leakjax.records.tasks import load_task

from . import _main, records

flags.DEFINE_integer("refits", 20, "How many points scikit-learn is refitted without.")
flags.DEFINE_integer("repeats", 3, "How often the leave-one-out models are timed; the fastest counts.")
for module_flag in ("dataset", "data_dir", "source_dir", "points", "seed", "l2", "pair", "width"):
    flags.declare_key_flag(module_flag)


class Took(NamedTuple):
    """Seconds by the clock, and of processor time on all cores."""

    clock: float
    processor: float

    def __str__(self) -> str:
        return f"{self.clock:8.3f} s by the clock {self.processor:8.3f} s of processor time"


def timed(function: Callable[[], Any], repeats: int = 1) -> tuple[Took, Any]:
    """The shortest of several times, and the last result."""
    took = []
    for _ in range(repeats):
        start = time.perf_counter(), time.process_time()
        result = function()
        took.append(Took(time.perf_counter() - start[0], time.process_time() - start[1]))
    return min(took, key=lambda one: one.processor), result


def all_pairs(model: Logistic, without: LeaveOneOut) -> np.ndarray:
    """The influence of every record on every record, computed chunk by chunk."""
    service = Service(model, without, np.arange(len(model.y)))
    return np.concatenate([part for _, part in influence_chunks(service, model.x[:, :-1], model.y)])


def approximate(model: Logistic, solver: str) -> tuple[Took, Took, np.ndarray]:
    """The same by influence functions: time of compiling, time of the rest, influences [queries, records]."""
    with jax.enable_x64(True):
        points = jnp.asarray(model.x[:, :-1]), jnp.asarray(model.y, int)
        program = jax.jit(
            lambda theta, points: (
                influence_functions(
                    cross_entropy(linear_logits),
                    theta,
                    points,
                    points,
                    l2=model.l2,
                    query_loss=probability_loss(linear_logits),
                    solver=solver,
                ).influence
            )
        )
        theta = jnp.asarray(model.theta)
        compiling, compiled = timed(lambda: program.lower(theta, points).compile())
        took, found = timed(lambda: np.asarray(compiled(theta, points)))
    return compiling, took, found


def refit(model: Logistic, solver: str, out: int) -> np.ndarray:
    """The parameters without one point by scikit-learn, started at the full model."""
    reference = LogisticRegression(
        C=1 / model.l2, fit_intercept=False, solver=solver, tol=1e-10, max_iter=10_000, warm_start=True
    )
    reference.coef_ = model.theta[None].copy()
    reference.classes_ = np.array([0.0, 1.0])
    return reference.fit(np.delete(model.x, out, 0), np.delete(model.y, out)).coef_[0]


def main(values: flags.FlagValues) -> int:
    """Measures and prints."""
    at_least("refits", values.refits, 1)
    at_least("repeats", values.repeats, 1)
    plan = records.plan_from(values)
    task = load_task(plan, scaling=plan.scaling, data_dir=values.data_dir, source_dir=values.source_dir)
    rows, _ = encode.draw(task, plan.points or len(task.y), key=jax.random.key(plan.seed))
    full, model = timed(lambda: fit(task.x[rows], task.y[rows], l2=plan.l2))
    ours, without = timed(lambda: leave_one_out(model), values.repeats)
    pairs, exact = timed(lambda: all_pairs(model, without))
    count, features = model.x.shape
    print(f"{plan.dataset}: {count} points, {features} features with the bias, l2 = {model.l2:g}")
    print(f"full model                     {full}")
    print(
        f"all leave-one-out models       {ours}  {1e3 * ours.processor / count:8.3f} ms each, "
        f"{int(without.converged.sum())} converged, largest gradient norm {without.gradient_norm.max():.1e}"
    )
    print(f"influence of all pairs         {pairs}")
    for solver in ("cg", "dense"):
        compiling, took, found = approximate(model, solver)
        alike = agreement(found, exact)
        print(
            f"influence functions, {solver:9} {took}  {took.processor / (ours.processor + pairs.processor):.2g} "
            f"times exact, compiled in {compiling.processor:.1f}; correlation {alike.correlation:.3f}"
        )
    outs = data.evenly_spaced(min(values.refits, count), count)
    for solver in ("lbfgs", "newton-cholesky"):
        refits = functools.partial(lambda name: [refit(model, name, int(out)) for out in outs], solver)
        with one_blas_thread():  # threads that wait for each other would count as work
            theirs, thetas = timed(refits)
        gap = np.abs(np.array(thetas) - without.theta[outs]).max()
        each = theirs.processor / len(outs)
        print(
            f"scikit-learn, {solver:16} {theirs}  {1e3 * each:8.3f} ms each, "
            f"{each / (ours.processor / count):.0f} times ours; largest difference {gap:.1e}"
        )
    return _main.DONE


if __name__ == "__main__":
    _main.launch(main, devices=False)
