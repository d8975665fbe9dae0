"""Small networks, each as three pure functions."""

from collections.abc import Callable, Mapping

from leakjax.models.cnn import cnn
from leakjax.models.logistic import logistic
from leakjax.models.mlp import mlp
from leakjax.models.model import Model, from_flax

MODELS: Mapping[str, Callable[..., Model]] = {"mlp": mlp, "cnn": cnn, "logistic": logistic}

__all__ = ["MODELS", "Model", "cnn", "from_flax", "logistic", "mlp"]
