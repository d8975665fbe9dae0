"""How every model of an ensemble is trained: the settings, and the optimiser that they describe."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import optax
from jax import numpy as jnp

from leakjax._validate import at_least, fail, one_of, positive

OPTIMIZERS: Mapping[str, Callable[..., optax.GradientTransformation]] = {
    "adam": optax.adam,
    "sgd": optax.sgd,
    "adagrad": optax.adagrad,
    "rmsprop": optax.rmsprop,
}
_WITH_MOMENTUM = ("sgd", "rmsprop")
SCHEDULES = ("constant", "cosine", "step")
# Before which share of training the learning rate of "step" falls, each time to a tenth: He et al. 2016, section 4.2.
_FALLS = (0.5, 0.75)
PRECISIONS = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """How every model is trained.

    Attributes:
      epochs: passes over a model's points.
      batch_size: points of a step.
      learning_rate: of the optimiser, at the start.
      optimizer: a name in `OPTIMIZERS`.
      momentum: of sgd and rmsprop, in [0, 1).
      weight_decay: coefficient of the L2 penalty, whose gradient weight_decay * weight is added.
      schedule: of the learning rate: constant, cosine (to 0 at the end) or step (to a tenth at one half and
        again at three quarters of all steps).
      label_smoothing: share of a label spread evenly over all classes, in [0, 1).
      flip: whether every other image of a batch, drawn anew each time, is mirrored left to right.
      shift: pixels by which an image of a batch is moved at most, each way; zeros move in.
      stop_at_gap: generalisation gaps (accuracy on a model's own points less that on the pool's others) at
        whose first crossing a model is kept; it ends at the largest. Empty: it trains for all epochs.
      precision: of the network's arithmetic in training, a name in `PRECISIONS`; weights, statistics and
        the optimiser are float32 in any case.
      noise_multiplier: of private training: the noise's standard deviation as a multiple of `clip_norm`.
        0: training is not private. See `leakjax.shadow.private`.
      clip_norm: to which the gradient of each point is clipped in private training, in the 2-norm.
    """

    epochs: int = 50
    batch_size: int = 32
    learning_rate: float = 3e-3
    optimizer: str = "adam"
    momentum: float = 0.0
    weight_decay: float = 0.0
    schedule: str = "constant"
    label_smoothing: float = 0.0
    flip: bool = False
    shift: int = 0
    stop_at_gap: tuple[float, ...] = ()
    precision: str = "float32"
    noise_multiplier: float = 0.0
    clip_norm: float = 1.0

    def __post_init__(self) -> None:
        """Checks every field.

        Raises:
          UsageError: the first field that breaks its rule.
        """
        at_least("epochs", self.epochs, 1)
        at_least("batch_size", self.batch_size, 1)
        positive("learning_rate", self.learning_rate)
        one_of("optimizer", self.optimizer, OPTIMIZERS)
        at_least("weight_decay", self.weight_decay, 0)
        if not 0 <= self.momentum < 1:
            raise fail("momentum", self.momentum, "must be in [0, 1)")
        if self.momentum and self.optimizer not in _WITH_MOMENTUM:
            raise fail("momentum", self.momentum, f"only {' and '.join(_WITH_MOMENTUM)} have momentum")
        one_of("schedule", self.schedule, SCHEDULES)
        if not 0 <= self.label_smoothing < 1:
            raise fail("label_smoothing", self.label_smoothing, "must be in [0, 1)")
        at_least("shift", self.shift, 0)
        if list(self.stop_at_gap) != sorted(set(self.stop_at_gap)):
            raise fail("stop_at_gap", self.stop_at_gap, "must rise from gap to gap")
        for gap in self.stop_at_gap:
            if not 0 < gap < 1:
                raise fail("stop_at_gap", gap, "must be above 0 and below 1")
        one_of("precision", self.precision, PRECISIONS)
        at_least("noise_multiplier", self.noise_multiplier, 0)
        positive("clip_norm", self.clip_norm)
        if self.noise_multiplier and self.stop_at_gap:
            rule = "chooses by the data when to stop, which no epsilon covers; train privately without it"
            raise fail("stop_at_gap", self.stop_at_gap, rule)

    def steps(self, points: int) -> int:
        """Steps of an epoch over a pool of `points`, of which a model has about half.

        It follows from the size of the pool alone, so that models stay in step.
        """
        return max(1, round(points / 2 / self.batch_size))

    def make_optimizer(self, points: int) -> optax.GradientTransformation:
        """The optimiser that the fields describe.

        Args:
          points: of the pool, which decide when a schedule ends.

        Returns:
          The optimiser, its L2 penalty included.
        """
        steps = self.epochs * self.steps(points)
        rate: Any = self.learning_rate
        if self.schedule == "cosine":
            rate = optax.cosine_decay_schedule(self.learning_rate, steps)
        if self.schedule == "step":
            falls = {round(share * steps): 0.1 for share in _FALLS}
            rate = optax.piecewise_constant_schedule(self.learning_rate, falls)
        momentum = {"momentum": self.momentum} if self.momentum else {}
        optimizer = OPTIMIZERS[self.optimizer](rate, **momentum)
        return optax.chain(optax.add_decayed_weights(self.weight_decay), optimizer)
