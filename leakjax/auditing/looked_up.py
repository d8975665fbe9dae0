"""Answers read a chunk of points at a time, where an audit of models makes them: predictions, maps, replies.

Programs that predict or explain are replaced by functions that look up a chunk, so that nothing of size models x
points x features is held.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.attack import stacked
from leakjax.attack.replies import Replies, Source
from leakjax.auditing import literature
from leakjax.auditing.answers import Answers
from leakjax.auditing.chunks import Chunks, Program
from leakjax.auditing.explanations import (
    MEASURES,
    Explanations,
    Then,
    hardener,
    stream_explanations,
)
from leakjax.auditing.judge import Judge
from leakjax.auditing.predictions import predict_program, stream_predictions
from leakjax.auditing.rows import Found, Sitting
from leakjax.auditing.score import baseline, score
from leakjax.auditing.subject import Subject
from leakjax.defend import Defense


def sit(subject: Subject, given: Answers) -> Sitting:
    """Reads the predictions and attacks them alone.

    Args:
      subject: what is attacked.
      given: its answers.
    """
    program, put = predict_program(subject), Chunks(subject).put
    logits = given.logits

    def read(variables: Any, x: Any, y: Any, membership: Any) -> Any:
        places = np.asarray(x)[:, 0].astype(int)
        if logits is None:
            chunk = np.zeros((subject.models, len(places), subject.points.classes), np.float32)
        else:
            chunk = np.asarray(logits[:, places], np.float32)
        here = put(np.arange(len(places), dtype=np.float32)[:, None])
        return program(put(chunk, None), here, y, membership)

    places = np.arange(len(subject.points.x), dtype=np.float32)[:, None]
    numbered = dataclasses.replace(subject, points=subject.points._replace(x=places))
    predictions = stream_predictions(read, numbered)
    base = baseline(subject, predictions, subject.releases)
    judge = Judge(subject, seed=subject.seed).narrowed(base.there[subject.targets])
    return Sitting(subject, predictions, base, judge)


def found(sitting: Sitting, given: Answers, explainer: str, through: Sequence[Program]) -> list[Found]:
    """Reads one explanation and attacks what becomes of it.

    Args:
      sitting: what is attacked.
      given: its answers.
      explainer: a name of `Answers.maps`, or `answers.SIGNALS`.
      through: from `defend_program` for maps, from `of_signals` for signals.

    Returns:
      What each program leaves of the explanation leaks.
    """
    subject = sitting.subject
    put = Chunks(subject).put

    def read(variables: Any, x: Any, ids: Any, explained: Any) -> Any:
        rows = np.asarray(ids)
        if explainer in given.maps:
            return put(np.asarray(given.maps[explainer][:, rows], np.float32), 1)
        signals = [given.signals[name] for name in given.of_explanation]
        return put(np.stack([each[:, rows] for each in signals], axis=-1).astype(np.float32), 1)

    streamed = stream_explanations(read, through, subject, sitting.predictions, np.zeros(0, int))
    return [Found.of(score(subject, sitting.base, one), one) for one in streamed]


def of_signals(subject: Subject, *, then: Then | None = None) -> Program:
    """What `defend_program` is to maps, for signals [models, points, signals] that stand for themselves.

    Args:
      subject: what is attacked.
      then: what is done to the signals before an attack reads them; None: nothing.
    """
    targets = jnp.asarray(subject.targets)
    pairs = subject.roles.pairs
    # No defense stands between: cosine and overlap are 1, the change is 0.
    unchanged = jnp.array([0.0 if name == "relative_change" else 1.0 for name in MEASURES])

    def chunk(signals: Any, x: Any, ids: Any, agrees: Any, membership: Any) -> Explanations:
        signals = signals if then is None else then(signals, ids)
        there = jnp.isfinite(signals)
        size = jnp.sum(jnp.abs(jnp.where(there, signals, 0.0)), axis=-1)
        return Explanations(
            log_l1=jnp.log(size),
            change=jnp.broadcast_to(unchanged[None], (signals.shape[1], len(MEASURES))),
            finite=there.any(axis=-1),
            reduced=stacked.reduce_points(signals, (), (), membership, pairs),
            together=stacked.reduce_points(signals[..., :0], (), (), membership, pairs),
            examples=signals[targets[0]],
        )

    return jax.jit(chunk)


def source_of(given: Answers, subject: Subject, defenses: Mapping[str, Defense]) -> literature.SourceOf:
    """Replies of a chunk of points as a release and an explanation show them.

    Args:
      given: all answers.
      subject: what is attacked.
      defenses: by name; a map passes through its own, by the same draws as in `found`.
    """

    @functools.cache
    def harden(defense: str) -> Program:
        return jax.jit(hardener(subject, defenses[defense]))

    def of(release: str | None, about: tuple[str, str] | None, needs: Sequence[str]) -> Source:
        looks = about is not None and literature.looks_at_maps(needs)
        whole = given.replies(about[0] if about is not None and looks else None)
        whole = whole._replace(log_probabilities=None)

        def source(rows: np.ndarray) -> Replies:
            logits = None if given.logits is None else given.logits[:, rows]
            seen = whole.at(rows)
            if about is not None and seen.maps is not None:
                x, ids = subject.points.x[rows], subject.points.ids[rows]
                seen = seen._replace(maps=harden(about[1])(jnp.asarray(seen.maps, jnp.float32), x, ids))
            return literature.replies_by(release, logits, subject.label_known, seen)

        return source

    return of
