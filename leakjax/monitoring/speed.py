"""How many queries a second one core passes through the monitors."""

import time

import jax
import numpy as np
from jax import numpy as jnp

from leakjax._validate import at_least
from leakjax.monitor import Monitor, any_of, monitors_for, run
from leakjax.monitoring.document import SpeedRow

QUERIES = 2000
REPEATS = 5


def measure(features: int, *, queries: int = QUERIES, repeats: int = REPEATS) -> list[SpeedRow]:
    """Times each detector, and those of one account together, on one stream of records with a little noise.

    Args:
      features: of a query.
      queries: of the stream.
      repeats: how often; the fastest counts, in the processor time of all threads.

    Returns:
      A row for each.

    Raises:
      UsageError: a number below 1.
    """
    for name, value in (("features", features), ("queries", queries), ("repeats", repeats)):
        at_least(name, value, 1)
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(600, 20)) @ generator.normal(size=(20, features)) / 10
    points = (centres + 0.02 * generator.normal(size=centres.shape)).astype(np.float32)
    stream = points[generator.integers(0, len(points), queries)]
    stream += 0.01 * generator.normal(size=stream.shape).astype(np.float32)
    monitors = monitors_for(points, noise=0.02)
    together = any_of([one for one in monitors.values() if not one.shared])
    named = {**monitors, "any_of_an_account": together}
    return [
        SpeedRow(
            detector=name, features=features, updates=queries / _seconds(one, jnp.asarray(stream), repeats)
        )
        for name, one in named.items()
    ]


def _seconds(monitor: Monitor, stream: jax.Array, repeats: int) -> float:
    program = jax.jit(lambda stream: run(monitor, stream)[1])
    program(stream).block_until_ready()
    found = []
    for _ in range(repeats):
        start = time.process_time()
        program(stream).block_until_ready()
        found.append(time.process_time() - start)
    return min(found)
