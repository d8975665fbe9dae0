"""What an explainer is: a pure function of one example, made from any traceable `logits_fn`.

Everything here serves all families: the types, the scalar that is explained, the checks at an explainer's
door, and the two ways in which a method walks over its model evaluations without holding all of them at once.
"""

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _precision
from leakjax._validate import at_least, fail, is_concrete, one_of
from leakjax.models.functions import LogitsFn

Variables = Any
Answer = TypeVar("Answer", covariant=True)
Attribute = Callable[[Variables, jax.Array, Any, Any, Any], jax.Array]
ScalarFn = Callable[[Variables, jax.Array, Any], jax.Array]

ARRAYS = (jax.Array, np.ndarray, np.number, float)
OUTPUTS = ("logit", "probability", "log_probability", "loss")


class Explainer(Protocol):
    """Explains ONE example; traceable by JAX, so that it can be mapped over points and models."""

    def __call__(
        self, variables: Variables, x: Any, target: Any, /, *, key: Any, segments: Any = None
    ) -> jax.Array:
        """The attribution of one example.

        Args:
          variables: of one model.
          x: one example [...], of any floating type; the attribution has x's type, and half precision its rounding.
          target: int, the class whose output is explained.
          key: a typed key, of this explanation alone; those that draw nothing ignore it.
          segments: which features are masked together, a `Segments`; methods that mask nothing ignore it, and a
            user's own explainer need not take it.

        Returns:
          An array of x's shape, or of x.shape[:-1] + (1,) where channels share a value.
        """


class ExampleExplainer(Protocol[Answer]):
    """Answers ONE example with examples or a rule in place of an attribution."""

    def __call__(
        self, variables: Variables, x: Any, target: Any, /, *, key: Any, segments: Any = None
    ) -> Answer:
        """The answer for one example. Args: as of `Explainer`."""


class BatchExplainer(Protocol):
    """Explains a batch, as `batched` makes it of an explainer."""

    def __call__(
        self,
        variables: Variables,
        xs: Any,
        targets: Any,
        /,
        *,
        key: Any = None,
        ids: Any = None,
        segments: Any = None,
    ) -> jax.Array:
        """The attributions [batch, ...] of examples [batch, ...].

        Args:
          variables: of one model.
          xs: [batch, ...].
          targets: int [batch].
          key: a typed key, folded with the ids; None for a method that draws nothing.
          ids: int [batch], of the examples; needed beside a key.
          segments: maps [batch, ...], or None.
        """


class Factory(Protocol):
    """Makes explainers of a model."""

    def __call__(self, logits_fn: LogitsFn, /, *args: Any, **options: Any) -> Any:
        """The explainer of a model; options by keyword. Methods that answer with examples return another callable."""


class Runs(Protocol):
    """The cost of a method."""

    def __call__(self, shape: tuple[int, ...], segments: int | None = None, /, **options: Any) -> int:
        """Runs of the model for one explanation.

        Args:
          shape: of one example.
          segments: how many there are; None: each feature is its own.
          **options: of the method.
        """


class Method(NamedTuple):
    """One row of `EXPLAINERS`.

    Attributes:
      family: "backpropagation", "class activation", "perturbation", "surrogate" or "example".
      factory: `factory(logits_fn, **options) -> Explainer`.
      stochastic: Whether the attribution depends on the key.
      runs: `runs(shape, segments=None, **options) -> int`, the runs of the model to explain one
        example of that shape; a run counts once, forward alone or forward and backward together.
      masks: Whether the method masks features and therefore takes `segments`.
      needs_background: Whether the factory's `background` is required.
    """

    family: str
    factory: Factory
    stochastic: bool
    runs: Runs
    masks: bool = False
    needs_background: bool = False


def scalar_of(logits_fn: LogitsFn, output: str) -> ScalarFn:
    """The scalar that is explained, as a function of (variables, x, target).

    Args:
      logits_fn: Logits [classes] of one example.
      output: "logit", "probability", "log_probability" or "loss" (minus the log-probability) of the target.

    Raises:
      UsageError: On an unknown output.
    """
    one_of("output", output, OUTPUTS)

    def scalar(variables: Variables, x: jax.Array, target: Any) -> jax.Array:
        logits = jnp.atleast_1d(logits_fn(variables, x))
        if output == "logit":
            values = logits
        elif output == "probability":
            values = jax.nn.softmax(logits)
        else:
            values = jax.nn.log_softmax(logits)
        value = jnp.sum(jnp.where(jnp.arange(logits.shape[0]) == target, values, jnp.zeros_like(values)))
        return -value if output == "loss" else value

    return scalar


