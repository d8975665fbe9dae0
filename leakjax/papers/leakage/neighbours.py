"""The other use of a query: what answers at further inputs near a point add to the prediction there.

The answers take the place of an explanation, and pass through the same attack: so the margin of an explanation and
that of as many more queries can be set side by side.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.attack import queries
from leakjax.attack.reading import log_odds, named_class
from leakjax.attack.replies import Replies
from leakjax.auditing.chunks import Chunks
from leakjax.auditing.explanations import defend_program, stream_explanations
from leakjax.auditing.literature import replies_by
from leakjax.auditing.rows import Found, Sitting
from leakjax.auditing.score import score
from leakjax.auditing.subject import Subject
from leakjax.defend import identity
from leakjax.papers.world import logits_at

_QUERY = 7  # of the subject's key
_MOST = 50.0  # of log-odds, so that none is infinite


def answers_nearby(subject: Subject, count: int, noise: float) -> np.ndarray:
    """What all models answer at the same inputs near each point.

    Args:
      subject: models and points.
      count: of inputs a point, see `queries.neighbours`.
      noise: standard deviation of their steps in every feature.

    Returns:
      float32 [models, points, count, classes].
    """
    x, ids = subject.points.x, subject.points.ids
    key = jax.random.fold_in(subject.key, _QUERY)

    @jax.jit
    def near(ids: jax.Array, x: jax.Array) -> jax.Array:
        of_point = lambda number, x: queries.neighbours(
            x, count, noise=noise, key=jax.random.fold_in(key, number)
        )
        return jax.vmap(of_point)(ids, x)[None]

    return logits_at(subject, lambda rows: near(jnp.asarray(ids[rows]), jnp.asarray(x[rows])), count)


def attack_nearby(sitting: Sitting, logits: np.ndarray, nearby: np.ndarray, release: str) -> Found:
    """The stacked attack on the prediction and on the answers nearby, both as a release shows them.

    Args:
      sitting: of the points.
      logits: [models, points, classes], at the points.
      nearby: from `answers_nearby`.
      release: its name.

    Returns:
      `Found`, in which only what is said of the release itself is meant.
    """
    subject = sitting.subject
    seen = replies_by(release, logits, subject.label_known, Replies(None, subject.points.y, queries=nearby))
    logs = jnp.asarray(seen.queries)
    classes = jnp.broadcast_to(named_class(seen)[..., None], logs.shape[:-1])
    odds = np.clip(np.asarray(log_odds(logs, classes)), -_MOST, _MOST)
    place = {int(number): row for row, number in enumerate(subject.points.ids)}
    put = Chunks(subject).put

    def read(variables: Any, x: Any, ids: Any, explained: Any) -> Any:
        return put(odds[:, [place[int(number)] for number in np.asarray(ids)]], 1)

    program = defend_program(subject, identity())
    (streamed,) = stream_explanations(read, [program], subject, sitting.predictions, np.zeros(0, int))
    return Found.of(score(subject, sitting.base, streamed), streamed)
