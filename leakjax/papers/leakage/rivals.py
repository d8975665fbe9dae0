"""The attacks that were reported before, and what each of them sees of an explainer."""

from collections.abc import Sequence
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.attack import queries
from leakjax.attack.registry import Attack, parse
from leakjax.attack.replies import Replies
from leakjax.auditing.literature import replies_by
from leakjax.auditing.subject import Subject
from leakjax.evaluate.document import View
from leakjax.papers.world import logits_at

SHOKRI, DEEPLEAK, LIU, HUANG = "Shokri et al. 2021", "DeepLeak 2026", "Liu et al. 2024", "Huang et al. 2024"
# Steps of a trajectory each way: queries with the most, then with the least important features taken away.
REMOVALS = 5


class Rival(NamedTuple):
    """An attack that was reported before.

    Attributes:
      attack: which.
      text: as `parse` reads it.
      reported_by: who.
      view: what it looks at.
      release: of the prediction beside the explanation; None for none.
      network: whether it trains a network for each group of targets, and so is run on few of them.
    """

    attack: Attack
    text: str
    reported_by: str
    view: View
    release: str | None
    network: bool = False


def rivals(releases: Sequence[str], *, networks: bool = True, epochs: int | None = None) -> list[Rival]:
    """All that is set beside `stacked`.

    Args:
      releases: beside which attacks on both are run.
      networks: whether attack networks are among them.
      epochs: of their training, the most; None: as each has it.
    """
    trained = "" if epochs is None else f", epochs={epochs}"
    map_network = "convolutional" if epochs is None else f"convolutional(epochs={epochs})"
    found = [
        _rival("threshold(signal='map_log_variance')", SHOKRI, "explanation"),
        _rival("tree(signal='map_log_l1')", SHOKRI, "explanation"),
        *(
            _rival(f"map_ratio(signal='map_log_{norm}')", HUANG, "explanation")
            for norm in ("l1", "l2", "variance")
        ),
    ]
    if networks:
        # A map of the predicted class names it, so that the network sees no more than the map.
        found += [
            _rival(
                f"neural(information='explanation'{trained})", SHOKRI, "explanation", "label", network=True
            ),
            _rival(map_network, DEEPLEAK, "explanation", network=True),
        ]
    for release in releases:
        found.append(_rival("trajectories", LIU, "both", release))
        if networks:
            text = f"neural(information='both'{trained})"
            found.append(_rival(text, SHOKRI, "both", release, network=True))
    return found


def _rival(
    text: str, reported_by: str, view: View, release: str | None = None, *, network: bool = False
) -> Rival:
    return Rival(cast(Attack, parse(text)), text, reported_by, view, release, network)


def replies(
    rival: Rival, subject: Subject, logits: np.ndarray, maps: np.ndarray, gone: np.ndarray
) -> Replies:
    """What a rival sees.

    Args:
      rival: which.
      subject: models and points.
      logits: [models, points, classes].
      maps: [models, points, ...].
      gone: [models, points, queries, classes], from `trajectories_of`.
    """
    points = subject.points
    asked = gone if "queries" in rival.attack.needs else None
    return replies_by(
        rival.release, logits, subject.label_known, Replies(None, points.y, points.x, maps, asked)
    )


def trajectories_of(subject: Subject, maps: np.ndarray) -> np.ndarray:
    """What each model answers while the features that its own map names are taken away.

    Args:
      subject: models and points.
      maps: [models, points, ...].

    Returns:
      float32 [models, points, 2 x REMOVALS, classes].
    """
    x = subject.points.x
    shaped = maps.reshape(*maps.shape[:2], *_over(maps.shape[2:], x.shape[1:]))

    @jax.jit
    def inputs(x: jax.Array, maps: jax.Array) -> jax.Array:
        of_point = lambda x, one: queries.removals(x, one, REMOVALS)
        return jax.vmap(jax.vmap(of_point), (None, 0))(x, maps)

    return logits_at(
        subject, lambda rows: inputs(jnp.asarray(x[rows]), jnp.asarray(shaped[:, rows])), 2 * REMOVALS
    )


def _over(of_map: tuple[int, ...], of_x: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a map as one that broadcasts to the example: nothing to do but for maps without channels."""
    return of_map if len(of_map) == len(of_x) else (*of_map, *(1,) * (len(of_x) - len(of_map)))
