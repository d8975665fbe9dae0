"""The audit: from trained models and points to a report."""

import dataclasses
from collections.abc import Mapping, Sequence

import jax

from leakjax import _validate
from leakjax._workdir import opened
from leakjax.attack import DEFAULT_ATTACKS
from leakjax.auditing import asked, door
from leakjax.auditing.assemble import assemble
from leakjax.auditing.backgrounds import backgrounds, with_background
from leakjax.auditing.check import check
from leakjax.auditing.chunks import on_one_device
from leakjax.auditing.clock import Clock
from leakjax.auditing.literature import literature
from leakjax.auditing.measure import measure
from leakjax.auditing.options import Attacker, Budget, Run
from leakjax.auditing.prepare import prepare
from leakjax.auditing.resolve import AttackLike, DefenseLike, resolve
from leakjax.auditing.settings import settings_of
from leakjax.auditing.shadows import by_models, check_counts
from leakjax.auditing.subject import LEAST_MODELS
from leakjax.data import Points
from leakjax.evaluate.document import BackgroundRow, Report, ShadowsRow, to_json
from leakjax.explain import Explainer, LogitsFn, Named
from leakjax.explain.cost import calls_python
from leakjax.shadow import Ensemble


def audit(
    logits_fn: LogitsFn,
    ensemble: Ensemble,
    points: Points,
    *,
    explainers: Sequence[str | Named | Explainer] | Mapping[str, Explainer] = ("gradient",),
    defenses: Sequence[DefenseLike] = ("none",),
    attacks: Sequence[AttackLike] = DEFAULT_ATTACKS,
    targets: Sequence[int] | None = None,
    key: jax.Array,
    attacker: Attacker = Attacker(),  # noqa: B008  (frozen)
    budget: Budget = Budget(),  # noqa: B008
    run: Run = Run(),  # noqa: B008
) -> Report:
    """Measures what explanations leak about membership, beyond what predictions leak.

    Eight arguments say what is measured; the last three hold everything else, each with a default.

    Args:
      logits_fn: (variables of one model, one example [...]) -> logits [classes], in evaluation mode.
      ensemble: at least 4 trained models: variables with leaves [models, ...], and membership, bool [models, points],
        who trained on what, drawn independently with probability 1/2. Diverged models are excluded and counted. With
        fewer than 8 only attacks that need no more are run; 16 to 256 make the strongest attack.
      points: the audited points.
      explainers: names and objects mixed: names in `leakjax.explain.EXPLAINERS`, with options as in
        "smoothgrad(samples=8)"; "cheap" and "all", which stand for the methods that apply to the model;
        "package.module:name(...)" of your own; methods without a model, as `leakjax.explain.lime(samples=100)`; your
        own functions `(variables, x, target, *, key) -> attribution` of one example, whose runs of the model are
        counted unless `leakjax.explain.own` states them. A mapping from names to explainers is a list too. The first
        one serves in the controls.
      defenses: texts that `leakjax.defend.parse` reads, `Defense`s, and functions of one attribution. The attack is
        refitted for each.
      attacks: names and objects mixed: names in `leakjax.attack.ATTACKS`, with options as in "lira(online=False)";
        "package.module:name(...)" of your own; `leakjax.attack.Attack`s. "stacked" is the headline.
      targets: indices of the attacked models; all in turn when None. The others are the shadows of each.
      key: of all randomness; a typed key, `jax.random.key(0)`.
      attacker: what the attacker knows and is shown, a `leakjax.auditing.Attacker`.
      budget: what may be used beside the models and the points, a `leakjax.auditing.Budget`.
      run: how the audit is run and reported, a `leakjax.auditing.Run`.

    Returns:
      The report; `leakjax.report` prints, draws and writes it.

    Raises:
      UsageError: an argument that the caller can mend.
      Exception: what the caller's own function raised, with a note that says which one.
    """
    for name, options, kind in (
        ("attacker", attacker, Attacker),
        ("budget", budget, Budget),
        ("run", run, Run),
    ):
        door.check_options(name, options, kind)
    points = door.checked_points(points)
    if run.group is not None:
        _validate.one_of("group", run.group, points.groups)
    clock = Clock(run.say)
    prepared = prepare(
        logits_fn,
        ensemble,
        points,
        targets=targets,
        key=key,
        attacker=attacker,
        untrained=budget.untrained,
        least=LEAST_MODELS,
    )
    subject = prepared.subject
    counts = check_counts(budget.model_counts, subject.models)
    methods = resolve(explainers, defenses, attacks, subject=subject, budget=budget, say=run.say)
    if run.config is None:
        settings = settings_of(prepared, methods, targets, budget=budget, run=run)
        run = dataclasses.replace(run, config=to_json(settings, "config"))
    first_model = jax.tree.map(lambda leaf: leaf[0], subject.variables)
    with (
        on_one_device(calls_python(logits_fn, first_model, points.x[0])),
        opened(run.store, run.say) as store,
    ):
        measured = measure(subject, methods, costly_points=budget.costly_points, store=store, clock=clock)
        source_of = asked.source_of(subject, methods.explainers, methods.defenses, measured.results)
        others = literature(
            methods.attacks,
            subject,
            measured.results,
            source_of,
            maps=list(measured.results),
            clock=clock,
            store=store,
            marks=measured.marks,
        )
        with clock("controls"):
            checked = check(prepared, methods, measured, store=store)
        compared: list[BackgroundRow] = []
        if with_background(methods, budget.background):
            with clock("background"):
                compared = backgrounds(subject, methods, budget.background, store=store, marks=measured.marks)
        shadows: list[ShadowsRow] = []
        if counts:
            with clock("models"):
                shadows = by_models(methods, measured.results, counts)
    report = assemble(prepared, methods, measured, others, checked, run=run, clock=clock)
    return dataclasses.replace(report, shadows=shadows, backgrounds=compared)
