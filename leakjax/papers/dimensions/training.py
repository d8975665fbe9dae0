"""The optimiser of the paper's synthetic experiments."""

import dataclasses

import optax

from leakjax import shadow

_TORCH_EPSILON = 1e-10


@dataclasses.dataclass(frozen=True)
class Adagrad(shadow.TrainConfig):
    """Adagrad whose rate at step t is learning_rate / (1 + decay t), its sums of squares started at 0.

    The paper trains with a rate of 0.01 and a decay of 1e-7 for 100 epochs (section 4.4); that is Adagrad as Torch has
    it. optax starts the sums at 0.1, which shortens the first steps several times.

    Attributes:
      decay: of the rate.
    """

    decay: float = 1e-7

    def make_optimizer(self, points: int) -> optax.GradientTransformation:
        """The optimiser. Args: points: of the pool."""
        rate = lambda step: self.learning_rate / (1 + self.decay * step)
        return optax.adagrad(rate, initial_accumulator_value=0.0, eps=_TORCH_EPSILON)
