"""Rows of the report for the attacks of the registry, on answers of models here or elsewhere."""

import functools
import itertools
import zlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import _progress, _validate
from leakjax._workdir import Workdir
from leakjax.attack.reading import OF_MAPS
from leakjax.attack.registry import AnyAttack, Attack
from leakjax.attack.replies import Replies, Source, completed
from leakjax.attack.run import Attacked, run
from leakjax.auditing.clock import Clock
from leakjax.auditing.decides import attack_mark
from leakjax.auditing.rows import Judged, Result, Results, attacked
from leakjax.auditing.subject import Subject
from leakjax.evaluate.document import View
from leakjax.oracle import prediction_part
from leakjax.oracle.release import PredictionPart

About = tuple[str, str]  # an explainer and a defense
# From the name of a release and of an explanation, or None for either, and what an attack needs, to what it reads.
SourceOf = Callable[[str | None, About | None, Sequence[str]], Source]
NO_SIGNALS: Mapping[str, About] = MappingProxyType({})
NO_MARKS: Mapping[str | None, str] = MappingProxyType({})
_STAGE = 5  # of the audit's key


def literature(
    attacks: Sequence[AnyAttack],
    subject: Subject,
    results: Results,
    source_of: SourceOf,
    *,
    maps: Sequence[About],
    of_explanation: Mapping[str, About] = NO_SIGNALS,
    clock: Clock,
    store: Workdir | None = None,
    marks: Mapping[str | None, str] = NO_MARKS,
) -> list[Judged]:
    """Runs attacks and judges them.

    Args:
      attacks: which; the stacked one has its rows already.
      subject: what is attacked.
      results: of the same subject, by explainer and defense.
      source_of: where replies come from.
      maps: which of the results are of maps.
      of_explanation: the explanation that a signal belongs to, by the signal's name; the others are of the prediction.
      clock: times a stage.
      store: of finished attacks.
      marks: fingerprints of what they look at, as of `measure.Measured`.

    Returns:
      A row and its curve for each attack, release that it looks at, and explanation that it looks at.

    Raises:
      UsageError: an attack does not get what it needs.
    """
    found = []
    for attack in (attack for attack in attacks if isinstance(attack, Attack)):
        works = works_of(attack, subject, results, maps=maps, of_explanation=of_explanation)
        with clock(f"attack by {attack.name}"):
            work = functools.partial(say, works, source_of)
            if store is None:
                said = work()
            else:
                points = [one.result.sitting.subject.points.ids for one in works]
                mark = attack_mark([marks[name] for name in _looked_at(works, marks)], attack, points)
                said = store.stage(f"attack by {attack.name}", mark, work)
            found += [_judged(one, Attacked(**what)) for one, what in zip(works, said, strict=True)]
    return found


class Work(NamedTuple):
    """One row: an attack beside one release, on one explanation; None where it looks at no such thing.

    Attributes:
      attack: which.
      view: what it uses.
      release: beside which.
      about: the explanation.
      result: what was found about the explanation, or where there is none about the first one.
      key: of what the attack draws.
    """

    attack: Attack
    view: View
    release: str | None
    about: About | None
    result: Result
    key: jax.Array


def works_of(
    attack: Attack,
    subject: Subject,
    results: Results,
    *,
    maps: Sequence[About],
    of_explanation: Mapping[str, About] = NO_SIGNALS,
) -> list[Work]:
    """The rows of one attack: every release and every explanation that it looks at. Args: as of `literature`."""
    of_signal = next(
        (about for name, about in of_explanation.items() if f"signals[{name}]" in attack.needs), None
    )
    view = attack.views[0] if of_signal is None else "explanation"
    explanations: list[About | None] = [of_signal]
    if view == "both" or looks_at_maps(attack.needs):
        if not maps:
            raise _validate.fail("attacks", attack.name, "looks at maps, and there are none")
        explanations = list(maps)
    key = jax.random.fold_in(jax.random.fold_in(subject.key, _STAGE), zlib.crc32(attack.name.encode()))
    first = next(iter(results.values()))
    return [
        Work(attack, view, release, about, first if about is None else results[about], key)
        for release, about in itertools.product(_releases(attack, view, subject), explanations)
    ]


def say(works: Sequence[Work], source_of: SourceOf) -> list[dict[str, np.ndarray]]:
    """What the attack says in each of the rows, the fields of `Attacked` by name."""
    found = []
    for work in _progress.track(works):
        own = work.result.sitting.subject
        source = source_of(work.release, work.about, work.attack.needs)
        said = run(work.attack, source, own.membership, targets=own.targets, key=work.key)
        found.append(said._asdict())
    return found


def _looked_at(works: Sequence[Work], marks: Mapping[str | None, str]) -> list[str | None]:
    """The names of what the works look at, in the order of their marks: the subject, under None, and explainers."""
    named = {None, *(work.about[0] for work in works if work.about is not None)}
    return [name for name in marks if name in named]


def looks_at_maps(needs: Sequence[str]) -> bool:
    """Whether an attack with these needs looks at maps, or at numbers of them."""
    return any(name == "maps" or name in OF_MAPS for name in needs)


def _releases(attack: Attack, view: View, subject: Subject) -> list[str | None]:
    """The releases beside which an attack is run; None where it looks at no prediction."""
    if "log_probabilities" not in attack.needs:
        return [None]
    if view == "explanation":
        return ["label"]  # which an explanation of the predicted class names
    return [name for name in subject.releases if prediction_part(name).kind != "none"]


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


def _judged(work: Work, said: Attacked) -> Judged:
    (subject, _, _, judge, _), found, explanation = work.result
    judge = judge.narrowed(said.valid & (found.valid if work.about is not None else True))
    release = work.release or "none"
    over = None
    if work.view == "both":
        over = judge.rates(found.prediction[subject.releases.index(release)])
    shown = None if work.view == "prediction" else explanation
    return judge.row(said.scores, attacked(work.view, work.attack.name, subject, release, shown), over)
