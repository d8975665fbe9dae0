"""Rows of the report for the attacks of the registry, on answers of models here or elsewhere."""

import functools
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _validate
from leakjax.attack.registry import Attack
from leakjax.attack.replies import Replies, Source, completed
from leakjax.attack.run import run
from leakjax.auditing.rows import Result, Results, attacked
from leakjax.auditing.subject import Subject
from leakjax.evaluate.document import Curve, LeakageRow, View
from leakjax.oracle import prediction_part
from leakjax.oracle.release import PredictionPart

# From the name of a release and of an explanation, or None for either, to what an attacker reads.
SourceOf = Callable[[str | None, tuple[str, str] | None], Source]
NO_SIGNALS: Mapping[str, tuple[str, str]] = MappingProxyType({})
_STAGE = 5  # of the audit's key


def literature(
    attacks: Sequence[Attack],
    subject: Subject,
    results: Results,
    source_of: SourceOf,
    *,
    maps: Sequence[tuple[str, str]],
    of_explanation: Mapping[str, tuple[str, str]] = NO_SIGNALS,
) -> list[tuple[LeakageRow, Curve]]:
    """Runs attacks and judges them.

    Args:
      attacks: which.
      subject: what is attacked.
      results: of the same subject, by explainer and defense.
      source_of: where replies come from.
      maps: which of the results are of maps.
      of_explanation: the explanation that a signal belongs to, by the signal's name; the others are of the prediction.

    Returns:
      A row and its curve for each attack, release that it looks at, and explanation that it looks at.

    Raises:
      UsageError: an attack does not get what it needs.
    """
    found = []
    shown = [name for name in subject.releases if prediction_part(name).kind != "none"]
    for number, attack in enumerate(attacks):
        named = next(
            (of_explanation[name] for name in of_explanation if f"signals[{name}]" in attack.needs), None
        )
        view = attack.views[0] if named is None else "explanation"
        predicted = "log_probabilities" in attack.needs
        # Beside an explanation alone stands the label, which an explanation of the predicted class names.
        releases = (shown if view != "explanation" else ["label"]) if predicted else [None]
        mapped = "maps" in attack.needs or view == "both"
        if mapped and not maps:
            raise _validate.fail("attacks", attack.name, "looks at maps, and there are none")
        explanations = list(maps) if mapped else [named]
        key = jax.random.fold_in(jax.random.fold_in(subject.key, _STAGE), number)
        for release in releases:
            for about in explanations:
                result = next(iter(results.values())) if about is None else results[about]
                source = source_of(release, about)
                found.append(_row(attack, view, release, about is not None, result, source, key))
    return found


def replies_by(part_name: str | None, logits: np.ndarray | None, label_known: bool, seen: Replies) -> Replies:
    """Replies of a chunk as one release shows them.

    Args:
      part_name: name of the release; None: no prediction is shown.
      logits: [models, rows, classes]; None where predictions were not measured.
      label_known: whether the attacker knows the true label.
      seen: everything else, with the logits of further queries.
    """
    label = seen.label if label_known else None
    if part_name is None or logits is None:
        return seen._replace(log_probabilities=None, queries=None, label=label)
    show = _program(prediction_part(part_name))
    queries = None if seen.queries is None else show(jnp.asarray(seen.queries, jnp.float32))
    return seen._replace(
        log_probabilities=show(jnp.asarray(logits, jnp.float32)), queries=queries, label=label
    )


@functools.cache
def _program(part: PredictionPart) -> Callable[[jax.Array], jax.Array]:
    """From logits [..., classes] to the log-probabilities that a release shows; compiled once for each."""

    def show(logits: jax.Array) -> jax.Array:
        flat = jax.vmap(lambda one: completed(part, one))(logits.reshape(-1, logits.shape[-1]))
        return flat.reshape(logits.shape)

    return jax.jit(show)


def _row(
    attack: Attack,
    view: View,
    release: str | None,
    explained: bool,
    result: Result,
    source: Source,
    key: jax.Array,
) -> tuple[LeakageRow, Curve]:
    subject, judge = result.sitting.subject, result.sitting.judge
    said = run(attack, source, subject.membership, targets=subject.targets, key=key)
    judge = judge.narrowed(said.valid & (result.found.valid if explained else True))
    over = None
    if view == "both":
        over = judge.rates(result.found.prediction[subject.releases.index(release or "none")])
    about = attacked(
        view, attack.name, subject, release or "none", None if view == "prediction" else result.explanation
    )
    return judge.row(said.scores, about, over)
