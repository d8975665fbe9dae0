"""Networks, each as three pure functions."""

from leakjax import _spec
from leakjax.models.cnn import cnn
from leakjax.models.logistic import logistic
from leakjax.models.mlp import mlp
from leakjax.models.model import Model, from_flax
from leakjax.models.nnx import from_nnx
from leakjax.models.registry import MODELS, make, registered

__all__ = ["MODELS", "Model", "cnn", "from_flax", "from_nnx", "logistic", "make", "mlp", "registered"]

_spec.discover(__name__)
