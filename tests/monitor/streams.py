"""Streams of queries that the tests of this room share, and records that are clearly apart."""

import numpy as np


def records(count, features=12, seed=0):
    """Records in [0, 1] that are some 0.3 apart at least."""
    generator = np.random.default_rng(seed)
    return generator.random((count, features)).astype(np.float32)


def stream(queries=150, features=12, seed=1):
    """What one account may ask: new records, slight changes of earlier queries, repeats and walks along lines."""
    generator = np.random.default_rng(seed)
    asked = [generator.random(features)]
    for _ in range(queries - 1):
        kind = generator.integers(4)
        earlier = asked[generator.integers(max(len(asked) - 40, 0), len(asked))]
        if kind == 0:
            asked.append(generator.random(features))
        elif kind == 1:
            asked.append(earlier + 0.04 * generator.normal(size=features))
        elif kind == 2:
            asked.append(earlier)
        else:
            asked.append(asked[-1] + 0.05 * np.eye(features)[generator.integers(features)])
    return np.array(asked, np.float32)
