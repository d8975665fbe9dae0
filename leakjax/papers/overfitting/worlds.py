"""Models of a data set as they were at each generalisation gap."""

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np

from leakjax import data, models, shadow
from leakjax._workdir import Workdir
from leakjax._workdir.fingerprint import environment, fingerprint
from leakjax.auditing.chunks import chunk_size
from leakjax.models import Model
from leakjax.shadow.ensemble import OnEpoch
from leakjax.shadow.recipe import of_network
from leakjax.shadow.together import Training

# The paper's network for the set, or for the one in whose place it stands.
NETWORKS: Mapping[str, str] = MappingProxyType(
    {"attributes100": "purchase", "claims9": "hospital", "adult": "adult", "fashion_mnist": "cifar_tanh"}
)
OTHERS = "purchase"
END = 1.0


@dataclasses.dataclass(frozen=True)
class World:
    """A data set, the network and how it is trained.

    Attributes:
      dataset: as `leakjax.data.load` reads it.
      model: as `leakjax.models.make` reads it.
      training: with the gaps at which models are kept.
    """

    dataset: str
    model: str
    training: shadow.TrainConfig


class AtGap(NamedTuple):
    """All models at one gap.

    Attributes:
      asked: the gap at which they were kept; `END` for those of the last epoch.
      variables: leaves [models, ...].
      gap: of each, [models].
      epochs: of training until then, [models].
    """

    asked: float
    variables: Any
    gap: np.ndarray
    epochs: np.ndarray


class Grown(NamedTuple):
    """Models of a world, and what of them was not reached.

    Attributes:
      model: the network.
      points: of the pool.
      membership: bool [models, points].
      levels: all gaps that every model reached, in rising order, and the last epoch where one was missed.
      missed: gaps that some model did not reach, each with the reason.
    """

    model: Model
    points: data.Points
    membership: np.ndarray
    levels: list[AtGap]
    missed: dict[float, str]


def grown(
    world: World,
    points: data.Points,
    *,
    count: int,
    key: jax.Array,
    workdir: Workdir,
    say: Callable[[str], None],
    on_epoch: OnEpoch,
) -> Grown:
    """Trains `count` models, each on a random half of the points, unless the workdir keeps them.

    Args:
      world: what is trained and how.
      points: of the world's data set.
      count: how many models.
      key: of who is trained on what, and of the training.
      workdir: keeps the models of every gap.
      say: called with a line when training begins.
      on_epoch: called after each epoch.
    """
    model = models.make(world.model, points.classes)
    membership_key, training_key = jax.random.split(key)
    ids = np.arange(count, dtype=np.int32)
    membership = np.asarray(data.membership(membership_key, ids, len(points.x)))
    abstract = jax.eval_shape(model.init, key, points.x[0])

    def train() -> dict[str, Any]:
        say(f"{world.dataset}: training {count} models to gaps of up to {world.training.stop_at_gap[-1]:g}")
        training = Training(
            model, points.x, points.y, world.training, key=training_key, membership=membership, ids=ids
        )
        while not training.finished:
            on_epoch(training.epochs, *training.advance())
        last = training.fetch()
        kept = [
            {"variables": jax.tree.leaves(one.variables), "epoch": np.asarray(one.epoch)}
            for one in training.kept()
        ]
        return {"kept": kept, "last": jax.tree.leaves(last.state.variables), "epochs": last.epochs}

    mark = fingerprint(
        environment=environment(),
        model=of_network(model, points.x[0]),
        world=world,
        points=(points.x, points.y),
        membership=membership,
        key=training_key,
    )
    stored = workdir.stage(f"train {world.dataset}", mark, train)
    whole = lambda leaves: jax.tree.unflatten(jax.tree.structure(abstract), leaves)
    levels, missed = [], {}
    for asked, one in zip(world.training.stop_at_gap, stored["kept"], strict=True):
        reached = int((one["epoch"] > 0).sum())
        if reached == count:
            variables = whole(one["variables"])
            levels.append(AtGap(asked, variables, _gaps(model, variables, points, membership), one["epoch"]))
        else:
            missed[asked] = (
                f"{reached} of {count} models reached a gap of {asked:g} in {stored['epochs']} epochs"
            )
    if missed:
        variables = whole(stored["last"])
        epochs = np.full(count, stored["epochs"])
        levels.append(AtGap(END, variables, _gaps(model, variables, points, membership), epochs))
    return Grown(model, points, membership, levels, missed)


def _gaps(model: Model, variables: Any, points: data.Points, membership: np.ndarray) -> np.ndarray:
    """Accuracy of each model on its own points less that on the others, [models]."""
    ask = jax.jit(jax.vmap(jax.vmap(model.logits_fn, (None, 0)), (0, None)))
    hits, size = [], chunk_size(len(membership), points.x[0].size)
    for start in range(0, len(points.x), size):
        rows = slice(start, start + size)
        hits.append(np.asarray(ask(variables, points.x[rows])).argmax(-1) == points.y[rows])
    hit = np.concatenate(hits, axis=1)
    share = lambda part: (hit & part).sum(1) / part.sum(1)
    return share(membership) - share(~membership)
