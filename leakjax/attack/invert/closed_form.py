"""Inputs in closed form from one explanation of a model whose weights are known.

A linear model's input x gradient is its weights times the input: one division. The gradient of a network with one
hidden layer of tanh units gives the magnitude of every hidden activation, and leaves its sign to what the attacker
expects of inputs.
"""

from typing import NamedTuple

import numpy as np

from leakjax._validate import fail
from leakjax.attack.invert.prior import Prior

KNOWS = "one explanation, the predicted class, the weights, and a Gaussian of each class from public data"
_LARGEST = 3.0  # of |pre-activation|: beyond it tanh' is rounding
_SWEEPS = 60


class TanhNetwork(NamedTuple):
    """A network x -> tanh(x W + b) V + c.

    Attributes:
      hidden: W [features, units].
      bias: b [units].
      out: V [units, classes].
    """

    hidden: np.ndarray
    bias: np.ndarray
    out: np.ndarray


def linear_input(explanation: np.ndarray, weights: np.ndarray, prior: Prior | None = None) -> np.ndarray:
    """The input of a linear model from its input x gradient: x = e / w.

    Args:
      explanation: [features].
      weights: [features], of the explained class.
      prior: gives the value where a weight is 0; None: 0 stands there.

    Returns:
      [features].
    """
    weights = np.asarray(weights, np.float64)
    open_ = np.abs(weights) < 1e-12
    found = np.asarray(explanation, np.float64) / np.where(open_, 1.0, weights)
    return np.where(open_, 0.0 if prior is None else prior.mean, found)


def magnitudes(gradient: np.ndarray, network: TanhNetwork, explained: int) -> np.ndarray:
    """|pre-activation| of every hidden unit, from the gradient of a logit.

    Args:
      gradient: [features].
      network: with at most as many units as features.
      explained: whose logit.

    Returns:
      [units], at most 3: what is larger cannot be told apart.

    Raises:
      UsageError: more units than features.
    """
    features, units = network.hidden.shape
    if units > features:
        raise fail("units", units, f"must be at most {features}, the features: one gradient holds no more")
    slopes = np.linalg.pinv(network.hidden) @ np.asarray(gradient, np.float64)
    squared = 1 - slopes / network.out[:, explained]
    return np.arctanh(np.sqrt(np.clip(squared, 0.0, np.tanh(_LARGEST) ** 2)))


def tanh_input(
    gradient: np.ndarray,
    network: TanhNetwork,
    explained: int,
    prior: Prior,
    *,
    error: float = 1e-6,
    starts: int = 16,
    seed: int = 0,
    signs: np.ndarray | None = None,
) -> np.ndarray:
    """The most probable input of a tanh network that has a gradient.

    Args:
      gradient: [features], of the explained class's logit.
      network: its weights.
      explained: the class.
      prior: of inputs of that class.
      error: standard deviation of what a guard adds to each value of the gradient: of rounding to a step, 0.29 steps.
      starts: first guesses of the signs: the prior's mean, then draws of it.
      seed: of the draws.
      signs: [units], the signs themselves: the ceiling that no search can beat. None: they are searched for.

    Returns:
      [features].
    """
    size = magnitudes(gradient, network, explained)
    centre = prior.mean @ network.hidden + network.bias
    spread = network.hidden.T @ prior.covariance @ network.hidden
    # Where tanh is flat, or the unit counts little, a magnitude is known less well.
    steep = 2 * np.abs(network.out[:, explained]) * np.tanh(size) / np.cosh(size) ** 2
    of_slope = error * np.sqrt((np.linalg.pinv(network.hidden) ** 2).sum(axis=1))
    unsure = np.minimum(of_slope / np.maximum(steep, 1e-9), _LARGEST)
    unsure += 1e-4 * np.cosh(size) ** 2 + np.where(size >= _LARGEST - 1e-9, 1.0, 0.0)
    precision = np.linalg.inv(spread + np.diag(unsure**2))
    if signs is None:
        signs = _signs(size, centre, spread, precision, starts, seed)
    gain = prior.covariance @ network.hidden @ precision
    return prior.mean + gain @ (np.sign(signs) * size - centre)


def _signs(
    size: np.ndarray, centre: np.ndarray, spread: np.ndarray, precision: np.ndarray, starts: int, seed: int
) -> np.ndarray:
    """The signs s that make s x size most probable: flipped one by one while that helps, from all starts at once."""
    generator = np.random.default_rng(seed)
    root = np.linalg.cholesky(spread + 1e-9 * np.trace(spread) * np.eye(len(spread)))
    drawn = centre + generator.standard_normal((max(starts - 1, 0), len(size))) @ root.T
    signs = np.where(np.concatenate([centre[None], drawn]) >= 0, 1.0, -1.0)
    left = signs * size - centre  # [starts, units]
    push = left @ precision
    every = np.arange(len(signs))
    for _ in range(_SWEEPS * len(size)):
        # What flipping unit j changes in the quadratic form left' P left.
        change = -2 * signs * size
        gains = 2 * change * push + change**2 * precision.diagonal()
        unit = gains.argmin(axis=1)
        step = np.where(gains[every, unit] < -1e-9, change[every, unit], 0.0)
        if not step.any():
            break
        left[every, unit] += step
        push += step[:, None] * precision[unit]
        signs[every, unit] *= np.where(step, -1.0, 1.0)
    return signs[np.einsum("su,su->s", left, push).argmin()]
