"""Monitors before many accounts: of each its own state, and one shared state for each crowd."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import numpy as np
from jax import numpy as jnp

from leakjax._progress import track
from leakjax.monitor import Monitor, monitors_for, run
from leakjax.monitoring import benign
from leakjax.monitoring.plan import CROWD, SPLIT, Plan
from leakjax.monitoring.world import World

ACCOUNTS_AT_ONCE = 200


class Watch(NamedTuple):
    """The frozen detectors: those with a state an account, and the one that all accounts share."""

    own: Mapping[str, Monitor]
    shared: Monitor

    @property
    def names(self) -> tuple[str, ...]:
        """Of all of them, the shared one last."""
        return (*self.own, "shared_budget")


class Highest(NamedTuple):
    """The highest scores of benign accounts.

    Attributes:
      whole: float32 [detectors, accounts], of all queries; the shared detector is the last.
      early: float32 [detectors, accounts], of the first queries of an account, as many as one of `SPLIT` accounts has
        of an attack; of the detectors of one account alone.
    """

    whole: np.ndarray
    early: np.ndarray


def watch(world: World, plan: Plan) -> Watch:
    """The detectors, fitted to the owner's records: nothing of an attacker is known to them."""
    found = monitors_for(
        np.asarray(world.owned),
        noise=world.noise,
        classify=_classifier(world),
        classes=world.classes,
        salt=plan.seed,
    )
    shared = found.pop("shared_budget")
    return Watch(found, shared)


def early(queries: int) -> int:
    """How many queries of an attack each of `SPLIT` accounts asks, the first ones."""
    return queries // SPLIT


def program(watching: Watch) -> Callable[[jax.Array], jax.Array]:
    """`[accounts, queries, features] -> [detectors, accounts, queries]`, the scores of all that watch one account."""
    monitors = list(watching.own.values())

    def of_account(stream: jax.Array) -> jax.Array:
        def update(states: tuple, x: jax.Array) -> tuple[tuple, jax.Array]:
            after, scores = zip(
                *(one.update(state, x) for one, state in zip(monitors, states, strict=True)), strict=True
            )
            return after, jnp.stack(scores)

        return jax.lax.scan(update, tuple(one.init() for one in monitors), stream)[1].T

    return jax.jit(lambda streams: jnp.moveaxis(jax.lax.map(of_account, streams, batch_size=50), 1, 0))


def benign_program(world: World, plan: Plan) -> Callable[[jax.Array, np.ndarray], jax.Array]:
    """`(key, accounts) -> [accounts, queries, features]`, what benign accounts of these numbers ask.

    The numbers are arguments: where they are constants, XLA folds the draws for half a minute.
    """
    of_account = lambda key, account: benign.stream(world, key, account, plan.queries)
    return jax.jit(jax.vmap(of_account, in_axes=(None, 0)))


def crowd_program(watching: Watch) -> Callable[[jax.Array], jax.Array]:
    """`[accounts, queries, features] -> [accounts, queries]`, the scores of a crowd whose accounts ask in turn."""

    def of_crowd(streams: jax.Array) -> jax.Array:
        accounts, queries, features = streams.shape
        in_turn = jnp.swapaxes(streams, 0, 1).reshape(-1, features)
        return run(watching.shared, in_turn)[1].reshape(queries, accounts).T

    return jax.jit(of_crowd)


def benign_highest(world: World, watching: Watch, plan: Plan, first: int) -> Highest:
    """Watches the benign accounts `first`, `first` + 1, ..., as many as the plan has.

    Args:
      world: whose records they ask about.
      watching: the detectors.
      plan: of the study.
      first: number of the first account.

    Returns:
      `Highest`.
    """
    key = jax.random.fold_in(jax.random.key(plan.seed), 3)
    draw = benign_program(world, plan)
    score, crowd = program(watching), crowd_program(watching)
    whole, first_ones = [], []
    for start in track(range(first, first + plan.accounts, ACCOUNTS_AT_ONCE)):
        accounts = np.arange(start, min(start + ACCOUNTS_AT_ONCE, first + plan.accounts))
        streams = draw(key, accounts)
        scores = np.asarray(score(streams))
        shared = [np.asarray(crowd(part)) for part in streams.reshape(-1, CROWD, *streams.shape[1:])]
        both = np.concatenate([scores.max(axis=2), np.concatenate(shared).max(axis=1)[None]])
        whole.append(both)
        first_ones.append(scores[:, :, : early(plan.queries)].max(axis=2))
    return Highest(np.concatenate(whole, axis=1), np.concatenate(first_ones, axis=1))


def _classifier(world: World) -> Callable[[jax.Array], jax.Array]:
    """The class whose mean is nearest: PRADA takes the service's own class, which is no part of a query."""
    owned, label = np.asarray(world.owned), np.asarray(world.owned_label)
    labels = np.unique(label)
    means = jnp.asarray([owned[label == each].mean(axis=0) for each in labels])
    of = jnp.asarray(labels, jnp.int32)
    return lambda x: of[jnp.argmin(jnp.sum((means - x[None, :]) ** 2, axis=1))]
