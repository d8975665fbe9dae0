"""An activation named by the path of its module, in a network whose source is left alone."""

from collections.abc import Callable
from typing import Any

from flax import linen as nn

from leakjax._validate import fail
from leakjax.explain.feature_maps import tag
from leakjax.explain.types import LogitsFn, Variables


def tag_module(logits_fn: LogitsFn, path: str) -> LogitsFn:
    """Tags what a flax.linen module returns, so that `at=path` and `layer=path` name its activation.

    A module that is called twice has two activations: "path[0]" and "path[1]". Elsewhere a tag is put behind the
    module, in flax.nnx before the model is split: `model.conv = nnx.Sequential(model.conv, lambda h: tag(h, "conv"))`;
    in equinox: `eqx.tree_at(lambda model: model.conv, model, replace_fn=lambda conv: eqx.nn.Sequential([conv,
    eqx.nn.Lambda(lambda h: tag(h, "conv"))]))`. Both keep the weights among the variables, which a function that closes
    over the module does not.

    Args:
      logits_fn: logits [classes] of one example, as `network.apply` of a linen module.
      path: names of the modules from the outermost one, joined by "/", as "Encoder_0/Dense_1"; see
        `flax.linen.Module.path`.

    Returns:
      The same function, whose explainers take `at=path`.

    Raises:
      UsageError: when called, where no module of that path is; the message lists those that are.
    """

    def with_tag(variables: Variables, x: Any) -> Any:
        called: list[str] = []

        def watch(
            call: Callable[..., Any], args: Any, kwargs: Any, context: nn.module.InterceptorContext
        ) -> Any:
            found = call(*args, **kwargs)
            if context.method_name != "__call__":
                return found
            called.append("/".join(context.module.path))
            return tag(found, path) if called[-1] == path else found

        with nn.intercept_methods(watch):
            logits = logits_fn(variables, x)
        if path not in called:
            known = ", ".join(dict.fromkeys(name for name in called if name)) or "none of flax.linen"
            raise fail("path", path, f"is no module that is called; there are {known}")
        return logits

    return with_tag
