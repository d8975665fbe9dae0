"""What a network is made of, as types: functions of variables and examples."""

from collections.abc import Mapping
from typing import Any, Protocol

import jax

Variables = Mapping[str, Any]  # "params" is what the optimiser moves; every other collection is statistics


class LogitsFn(Protocol):
    """A model as every study sees it: one example in, logits out, in evaluation mode; traceable by JAX."""

    def __call__(self, variables: Any, x: jax.Array, /) -> jax.Array:
        """The logits of ONE example.

        Args:
          variables: of one model, any tree of arrays.
          x: one example [...], floating.

        Returns:
          [classes], unnormalised: probabilities would be softmaxed once more.
        """


class Init(Protocol):
    """Draws the variables of a new network."""

    def __call__(self, key: jax.Array, x: jax.Array, /) -> Variables:
        """The variables of one network.

        Args:
          key: a typed key, of this network alone.
          x: ONE example [...], whose shape and type are looked at.
        """


class TrainFn(Protocol):
    """The network in training mode."""

    def __call__(self, variables: Variables, x: jax.Array, key: jax.Array, /) -> tuple[jax.Array, Variables]:
        """The logits of a batch, and the variables with what it changed.

        Args:
          variables: of one network.
          x: [batch, ...].
          key: a typed key, of this step alone.

        Returns:
          Logits [batch, classes], and the variables with updated statistics.
        """
