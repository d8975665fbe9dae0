"""Differentially private training: real Poisson sampling, gradients clipped one by one, noise of each model's own."""

import importlib
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import jax
from jax import numpy as jnp

from leakjax._validate import UsageError, fail
from leakjax.models.model import Variables
from leakjax.shadow.config import TrainConfig

PyTree = Any


def padded(points: int, batch_size: int) -> int:
    """Rows of a batch by Poisson sampling: none is ever left out.

    Args:
      points: of the pool.
      batch_size: points expected in a batch where a model has half of the pool.
    """
    # Eight standard deviations above the mean of a model that has all points.
    mean = 2 * batch_size
    return min(points, math.ceil(mean + 8 * math.sqrt(mean) + 8))


def sampled_rows(
    membership: jax.Array, steps: int, batch_size: int, key: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Poisson sampling: each of a model's points is in the batch with probability 1 / steps, independently.

    Args:
      membership: whether the model has the point, bool [points].
      steps: of an epoch.
      batch_size: points expected in a batch where a model has half of the pool.
      key: of this step.

    Returns:
      Row numbers of a batch padded to a fixed size, and whether each is in it, [size].
    """
    drawn = membership & jax.random.bernoulli(key, 1 / steps, membership.shape)
    inside, rows = jax.lax.top_k(drawn.astype(jnp.float32), padded(len(membership), batch_size))
    return rows, inside > 0


def check(config: TrainConfig, variables: Variables) -> None:
    """Raises UsageError where a network's statistics would look at other points than the clipped gradient does."""
    if config.noise_multiplier and set(variables) != {"params"}:
        raise fail(
            "noise_multiplier",
            config.noise_multiplier,
            "a network with statistics of the batch cannot be trained privately; use norm='group'",
        )


def private_gradient(
    loss_of_one: Callable[[PyTree, jax.Array, jax.Array], tuple[jax.Array, jax.Array]],
    config: TrainConfig,
    params: PyTree,
    rows: jax.Array,
    inside: jax.Array,
    key: jax.Array,
) -> tuple[PyTree, jax.Array, jax.Array]:
    """The mean of clipped gradients, with noise (Abadi et al. 2016).

    Args:
      loss_of_one: of the parameters, one row in an array [1] and a key: its loss, and whether it is right.
      config: how to train.
      params: to differentiate by.
      rows: of the padded batch [size].
      inside: which are in the batch [size].
      key: of this step of this model. The privatizer is made here, inside the vmap over models: one that
        is made outside and started inside gives all models the same noise.

    Returns:
      The gradient, the mean loss and the accuracy; only the first is private.
    """
    clipping, noise = _library("jax_privacy.clipping"), _library("jax_privacy.noise_addition")
    noise_key, loss_key = jax.random.split(key)

    def weighted(
        params: PyTree, row: jax.Array, weight: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        loss, hit = loss_of_one(params, row, key)
        return loss * weight[0], hit * weight[0]

    gradient_of = clipping.clipped_grad(
        weighted,
        has_aux=True,
        l2_clip_norm=config.clip_norm,
        batch_argnums=(1, 2),
        return_values=True,
        prng_argnum=3,
    )
    weights = inside.astype(jnp.float32)
    total, aux = gradient_of(params, rows, weights, loss_key)
    privatizer = noise.gaussian_privatizer(
        stddev=config.clip_norm * config.noise_multiplier, prng_key=noise_key
    )
    noisy, _ = privatizer.update(total, privatizer.init(params))
    # By the expected size: the true one is a secret.
    gradient = jax.tree.map(lambda leaf: leaf / config.batch_size, noisy)
    count = jnp.maximum(weights.sum(), 1)
    return gradient, aux.values.sum() / count, aux.aux.sum() / count


def epsilon(config: TrainConfig, points: int, *, delta: float = 1e-5) -> float:
    """What training guarantees of each model: epsilon for one point more or less, by the privacy loss distribution.

    Args:
      config: how it was trained.
      points: of the pool.
      delta: the probability that is left out of account.

    Returns:
      Epsilon; infinite without noise.

    Raises:
      UsageError: dp-accounting is not installed.
    """
    if not config.noise_multiplier:
        return math.inf
    accounting, pld = _library("dp_accounting"), _library("dp_accounting.pld.pld_privacy_accountant")
    steps = config.steps(points)
    event = accounting.PoissonSampledDpEvent(1 / steps, accounting.GaussianDpEvent(config.noise_multiplier))
    accountant = pld.PLDAccountant(accounting.NeighboringRelation.ADD_OR_REMOVE_ONE)
    return float(accountant.compose(event, config.epochs * steps).get_epsilon(delta))


def _library(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UsageError(f"private training needs {error.name}: pip install 'leakjax[private]'") from None
