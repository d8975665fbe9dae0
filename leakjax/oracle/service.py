"""What a service holds, and the compiled programs that answer queries by it."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Hashable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _precision, _spec
from leakjax._validate import at_least, fail
from leakjax.defend import Defense, Sticky, apply, parse
from leakjax.explain import EXPLAINERS, Explainer, LogitsFn, Named
from leakjax.explain.named import named_of
from leakjax.oracle.release import ExplanationPart, Release, Shown, prediction_part, show

Explained = tuple[jax.Array, ...]


@dataclasses.dataclass(frozen=True)
class Service:
    """A model behind an interface, and what its owner decided beside the release.

    Attributes:
      logits_fn: logits [classes] of one example in evaluation mode.
      variables: of the one model.
      background: [rows, ...], for explainers that need one; secret unless its owner publishes it.
      reference: variables of models that are not the target, leaves [models, ...], whose vote "reference" explains.
      sticky: answers all queries of one cell alike, noise included.
      least_confidence: explanations of less confident predictions are withheld.
    """

    logits_fn: LogitsFn
    variables: Any
    background: np.ndarray | None = None
    reference: Any = None
    sticky: Sticky | None = None
    least_confidence: float = 0.0

    def __post_init__(self) -> None:
        at_least("least_confidence", self.least_confidence, 0)


def answer_program(
    service: Service, release: Release, shape: tuple[int, ...]
) -> Callable[..., tuple[Shown, Explained, jax.Array]]:
    """Compiles the answers to queries that ask for explanations.

    Args:
      service: whose.
      release: what it lets out.
      shape: of one example.

    Returns:
      program(x [queries, ...], asked int [queries], keys [queries]) -> `Shown` and, of each explanation, the maps
      [queries, ...] and the explained class, int [queries, explanations]. A class that was asked for is -1 where the
      release's own counts.
    """
    alike = service.background is None and isinstance(release, Hashable)
    build: Callable[..., Any] = _explaining_once if alike else _explaining
    background = None if alike else service.background
    program = build(service.logits_fn, release, shape, service.least_confidence, background)
    return functools.partial(program, (service.variables, service.reference))


def plain_program(service: Service, release: Release) -> Callable[[jax.Array], Shown]:
    """Compiles the answers to queries for predictions alone: program(x [queries, ...]) -> `Shown`."""
    return functools.partial(_predicting_once(service.logits_fn, release.prediction), (service.variables,))


def _explaining(
    logits_fn: LogitsFn, release: Release, shape: tuple[int, ...], least_confidence: float, background: Any
) -> Callable[..., Any]:
    parts = [
        (part, _explainer(part, logits_fn, shape, background), _defense(part))
        for part in release.explanations
    ]

    def one(held: Any, x: jax.Array, asked: jax.Array, key: jax.Array) -> tuple[Shown, Explained, jax.Array]:
        variables, reference = held
        logits = logits_fn(variables, x)
        sure = jax.nn.softmax(logits).max() >= least_confidence
        maps, classes = [], []
        for number, (part, explainer, defense) in enumerate(parts):
            votes = functools.partial(_votes, logits_fn, reference, x)
            explained = _explained(part, logits, asked, votes)
            own = jax.random.fold_in(key, number)
            plain = explainer(variables, x, explained, key=jax.random.fold_in(own, 0))
            defended = apply(defense, plain, key=jax.random.fold_in(own, 1), x=x)
            maps.append(jnp.where(sure, defended, jnp.nan))
            classes.append(jnp.where(sure, explained, -1))
        return show(release.part, logits), tuple(maps), jnp.array(classes, jnp.int32)

    return _batched(one)


# The same network under the same release is compiled once, whichever of its variables a service holds.
_explaining_once: Callable[..., Any] = functools.lru_cache(maxsize=128)(_explaining)


def _predicting(logits_fn: LogitsFn, prediction: str) -> Callable[..., Any]:
    part = prediction_part(prediction)
    return _batched(lambda held, x: show(part, logits_fn(held[0], x)))


_predicting_once: Callable[..., Any] = functools.lru_cache(maxsize=128)(_predicting)


def _batched(one: Callable[..., Any]) -> Callable[..., Any]:
    @jax.jit
    def batch(held: Any, *queries: jax.Array) -> Any:
        with _precision.stated():
            return jax.vmap(one, in_axes=(None, *(0 for _ in queries)))(held, *queries)

    return batch


def _votes(logits_fn: LogitsFn, reference: Any, x: jax.Array) -> jax.Array:
    """The logits [models, classes] of the reference models."""
    return jax.vmap(logits_fn, in_axes=(0, None))(reference, x)


def _explained(
    part: ExplanationPart, logits: jax.Array, asked: jax.Array, votes: Callable[[], jax.Array]
) -> jax.Array:
    """The class whose output is explained, by the policy of the release."""
    predicted = jnp.argmax(logits).astype(jnp.int32)
    if part.explained_class == "predicted":
        return predicted
    if part.explained_class == "reference":
        counts = jnp.bincount(jnp.argmax(votes(), axis=1), length=logits.shape[0])
        return jnp.argmax(counts).astype(jnp.int32)
    return jnp.where(asked >= 0, asked, predicted)


def _explainer(
    part: ExplanationPart, logits_fn: LogitsFn, shape: tuple[int, ...], background: Any
) -> Explainer:
    explainer = part.explainer
    if isinstance(explainer, str):
        call = _spec.read("explainer", explainer)
        explainer = named_of(call, EXPLAINERS.find(call.name))
    if not isinstance(explainer, Named):
        return explainer
    if background is not None and "background" in inspect.signature(explainer.method.factory).parameters:
        explainer = explainer.over(len(background))  # where hidden features take their values from
    return explainer.make(logits_fn, shape, background)


def _defense(part: ExplanationPart) -> Defense:
    return parse(part.defense) if isinstance(part.defense, str) else part.defense


def check(service: Service, release: Release) -> None:
    """Raises UsageError where the release asks for what the service has not, or one model cannot give."""
    if release.explained_by is not None:
        raise fail("release.explained_by", "given", "an oracle serves one model; make it the service's own")
    for part in release.explanations:
        if part.explained_class == "reference" and service.reference is None:
            raise fail(
                "service.reference", None, "is needed to explain the class that reference models vote for"
            )


@jax.jit
@jax.vmap
def _seed_of(words: jax.Array) -> jax.Array:
    key = jax.random.key(words[0])
    for word in words[1:]:
        key = jax.random.fold_in(key, word)
    return key


def sticky_keys(sticky: Sticky, x: np.ndarray, size: int) -> jax.Array:
    """The keys of queries x [queries, ...] under a sticky release, in turn up to `size`: equal for all of one cell."""
    words = np.stack([np.frombuffer(sticky.bits(row)(16), np.uint32) for row in x])
    return _seed_of(words[np.arange(size) % len(words)])