def explainer_of(logits_fn: LogitsFn, attribute: Attribute) -> Explainer:
    """The explainer that checks an example, then asks `attribute(variables, x, target, key, segments)`.

    An example that is not finite and a target outside the classes are errors where they have values; where they
    are traced the attribution is NaN, so that it can be counted and never passes for an explanation.
    """

    def explainer(
        variables: Variables, x: jax.Array, target: Any, *, key: Any = None, segments: Any = None
    ) -> jax.Array:
        x, target, valid = checked(logits_fn, variables, x, target)
        with _precision.stated():
            attribution = attribute(variables, x, target, key, segments)
        if is_concrete(target) and is_concrete(x):
            return attribution
        return jnp.where(valid, attribution, jnp.nan)

    return explainer


def checked(
    logits_fn: LogitsFn, variables: Variables, x: Any, target: Any
) -> tuple[jax.Array, Any, jax.Array]:
    """An example as an array, its class, and whether both can be explained, where they are traced.

    Raises:
      UsageError: On logits of another form, and on values that cannot be explained.
    """
    check_features("x", x)
    x = jnp.asarray(x)
    logits = jax.eval_shape(lambda x: logits_fn(variables, x), x)
    if not hasattr(logits, "shape"):
        said = type(logits).__name__
        raise fail(
            "logits_fn", said, "must return logits [classes] alone; take them out of what the model returns"
        )
    if len(logits.shape) > 1:
        raise fail("logits_fn", tuple(logits.shape), "must return logits [classes] for ONE example")
    classes = math.prod(logits.shape)
    if target is None and classes == 1:
        target = 0
    if target is None or np.ndim(target) or not jnp.issubdtype(jnp.result_type(target), jnp.integer):
        kind = getattr(target, "dtype", type(target).__name__)
        raise fail(
            "target",
            None if target is None else f"{kind}{list(np.shape(target))}",
            f"must be one class, 0 to {classes - 1}; of a one-hot row, its argmax",
        )
    if is_concrete(target) and not 0 <= int(target) < classes:
        raise fail("target", int(target), f"must be a class, 0 to {classes - 1}")
    return x, target, jnp.isfinite(x).all() & (target >= 0) & (target < classes)


def check_features(name: str, x: Any) -> None:
    """Raises UsageError unless `x` is of a floating type and, where it has a value, finite."""
    if not jnp.issubdtype(jnp.result_type(x), jnp.floating):
        raise fail(name, str(jnp.result_type(x)), "must be of a floating type")
    if is_concrete(x) and not np.all(np.isfinite(np.asarray(x))):
        raise fail(name, "non-finite", "must hold finite numbers alone")


def filled(name: str, value: Any, x: jax.Array) -> jax.Array:
    """`value`, a number or an array of x's shape, as an array like x."""
    shape = np.shape(value)
    if shape not in ((), x.shape):
        raise fail(name, shape, f"must be a number or have the shape of x, {x.shape}")
    return jnp.broadcast_to(jnp.asarray(value, x.dtype), x.shape)


class Frame(NamedTuple):
    """A pytree without its arrays, such as a module that holds functions too; it can be compared and hashed.

    Attributes:
      form: How the tree is made of its leaves.
      others: Its leaves, with None in place of each array.
    """

    form: Any
    others: tuple[Any, ...]

    def filled(self, arrays: Sequence[Any]) -> Any:
        """The tree with these arrays in the places of its own."""
        values = iter(arrays)
        leaves = [next(values) if other is None else other for other in self.others]
        return jax.tree.unflatten(self.form, leaves)


def arrays_of(tree: Any) -> tuple[list[Any], Frame]:
    """The arrays and numbers of a pytree, and the rest of it."""
    leaves, form = jax.tree.flatten(tree)
    arrays = [leaf for leaf in leaves if isinstance(leaf, ARRAYS)]
    return arrays, Frame(form, tuple(None if isinstance(leaf, ARRAYS) else leaf for leaf in leaves))


