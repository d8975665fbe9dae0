"""The audit: from trained models and points to a report."""

import contextlib
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from typing import Any

import jax
import jax.numpy as jnp
import jaxlib
import numpy as np

from leakjax import _validate
from leakjax.attack import ATTACKS
from leakjax.audit import controls, rows, stream
from leakjax.audit.explainers import made
from leakjax.audit.judge import Judge
from leakjax.audit.rows import Found
from leakjax.audit.store import Store
from leakjax.audit.subject import Subject
from leakjax.data import Points
from leakjax.defend import Defense, identity
from leakjax.defend.registry import parse
from leakjax.explain import Explainer, LogitsFn
from leakjax.report import Report
from leakjax.shadow import Ensemble, exclude_diverged

EXAMPLES = 3


def audit(
    logits_fn: LogitsFn,
    ensemble: Ensemble,
    points: Points,
    *,
    explainers: Sequence[str] | Mapping[str, Explainer] = ("gradient",),
    defenses: Sequence[str | Defense] = ("none",),
    attacks: Sequence[str] = ATTACKS,
    targets: Sequence[int] | None = None,
    key: jax.Array,
    label_known: bool = True,
    explain_label: bool = False,
    group: str | None = None,
    untrained: Any = None,
    config: Mapping[str, Any] | None = None,
    store: Store | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Report:
    """Measures what explanations leak about membership, beyond what predictions leak.

    Args:
      logits_fn: (variables of one model, one example [...]) -> logits [classes], in evaluation mode.
      ensemble: at least 16 trained models: variables with leaves [models, ...], and member, bool [models, points],
        who trained on what, drawn independently with probability 1/2. Diverged models are excluded and counted.
      points: the audited points.
      explainers: names in `leakjax.explain.EXPLAINERS`, with options as in "smoothgrad(samples=8)", or a mapping
        from names to explainers of one example. The first listed serves in the controls.
      defenses: texts that `leakjax.defend.parse` reads, or `Defense`s. The attack is refitted for each.
      attacks: names in `leakjax.attack.ATTACKS`.
      targets: indices of the attacked models; all in turn when None. The others are the shadows of each.
      key: of all randomness; a typed key, `jax.random.key(0)`.
      label_known: whether the attacker knows the true class.
      explain_label: explain the true class instead of each model's predicted one.
      group: name of a column in `points.groups` by which leakage is broken down.
      untrained: variables of as many models that saw no data, for a control; when None the trained weights,
        shuffled within each array, stand in for them.
      config: what the report records as its configuration.
      store: keeps finished stages.
      say: called with a line when a stage begins.

    Returns:
      The report; `leakjax.report` prints, draws and writes it.

    Raises:
      UsageError: an argument that the caller can mend.
    """
    clock = _Clock(say)
    if group is not None:
        _validate.one_of("group", group, points.groups)
    for attack in attacks:
        _validate.one_of("attacks", attack, ATTACKS)
    explain = made(explainers, logits_fn)
    given = [parse(defense) if isinstance(defense, str) else defense for defense in defenses]
    defend = {defense.name: defense for defense in given}
    ensemble, diverged = exclude_diverged(ensemble)
    subject = Subject(
        logits_fn,
        ensemble.variables,
        np.asarray(ensemble.ids),
        points,
        np.asarray(ensemble.member, bool),
        np.arange(len(ensemble.ids)) if targets is None else np.asarray(targets),
        key,
        label_known,
        explain_label,
    )
    seed = int(jax.random.randint(key, (), 0, 2**31 - 1))
    judge = Judge(subject, seed=seed)

    with clock("predict"):
        predict = stream.predict_program(subject)
        predictions = stream.stream_predictions(predict, subject)
    examples = _examples(subject, predictions)
    found: dict[tuple[str, str], Found] = {}
    releases = {name: stream.release_program(subject, defense) for name, defense in defend.items()}
    for name, explainer in explain.items():
        with clock(f"explain {name}"):
            found |= _explain(subject, predictions, name, explainer, releases, examples, store)
    with clock("evaluate"):
        leakage, curves = rows.leakage(judge, predictions, found, attacks, label_known)
        worst = rows.worst(leakage)
        task = rows.task(subject, predictions, found, judge, diverged)
        utility = rows.utility(judge, found)
        exposed = rows.exposed(judge, found, worst, points.ids)
        groups = [] if group is None else rows.groups(judge, found, group, points.groups[group])
    with clock("controls"):
        first = next(iter(explain.values()))
        programs = controls.Programs(
            predict,
            stream.explain_program(subject, first),
            releases.get("none") or stream.release_program(subject, identity()),
            stream.release_program(subject, identity(), placebo=True),
        )
        blank = _shuffled(ensemble.variables, key) if untrained is None else untrained
        checked = controls.run(subject, judge, programs, blank, seed=seed)
        smallest = controls.smallest_margin(subject, judge, predictions, seed=seed)
    return Report(
        config=dict(config or {}),
        environment=environment(),
        timings=clock.seconds,
        task=task,
        leakage=leakage,
        utility=utility,
        exposed=exposed,
        groups=groups,
        controls=checked,
        smallest_margin=smallest,
        curves=curves,
        examples=rows.examples(subject, found, examples),
        feature_names=None,
    )


def environment() -> dict[str, Any]:
    """Versions, devices and platform, as reports record them."""
    return {
        "leakjax": _version(),
        "jax": jax.__version__,
        "jaxlib": jaxlib.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "devices": [str(device) for device in jax.local_devices()],
    }


def _version() -> str:
    try:
        return metadata.version("leakjax")
    except metadata.PackageNotFoundError:
        return "not installed"


class _Clock:
    """Announces stages and measures their wall time."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.seconds: dict[str, float] = {}
        self._say = say

    @contextlib.contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        self._say(stage)
        start = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - start, 3)


def _explain(
    subject: Subject,
    predictions: stream.Predictions,
    name: str,
    explainer: Explainer,
    releases: Mapping[str, stream.Program],
    examples: np.ndarray,
    store: Store | None,
) -> dict[tuple[str, str], Found]:
    """What one explainer leaks under every defense, from the store where it is there already."""
    kept = store.get(name) if store else None
    if kept is None:
        program = stream.explain_program(subject, explainer)
        streamed = stream.stream_explanations(
            program, list(releases.values()), subject, predictions, examples
        )
        results = [Found.of(controls.scores_of(subject, predictions, one), one) for one in streamed]
        kept = {
            f"{i}.{field}": value for i, one in enumerate(results) for field, value in one._asdict().items()
        }
        if store:
            store.put(name, kept)
    return {
        (name, defense): Found(*(kept[f"{i}.{field}"] for field in Found._fields))
        for i, defense in enumerate(releases)
    }


def _examples(subject: Subject, predictions: stream.Predictions) -> np.ndarray:
    """Rows of the points to show: the first target's members that it is least sure of."""
    target = subject.targets[0]
    members = np.flatnonzero(subject.member[target])
    return np.sort(members[np.argsort(predictions.signal[target][members], kind="stable")[:EXAMPLES]])


def _shuffled(variables: Any, key: jax.Array) -> Any:
    """Networks of the same scale that know nothing: every model's weights shuffled within each array."""
    leaves = jax.tree.leaves(variables)
    keys = iter(jax.random.split(jax.random.fold_in(key, 2), len(leaves)))

    def shuffle(leaf: jax.Array) -> jax.Array:
        flat = jnp.reshape(leaf, (len(leaf), -1))
        return jax.random.permutation(next(keys), flat, axis=1, independent=True).reshape(leaf.shape)

    return jax.tree.map(shuffle, variables)
