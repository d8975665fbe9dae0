"""A user's own network written with flax.nnx."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
from flax import nnx

from leakjax.models.model import Model, Variables


def from_nnx(make: Callable[[nnx.Rngs], nnx.Module]) -> Model:
    """Makes a `Model` of a flax.nnx module, with or without batch statistics and dropout.

    Args:
      make: builds the module, which maps a batch [batch, ...] to logits [batch, classes]. It is called with
        fresh `nnx.Rngs` for each model of an ensemble; the module's mode is set by `train()` and `eval()`.

    Returns:
      The model; its variables are nested dicts, "params" what the optimiser moves. Dropout draws from the
      key that `train_fn` gets.
    """

    def build(key: jax.Array) -> nnx.Module:
        return make(nnx.Rngs(key))

    def split(module: nnx.Module) -> tuple[Any, Any, Any, Any]:
        """The module's structure, its streams of random numbers, its parameters, all else."""
        return nnx.split(module, nnx.RngState, nnx.Param, ...)  # type: ignore[return-value]

    structure, _, all_params, all_statistics = split(nnx.eval_shape(lambda: build(jax.random.key(0))))

    def module_of(variables: Mapping[str, Any], key: jax.Array) -> nnx.Module:
        # A fresh module's streams of random numbers come from the key; all else is put back.
        _, streams, _, _ = split(build(key))
        params = _filled(all_params, variables["params"])
        return nnx.merge(structure, streams, params, _filled(all_statistics, variables.get("statistics", {})))

    def variables_of(module: nnx.Module) -> Variables:
        _, _, params, statistics = split(module)
        found = {"params": nnx.to_pure_dict(params), "statistics": nnx.to_pure_dict(statistics)}
        return {name: tree for name, tree in found.items() if tree or name == "params"}

    def init(key: jax.Array, x: jax.Array) -> Variables:
        del x  # a module of nnx knows its shapes
        return variables_of(build(key))

    def train_fn(variables: Variables, x: jax.Array, key: jax.Array) -> tuple[jax.Array, Variables]:
        module = module_of(variables, key)
        module.train()
        return module(x), variables_of(module)

    def logits_fn(variables: Variables, x: jax.Array) -> jax.Array:
        # Nothing is drawn in evaluation mode: any key will do.
        module = module_of(variables, jax.random.key(0))
        module.eval()
        return module(x[None])[0]

    return Model(init, train_fn, logits_fn)


def _filled(state: Any, tree: Mapping[str, Any]) -> Any:
    """A copy of a state with the numbers of a pure dict."""
    filled = jax.tree.map(lambda leaf: leaf, state)
    nnx.replace_by_pure_dict(filled, dict(tree))
    return filled