def batched(explainer: Explainer, *, size: int = 128, progress: bool = False) -> BatchExplainer:
    """An explainer of many examples, compiled: `(variables, xs, targets, *, key=None, ids=None, segments=None)`.

    A method that draws nothing needs neither key nor ids. Segments are those of all examples, or one map an example.

    An example's key is `key` folded with its id, so that its noise depends neither on its place nor on its
    neighbours.

    Args:
      explainer: Of one example.
      size: Examples that one run of the compiled program takes; memory is size x what one example needs. On a
        CPU larger runs are slower an example, on a GPU faster.
      progress: Whether a bar on the terminal or in the notebook shows how many runs are done.

    Returns:
      The function; attributions [batch, ...].
    """
    at_least("size", size, 1)

    # What of the variables is no array stays in the program: there is one for each frame that is met.
    @functools.partial(jax.jit, static_argnames="frame")
    def run(arrays: Any, batch: Any, shared: Any, *, key: Any, frame: Frame) -> Any:
        variables = frame.filled(arrays)
        xs, targets, ids, segments = batch
        keys = None if key is None else jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, ids)

        def one(x: Any, target: Any, key: Any, segments: Any) -> Any:
            own = shared if segments is None else segments
            with _precision.stated():
                return explainer(variables, x, target, key=key, segments=own)

        if len(jax.tree.leaves(xs)[0]) != 1:
            return jax.vmap(one)(xs, targets, keys, segments)
        # Without the axis of one that a vmap puts first: XLA lays products out worse with it.
        alone = jax.tree.map(lambda leaf: leaf[0], (xs, targets, keys, segments))
        return jax.tree.map(lambda leaf: leaf[None], one(*alone))

    def explain_batch(
        variables: Variables, xs: Any, targets: Any, *, key: Any = None, ids: Any = None, segments: Any = None
    ) -> Any:
        first = jax.tree.leaves(xs)[0]
        if first is xs and not jnp.issubdtype(jnp.result_type(xs), jnp.integer):
            check_features("xs", xs)
        if key is not None and ids is None:
            raise fail(
                "ids", None, "must be the examples' ids beside a key: an example's noise goes by its id"
            )
        # What the host holds is sliced there: a slice of a device array costs more than small models do.
        targets, ids = (a if a is None or isinstance(a, jax.Array) else np.asarray(a) for a in (targets, ids))
        count = len(first)
        shared = segments if segments is not None and np.ndim(segments.map) < np.ndim(first) else None
        whole = (xs, targets, ids, None if shared is not None else segments)
        arrays, frame = arrays_of(variables)

        def part(start: int) -> Any:
            batch = jax.tree.map(lambda leaf: leaf[start : start + size], whole) if count > size else whole
            found = run(arrays, batch, shared, key=key, frame=frame)
            return jax.block_until_ready(found) if progress else found

        parts = [part(start) for start in _shown(range(0, max(count, 1), size), progress)]
        return parts[0] if len(parts) == 1 else jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)

    return explain_batch


def _shown(starts: Sequence[int], progress: bool) -> Iterable[int]:
    """The starts of the runs, with a bar of those that are done."""
    if not progress:
        return starts
    from rich.progress import track  # slow to import, and needed for the bar alone

    return track(starts, "explaining")


def map_chunked(fn: Callable[[Any], Any], items: Any, chunk: int) -> Any:
    """`fn` of each item [count, ...], at most `chunk` of them at a time; for results that are small."""
    at_least("chunk", chunk, 1)
    if _count(items) <= chunk:
        return jax.vmap(fn)(items)
    return jax.lax.map(fn, items, batch_size=chunk)


def sum_chunked(fn: Callable[[Any], Any], items: Any, chunk: int) -> Any:
    """The sum of `fn` over the items [count, ...], holding at most `chunk` of its values at a time."""

    def total(part: Any) -> Any:
        return jax.tree.map(lambda value: value.sum(0), jax.vmap(fn)(part))

    return sum_parts(total, items, chunk)


def sum_parts(total: Callable[[Any], Any], items: Any, chunk: int) -> Any:
    """The sum of `total(part)` over parts of at most `chunk` of the items [count, ...].

    For sums that one matrix product a part makes cheaper than one term an item.
    """
    at_least("chunk", chunk, 1)
    count = _count(items)
    if count <= chunk:
        return total(items)
    whole = count // chunk
    stacked = jax.tree.map(lambda a: a[: whole * chunk].reshape((whole, chunk, *a.shape[1:])), items)
    first = total(jax.tree.map(lambda a: a[0], stacked))

    def add(so_far: Any, part: Any) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, so_far, total(part)), None

    found, _ = jax.lax.scan(add, first, jax.tree.map(lambda a: a[1:], stacked))
    if count % chunk:
        found = jax.tree.map(jnp.add, found, total(jax.tree.map(lambda a: a[whole * chunk :], items)))
    return found


def _count(items: Any) -> int:
    return jax.tree.leaves(items)[0].shape[0]
