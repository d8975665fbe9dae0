"""Questions in the coordinates of an affine subspace that an attacker narrows one hyperplane at a time.

The subspace may hold, instead of queries, what an oracle makes of them: images of its axes under every leave-one-out
model. A query then costs one addition per record instead of one product per feature.
"""

from collections.abc import Callable

import numpy as np
from scipy.linalg.blas import dger

from leakjax.records.answer import Answer, joined


class Subspace:
    """An affine map of coordinates u [axes] to origin + u rows, narrowed one hyperplane at a time."""

    def __init__(self, origin: np.ndarray, rows: np.ndarray):
        """Maps u to origin [images] + u @ rows [axes, images]."""
        self.origin, self.rows = np.array(origin, np.float64), np.array(rows, np.float64, order="C")

    def at(self, u: np.ndarray) -> np.ndarray:
        """The images [queries, images] of u [queries, axes]."""
        return self.origin + u @ self.rows

    def along(self, image: np.ndarray, axes: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """The image [images] of a point, moved by one step along one axis each: [len(axes), images].

        The axes must be in ascending order.
        """
        whole = len(axes) == axes[-1] - axes[0] + 1  # neighbours need no copy
        images = (self.rows[axes[0] : axes[-1] + 1] if whole else self.rows[axes]) * steps[:, None]
        images += image
        return images

    def restrict(self, reflector: np.ndarray, first: float) -> None:
        """Reflects the coordinates by I - 2 v v^T and fixes the first one; one axis fewer remains."""
        dger(-2.0, reflector @ self.rows, reflector, a=self.rows.T, overwrite_a=1)
        self.origin = self.origin + first * self.rows[0]
        self.rows = self.rows[1:]


class Frame:
    """Queries in the coordinates of a shrinking affine subspace of the query space."""

    def __init__(self, space: Subspace, answer: Callable[[np.ndarray], Answer]):
        """Asks `answer` for the images under `space`."""
        self._space, self._answer = space, answer

    @property
    def axes(self) -> int:
        """The dimension of the subspace."""
        return len(self._space.rows)

    def ask(self, u: np.ndarray) -> Answer:
        """The answers at u [queries, axes]."""
        return self._answer(self._space.at(u))

    def probe(self, u: np.ndarray, axes: np.ndarray, steps: np.ndarray) -> Answer:
        """The answers at u [axes] moved by one step along one (ascending) axis each: [len(axes)] queries."""
        # Blocks that fit the cache: several passes over the images of all records, one over memory.
        image = self._space.at(u)
        return joined(
            [
                self._answer(self._space.along(image, axes[low : low + 64], steps[low : low + 64]))
                for low in range(0, len(axes), 64)
            ]
        )

    def restrict(self, reflector: np.ndarray, first: float) -> None:
        """Narrows the subspace; see Subspace.restrict."""
        self._space.restrict(reflector, first)
