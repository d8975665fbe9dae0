"""The audit: from trained models and points to a report."""

import contextlib
import dataclasses
import hashlib
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from typing import Any

import jax
import jax.numpy as jnp
import jaxlib
import numpy as np

from leakjax import _validate
from leakjax.attack import ATTACKS
from leakjax.auditing import controls, rows, stream
from leakjax.auditing.explainers import LISTS, expand
from leakjax.auditing.judge import Judge
from leakjax.auditing.rows import Found
from leakjax.auditing.store import Store
from leakjax.auditing.subject import Subject, check_models
from leakjax.data import Points, take
from leakjax.defend import Defense, identity
from leakjax.defend.registry import parse
from leakjax.explain import Explainer, LogitsFn
from leakjax.report import Report
from leakjax.shadow import Ensemble, diverged, exclude_diverged

EXAMPLES = 2


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
    background: np.ndarray | None = None,
    costly_points: int | None = None,
    config: Mapping[str, Any] | None = None,
    store: Store | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Report:
    """Measures what explanations leak about membership, beyond what predictions leak.

    Args:
      logits_fn: (variables of one model, one example [...]) -> logits [classes], in evaluation mode.
      ensemble: at least 16 trained models: variables with leaves [models, ...], and membership, bool [models, points],
        who trained on what, drawn independently with probability 1/2. Diverged models are excluded and counted.
      points: the audited points.
      explainers: names in `leakjax.explain.EXPLAINERS`, with options as in "smoothgrad(samples=8)", or a mapping
        from names to explainers of one example; "cheap" and "all" stand for the methods that apply to the model.
        The first one serves in the controls.
      defenses: texts that `leakjax.defend.parse` reads, or `Defense`s. The attack is refitted for each.
      attacks: names in `leakjax.attack.ATTACKS`.
      targets: indices of the attacked models; all in turn when None. The others are the shadows of each.
      key: of all randomness; a typed key, `jax.random.key(0)`.
      label_known: whether the attacker knows the true class.
      explain_label: explain the true class instead of each model's predicted one.
      group: name of a column in `points.groups` by which leakage is broken down.
      untrained: variables of as many models that saw no data, for a control; when None the trained weights,
        shuffled within each array, stand in for them.
      background: [rows, ...], points that are not audited, for the methods that need some.
      costly_points: explainers of more than 10 runs of the model are audited on so many of the points; None: on all.
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
    given = [parse(defense) if isinstance(defense, str) else defense for defense in defenses]
    defend = {defense.name: defense for defense in given}
    models = len(ensemble.membership)
    check_models("variables", ensemble.variables, models)
    untrained = _shuffled(ensemble.variables, key) if untrained is None else untrained
    check_models("untrained", untrained, models)
    ensemble, untrained, attacked, left_out = _without_diverged(ensemble, untrained, targets)
    subject = Subject(
        logits_fn,
        ensemble.variables,
        np.asarray(ensemble.ids),
        points,
        np.asarray(ensemble.membership, bool),
        attacked,
        key,
        label_known,
        explain_label,
    )
    seed = int(jax.random.randint(key, (), 0, 2**31 - 1))
    if isinstance(explainers, Mapping):
        explain, costly = dict(explainers), set[str]()
    else:
        first_model = jax.tree.map(lambda leaf: leaf[0], subject.variables)
        named = expand(explainers, logits_fn, first_model, points.x[0], background, say)
        explain = {one.name: one.make(logits_fn, points.x.shape[1:], background) for one in named}
        costly = {one.name for one in named if one.runs(points.x.shape[1:]) > LISTS["cheap"]}
    if not explain:
        raise _validate.fail(
            "explainers", list(explainers), "must name at least one that applies to the model"
        )

    with clock("predict"):
        predict = stream.predict_program(subject)
        sitting = _sit(subject, predict, seed)
        few = sitting
        if costly_points is not None and costly and costly_points < len(points.x):
            few = _sit(_with_points(subject, costly_points), predict, seed)
    shown = _examples(few)
    releases = {name: stream.release_program(subject, defense) for name, defense in defend.items()}
    results: dict[tuple[str, str], rows.Result] = {}
    for name, explainer in explain.items():
        with clock(f"explain {name}"):
            results |= _explain(few if name in costly else sitting, name, explainer, releases, shown, store)
    with clock("evaluate"):
        leakage, curves = rows.leakage(results, attacks)
        task = rows.task(sitting, results, left_out)
        utility = rows.utility(results)
        exposed = rows.exposed(results, rows.worst(leakage))
        groups = rows.groups(results, group)
    with clock("controls"):
        first = next(iter(explain))
        checked_on = few if first in costly else sitting
        programs = controls.Programs(
            predict,
            stream.explain_program(subject, explain[first]),
            releases.get("none") or stream.release_program(subject, identity()),
            stream.release_program(subject, identity(), placebo=True),
        )
        checked = controls.run(checked_on.subject, checked_on.judge, programs, untrained, seed=seed)
        smallest = controls.smallest_margin(
            checked_on.subject, checked_on.judge, checked_on.predictions, seed=seed
        )
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
        examples=rows.examples(points, results, shown),
        feature_names=points.feature_names or None,
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


def _sit(subject: Subject, predict: stream.Program, seed: int) -> rows.Sitting:
    predictions = stream.stream_predictions(predict, subject)
    return rows.Sitting(subject, predictions, Judge(subject, seed=seed))


def _with_points(subject: Subject, count: int) -> Subject:
    """The same audit of fewer points, evenly spread."""
    kept = np.arange(count) * len(subject.points.x) // count
    return dataclasses.replace(
        subject, points=take(subject.points, kept), membership=subject.membership[:, kept]
    )


def _explain(
    sitting: rows.Sitting,
    name: str,
    explainer: Explainer,
    releases: Mapping[str, stream.Program],
    shown: np.ndarray,
    store: Store | None,
) -> dict[tuple[str, str], rows.Result]:
    """What one explainer leaks under every defense, from the store where it is there already."""
    subject, predictions, _ = sitting
    kept = store.get(name) if store else None
    fingerprint = _fingerprint(subject, releases) if store else ""
    if kept is None or kept.get("fingerprint") != fingerprint:
        program = stream.explain_program(subject, explainer)
        examples = np.flatnonzero(np.isin(subject.points.ids, shown))
        streamed = stream.stream_explanations(
            program, list(releases.values()), subject, predictions, examples
        )
        found = [Found.of(controls.scores_of(subject, predictions, one), one) for one in streamed]
        kept = {
            f"{i}.{field}": value for i, one in enumerate(found) for field, value in one._asdict().items()
        }
        if store:
            store.put(name, {**kept, "fingerprint": np.asarray(fingerprint)})
    return {
        (name, defense): rows.Result(sitting, Found(*(kept[f"{i}.{field}"] for field in Found._fields)))
        for i, defense in enumerate(releases)
    }


def _fingerprint(subject: Subject, releases: Iterable[str]) -> str:
    """A digest of all that decides what an explainer of one name leaks, but the explainer itself."""
    arrays: list[Any] = [
        subject.points.x,
        subject.points.ids,
        subject.membership,
        subject.targets,
        subject.model_ids,
    ]
    arrays += [jax.random.key_data(subject.key), *jax.tree.leaves(subject.variables)]
    digest = hashlib.sha256(repr((subject.label_known, subject.explain_label, *releases)).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _without_diverged(
    ensemble: Ensemble, untrained: Any, targets: Sequence[int] | None
) -> tuple[Ensemble, Any, np.ndarray, np.ndarray]:
    """Leaves out diverged models everywhere: (ensemble, untrained, targets among what is left, ids left out)."""
    models = len(ensemble.membership)
    bad = diverged(ensemble)
    for target in () if targets is None else targets:
        if not 0 <= target < models:
            raise _validate.fail(
                "targets", list(targets or ()), f"must be indices of models, 0 to {models - 1}"
            )
        if bad[target]:
            raise _validate.fail("targets", target, "this model diverged and cannot be attacked")
    left = np.cumsum(~bad) - 1
    attacked = np.arange(models)[~bad] if targets is None else np.asarray(targets, int)
    untrained = jax.tree.map(lambda leaf: np.asarray(leaf)[~bad], untrained)
    kept, left_out = exclude_diverged(ensemble)
    return kept, untrained, left[attacked], left_out


def _examples(sitting: rows.Sitting) -> np.ndarray:
    """Ids of the points to show: the first target's members that it is least sure of."""
    subject, predictions, _ = sitting
    target = subject.targets[0]
    members = np.flatnonzero(subject.membership[target])
    unsure = np.argsort(predictions.signal[target][members], kind="stable")[:EXAMPLES]
    return subject.points.ids[members[unsure]]


def _shuffled(variables: Any, key: jax.Array) -> Any:
    """Networks of the same scale that know nothing: every model's weights shuffled within each array."""
    leaves = jax.tree.leaves(variables)
    keys = iter(jax.random.split(jax.random.fold_in(key, 2), len(leaves)))

    def shuffle(leaf: jax.Array) -> jax.Array:
        flat = jnp.reshape(leaf, (len(leaf), -1))
        return jax.random.permutation(next(keys), flat, axis=1, independent=True).reshape(leaf.shape)

    return jax.tree.map(shuffle, variables)
