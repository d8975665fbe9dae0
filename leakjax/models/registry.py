"""Networks by name with options: mlp(widths=(128, 64)); each is registered where it is defined."""

from collections.abc import Callable
from typing import Any, TypeVar

from leakjax import _spec, _validate
from leakjax.models.model import Model

_WHAT = "model"
# What the audit passes to a factory, and text may not.
_GIVEN = ("classes",)
# What others call our networks, for hints alone.
_ALIASES = {
    "convnet": "cnn",
    "dense": "mlp",
    "linear": "logistic",
    "logisticregression": "logistic",
    "multilayerperceptron": "mlp",
    "perceptron": "mlp",
}

MODELS: _spec.Registry[Callable[..., Model]] = _spec.Registry(_WHAT, _ALIASES)

Factory = TypeVar("Factory", bound=Callable[..., Model])


def registered(factory: Factory) -> Factory:
    """Registers the factory below it, `factory(classes, **options) -> Model`, and gives it back as it is."""
    MODELS.add(factory.__name__, factory)
    return factory


def make(text: str, classes: int, **options: Any) -> Model:
    """The network that a text names.

    Args:
      text: "mlp", "mlp(widths=(128, 64))" or a user's own "package.module:name(...)".
      classes: number of logits.
      **options: further options of the network.

    Returns:
      The model.

    Raises:
      UsageError: an unknown name, an option that the network does not take or refuses.
    """
    call = _spec.read(_WHAT, text).also(_WHAT, options)
    factory = MODELS.find(call.name)
    model = factory(classes, **_spec.bind(_WHAT, call, factory, given=_GIVEN))
    if not isinstance(model, Model):
        raise _validate.fail(_WHAT, str(call), f"must return a Model, not a {type(model).__name__}")
    return model


def describe() -> list[str]:
    """Every network with its options and their defaults, as --help lists them."""
    return [_spec.describe(name, factory, given=_GIVEN) for name, factory in MODELS.items()]
