"""Multinomial logistic regression."""

from leakjax.models.mlp import mlp
from leakjax.models.model import Model
from leakjax.models.registry import registered


@registered
def logistic(classes: int) -> Model:
    """Multinomial logistic regression: the perceptron without a hidden layer.

    Args:
      classes: number of logits, at least 2.

    Returns:
      The model; examples of any shape are flattened.

    Raises:
      UsageError: fewer than two classes.
    """
    return mlp(classes, widths=())
