"""How fast is exact leave-one-out training, beside refitting scikit-learn without each point?

    python -m experiments.benchmark_records --dataset=adult

times, in one run on one machine, every leave-one-out model of one draw, the influence of all records on all
of them, and --refits warm-started refits of scikit-learn, and prints the ratio per model. On two cores expect
0.2 to 0.5 s for the 2,000 models of adult, and 4 to 20 s for the 1,800 models with 2,048 features of
fashion_mnist.
"""

import functools
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from absl import flags
from sklearn.linear_model import LogisticRegression

from leakjax import data
from leakjax._validate import at_least
from leakjax.influence.exact import Service, influence_chunks
from leakjax.influence.leave_one_out import LeaveOneOut, leave_one_out
from leakjax.influence.logistic import Logistic, fit
from leakjax.records import encode
from leakjax.records.tasks import load_task

from . import _main, records

flags.DEFINE_integer("refits", 20, "How many points scikit-learn is refitted without.")
flags.DEFINE_integer("repeats", 3, "How often the leave-one-out models are timed; the fastest counts.")
for module_flag in ("dataset", "data_dir", "source_dir", "points", "seed", "l2", "pair", "width"):
    flags.declare_key_flag(module_flag)


def timed(function: Callable[[], Any], repeats: int = 1) -> tuple[float, Any]:
    """The shortest of several wall times in seconds, and the last result."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def all_pairs(model: Logistic, without: LeaveOneOut) -> float:
    """The largest influence of any record on any record, computed chunk by chunk."""
    service = Service(model, without, np.arange(len(model.y)))
    chunks = influence_chunks(service, model.x[:, :-1], model.y)
    return max(float(np.abs(part).max()) for _, part in chunks)


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
    pairs, _ = timed(lambda: all_pairs(model, without))
    count, features = model.x.shape
    print(f"{plan.dataset}: {count} points, {features} features with the bias, l2 = {model.l2:g}")
    print(f"full model                     {full:8.3f} s")
    print(
        f"all leave-one-out models       {ours:8.3f} s  {1e3 * ours / count:8.3f} ms each, "
        f"{int(without.converged.sum())} converged, largest gradient norm {without.gradient_norm.max():.1e}"
    )
    print(f"influence of all pairs         {pairs:8.3f} s")
    outs = data.evenly_spaced(min(values.refits, count), count)
    for solver in ("lbfgs", "newton-cholesky"):
        refits = functools.partial(lambda name: [refit(model, name, int(out)) for out in outs], solver)
        theirs, thetas = timed(refits)
        gap = np.abs(np.array(thetas) - without.theta[outs]).max()
        print(
            f"scikit-learn, {solver:16} {theirs:8.3f} s  {1e3 * theirs / len(outs):8.3f} ms each, "
            f"{theirs / len(outs) / (ours / count):.0f} times ours; largest difference {gap:.1e}"
        )
    return _main.DONE


if __name__ == "__main__":
    _main.launch(main, devices=False)
