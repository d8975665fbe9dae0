"""What private training promises of audited models, as a report says it."""

from leakjax import shadow
from leakjax.evaluate.document import PrivateTraining
from leakjax.shadow.private import epsilon


def promise(config: shadow.TrainConfig, points: int, *, delta: float) -> PrivateTraining | None:
    """What training guarantees of every point.

    Args:
      config: how the models were trained.
      points: of the pool that they were trained on.
      delta: the probability that is left out of account.

    Returns:
      The guarantee; None where training was not private.

    Raises:
      UsageError: dp-accounting is not installed.
    """
    if not config.noise_multiplier:
        return None
    spent = epsilon(config, points, delta=delta)
    return PrivateTraining(
        epsilon=spent, delta=delta, noise_multiplier=config.noise_multiplier, clip_norm=config.clip_norm
    )
