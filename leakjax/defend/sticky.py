"""Sticky release: one answer for all queries of one cell, so that asking again tells nothing more.

What a guarantee of a sticky mechanism covers: the explanation channel alone (not the prediction beside it, nor which
class is explained); any two attributions as neighbours, where its mechanism says so; and as many releases as *distinct
cells* were asked, each of which spends. Repeats inside a cell spend nothing. With noise from a keyed hash it holds
against whoever cannot tell BLAKE2 under a secret key from chance (a computational claim). The secret must outlive
restarts: under a new one every cell answers with fresh noise, and is charged again.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _validate
from leakjax.defend.applied import apply
from leakjax.defend.defense import Defense

_LEAST_SECRET = 16
# Cells are counted in 64-bit integers.
_MOST_CELLS = 2.0**62


class Sticky:
    """The secret and the grid of a service that answers a cell of queries at once.

    Args:
      secret: at least 16 random bytes, kept from everybody and over restarts.
      step: width of a cell along every value of the query, in its unit, above 0.

    Raises:
      UsageError: a short secret, or a step that is not above 0.
    """

    def __init__(self, secret: bytes, step: float) -> None:
        if not isinstance(secret, bytes) or len(secret) < _LEAST_SECRET:
            raise _validate.fail("secret", "...", f"must be at least {_LEAST_SECRET} random bytes")
        _validate.positive("step", step)
        self._secret = hashlib.blake2b(secret).digest()
        self.step = float(step)

    def cell(self, x: Any) -> np.ndarray:
        """The cell of a query: int64, of its shape, the nearest multiple of the step."""
        values = np.asarray(x, np.float64)
        if not np.isfinite(values).all() or np.abs(values).max(initial=0) / self.step > _MOST_CELLS:
            raise _validate.fail("x", "?", "must be finite, and within 2^62 steps of 0")
        return np.rint(values / self.step).astype(np.int64)

    def canonical(self, x: Any) -> jax.Array:
        """The point that is explained in place of a query: the middle of its cell."""
        return jnp.asarray(self.cell(x) * self.step, "float32")

    def bits(self, x: Any, *, about: bytes = b"") -> Callable[[int], bytes]:
        """A source of bytes that is the same for every query of a cell.

        Args:
          x: the query.
          about: what else the answer depends on (the explainer, the explained class): two of them share no noise.

        Returns:
          bits(n) -> the next n bytes: keyed BLAKE2 of the cell and a counter.
        """
        seed = hashlib.blake2b(key=self._secret)
        cell = self.cell(x)
        for part in (repr(cell.shape).encode(), about, np.ascontiguousarray(cell, "<i8").tobytes()):
            seed.update(len(part).to_bytes(8, "little") + part)
        root = seed.digest()
        counter = 0

        def more(count: int) -> bytes:
            nonlocal counter
            blocks = []
            for _ in range(-(-count // 64)):
                blocks.append(hashlib.blake2b(counter.to_bytes(8, "little"), key=root).digest())
                counter += 1
            return b"".join(blocks)[:count]

        return more

    def release(
        self,
        explain: Callable[[jax.Array], jax.Array],
        defense: Defense,
        x: Any,
        *,
        about: bytes = b"",
        sampler: str = "ideal",
    ) -> jax.Array:
        """The one answer of a query's cell.

        Args:
          explain: query -> attribution, deterministic.
          defense: what it passes through.
          x: the query.
          about: as for `bits`.
          sampler: "ideal" or "exact", as for `defend.apply`.

        Returns:
          What may be shown.
        """
        point, source = self.canonical(x), self.bits(x, about=about)
        if sampler == "exact":
            return apply(defense, explain(point), key=None, x=point, sampler=sampler, bits=source)
        words = np.frombuffer(source(16), np.uint32)
        key = jax.random.key(words[0])
        for word in words[1:]:
            key = jax.random.fold_in(key, word)
        return apply(defense, explain(point), key=key, x=point, sampler=sampler)

    def cells_within(self, x: Any, radius: float) -> int:
        """How many cells an edit of a query can reach: as many answers with noise of their own.

        Args:
          x: the query.
          radius: largest change of one value (an edit of that L2 or L1 length reaches no more).

        Returns:
          The number, which grows exponentially with the values that lie near a boundary of their cell.
        """
        _validate.at_least("radius", radius, 0)
        values = np.asarray(x, np.float64)
        counts = self.cell(values + radius) - self.cell(values - radius) + 1
        reached = 1
        for count in counts.ravel():
            reached *= int(count)
        return reached

    def distinct(self, queries: Any) -> int:
        """How many cells a list of queries [queries, ...] asks: the releases that are spent."""
        return len({self.cell(x).tobytes() for x in queries})
