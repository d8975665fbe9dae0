"""What an audit keeps, and that nothing kept serves once anything that decides it is another."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import leakjax
from leakjax import attack, explain
from leakjax._validate import UsageError
from leakjax._workdir import claim, fingerprint
from leakjax.auditing import controls
from leakjax.auditing.decides import attack_mark, controls_mark, explainer_mark, subject_mark
from leakjax.auditing.options import Attacker, Run
from leakjax.auditing.subject import Subject
from leakjax.defend import clip_norm, lift, parse
from leakjax.evaluate.document import to_json
from tests.auditing.world import CLIP, MODELS, gradient, leaky, logits_fn

SHOWN = np.array([1003, 1005])


@pytest.fixture(scope="module")
def subject(ensemble, points):
    return Subject(
        logits_fn,
        ensemble.variables,
        ensemble.ids,
        points,
        ensemble.membership,
        targets=np.arange(MODELS),
        key=jax.random.key(7),
    )


def nudged(array):
    """The same array but for one value, changed as little as its type allows."""
    changed = np.array(array)
    first = changed.reshape(-1)[:1]
    first[:] = np.nextafter(first, np.inf) if changed.dtype.kind == "f" else first ^ 1
    return changed


def other_logits(variables, x):
    return logits_fn(variables, x) + jnp.asarray([0.0, 1e-6])


SUBJECTS = {
    "logits_fn": lambda s: {"logits_fn": other_logits},
    "variables": lambda s: {"variables": {**s.variables, "w": nudged(s.variables["w"])}},
    "membership": lambda s: {"membership": nudged(s.membership)},
    "model ids": lambda s: {"model_ids": nudged(s.model_ids)},
    "targets": lambda s: {"targets": s.targets[:-1]},
    "order of targets": lambda s: {"targets": s.targets[::-1]},
    "key": lambda s: {"key": jax.random.key(8)},
    "kind of key": lambda s: {"key": jax.random.key(7, impl="rbg")},
    "x": lambda s: {"points": s.points._replace(x=nudged(s.points.x))},
    "y": lambda s: {"points": s.points._replace(y=nudged(s.points.y))},
    "ids": lambda s: {"points": s.points._replace(ids=nudged(s.points.ids))},
    "label_known": lambda s: {"label_known": False},
    "explained_class": lambda s: {"explained_class": "true"},
    "neighbours": lambda s: {"neighbours": 1},
    "steps to neighbours": lambda s: {"neighbour_step": 0.2},
    "who explains": lambda s: {"explained_by": s.variables},
}


@pytest.mark.parametrize("name", SUBJECTS)
def test_another_subject_is_another_fingerprint(subject, name):
    changed = dataclasses.replace(subject, **SUBJECTS[name](subject))
    assert subject_mark(changed, SHOWN) != subject_mark(subject, SHOWN)


def test_what_decides_nothing_changes_nothing(subject):
    points = subject.points._replace(groups={}, feature_names=(), name="renamed", duplicates=0)
    same = dataclasses.replace(subject, points=points, variables=jax.device_put(subject.variables))
    assert subject_mark(same, SHOWN) == subject_mark(subject, SHOWN)
    assert subject_mark(subject, SHOWN[::-1]) != subject_mark(subject, SHOWN)


@pytest.mark.parametrize(
    "setting",
    [("jax_default_matmul_precision", "highest"), ("jax_default_prng_impl", "rbg")],
    ids=lambda setting: setting[0],
)
def test_another_precision_is_another_fingerprint(subject, setting):
    before, old = subject_mark(subject, SHOWN), jax.config.values[setting[0]]
    jax.config.update(*setting)
    try:
        assert subject_mark(subject, SHOWN) != before
    finally:
        jax.config.update(setting[0], old)


@pytest.mark.parametrize("what", ["sources", "libraries", "backend", "devices"])
def test_another_version_of_code_or_machine_is_another_fingerprint(subject, monkeypatch, what):
    before = subject_mark(subject, SHOWN)
    now = fingerprint.environment()
    monkeypatch.setattr("leakjax.auditing.decides.environment", lambda: {**now, what: "another"})
    assert subject_mark(subject, SHOWN) != before


def scaled(factor, variables, x, target, *, key, segments=None):
    return factor * gradient(variables, x, target, key=key)


def masked(labels):
    return partial(explain.feature_ablation(logits_fn), segments=explain.Segments(labels, labels.max() + 1))


def by_name(name):
    from leakjax.auditing.explainers import parse as named

    return named(name).make(logits_fn, (7,), None)


EXPLAINERS = {
    "one": gradient,
    "scaled": partial(scaled, 2.0),
    "scaled otherwise": partial(scaled, 2.0 + 1e-6),
    "smoothed": by_name("smoothgrad(samples=3)"),
    "smoothed otherwise": by_name("smoothgrad(samples=4)"),
    "segments": masked(np.arange(7) // 2),
    "other segments": masked(np.arange(7) // 3),
    "background": explain.feature_ablation(logits_fn, background=np.zeros((4, 7), np.float32)),
    "other background": explain.feature_ablation(logits_fn, background=np.full((4, 7), 1e-6, np.float32)),
}
DEFENSES = {
    "none": [parse("none")],
    "clip": [parse("clip_norm(1.0)")],
    "other clip": [parse("clip_norm(1.5)")],
    "noise": [parse("gaussian_noise(0.5)")],
    "chain": [parse("clip_norm(1.0)+gaussian_noise(0.5)")],
    "other order": [parse("gaussian_noise(0.5)+clip_norm(1.0)")],
    "two": [parse("none"), parse("clip_norm(1.0)")],
    "two, other order": [parse("clip_norm(1.0)"), parse("none")],
    "own": [lift("own", lambda attribution: attribution * 2)],
    "own of the same name": [lift("own", lambda attribution: attribution * 3)],
}


def test_every_explainer_and_defense_has_its_fingerprint(subject):
    one = [
        *(explainer_mark(subject, "0", explainer, DEFENSES["none"]) for explainer in EXPLAINERS.values()),
        *(explainer_mark(subject, "0", gradient, defenses) for defenses in DEFENSES.values()),
    ]
    assert len(set(one)) == len(EXPLAINERS) + len(DEFENSES) - 1  # "one" and "none" are the same
    assert explainer_mark(subject, "1", gradient, DEFENSES["none"]) not in one
    assert explainer_mark(subject, "0", partial(scaled, 2.0), DEFENSES["none"]) in one


@pytest.fixture
def audit(ensemble, points, tmp_path):
    def audit(explainers, changed=points, **options):
        return leakjax.audit(
            logits_fn,
            ensemble,
            changed,
            explainers=explainers,
            key=jax.random.key(7),
            run=Run(store=tmp_path / "store", **options.pop("run", {})),
            **{"attacker": Attacker(releases=("label",)), "attacks": ["stacked"], **options},
        )

    return audit


def kept(tmp_path):
    return {path.name for path in (tmp_path / "store" / "stages").iterdir()}


def dumps_of(report):
    """What the controls say, as the report's file has it."""
    return [*map(to_json, report.controls), to_json(report.smallest_margin)]


def numbers(report):
    return [(row.explainer, row.view, row.attack, row.tpr_at_fpr) for row in report.leakage]


@pytest.mark.slow
def test_a_kept_stage_is_read_and_a_damaged_or_another_one_is_done(audit, points, tmp_path, monkeypatch):
    explainers, said, checked = {"leaky": leaky, "gradient": gradient}, [], []
    run = controls.run
    monkeypatch.setattr(controls, "run", lambda *given: checked.append(1) or run(*given))
    first = audit(explainers)
    names = kept(tmp_path)
    assert {name.split(".")[0] for name in names} >= {"explain_leaky", "explain_gradient", "controls"}
    times = {path: path.read_bytes() for path in (tmp_path / "store" / "stages").iterdir()}
    again = audit(explainers)
    assert numbers(again) == numbers(first)
    assert dumps_of(again) == dumps_of(first)
    assert len(checked) == 1
    for path, content in times.items():
        path.write_bytes(content[:-1])
    assert numbers(audit(explainers, run={"say": said.append})) == numbers(first)
    assert sum("done again" in line for line in said) == len(names)
    assert {path: path.read_bytes() for path in times} == times
    # What is only reported costs nothing again; another explainer of the same name and other labels do.
    audit(explainers, run={"group": "side"})
    assert kept(tmp_path) == names
    audit({"leaky": gradient}, changed=points._replace(y=1 - points.y))
    assert len(kept(tmp_path)) == len(names) + 2  # the explainer, and the controls with it
    assert len(checked) == 3


def test_a_store_that_is_in_use_is_named(audit, tmp_path):
    with claim(tmp_path / "store") as workdir:
        with pytest.raises(UsageError, match="is in use by process"):
            audit({"leaky": leaky})
        assert workdir.path == tmp_path / "store"


def test_two_defenses_of_one_name_are_an_error(audit):
    for defenses in (["none", CLIP, CLIP], [clip_norm(1.0), lift(parse(CLIP).name, jnp.abs)]):
        with pytest.raises(UsageError, match=r"defenses='clip_norm.1.0, norm=2.': is given twice"):
            audit({"leaky": leaky}, defenses=defenses)


def own(scale):
    def reduce(replies, membership, known, scored):
        return scale * replies.maps[scored].sum(axis=-1)

    return attack.Attack("own", ("explanation",), reduce, needs=("maps",))


def test_another_attack_is_another_fingerprint():
    texts = ["lira", "lira(online=False)", "lira(variance='global')", "rmia", "rmia(gamma=1.5)", "neural"]
    attacks = [
        *map(attack.parse, texts),
        own(1.0),
        own(2.0),
        own(1.0)._replace(score=lambda _, found: -found),
    ]
    marks = [attack_mark(["subject"], one, [SHOWN]) for one in attacks]
    assert len(set(marks)) == len(marks)
    again = [*map(attack.parse, texts), own(1.0)]
    assert [attack_mark(["subject"], one, [SHOWN]) for one in again] == marks[: len(again)]
    assert attack_mark(["another"], own(1.0), [SHOWN]) not in marks
    assert attack_mark(["subject"], own(1.0), [SHOWN[:1]]) not in marks


def test_other_controls_are_another_fingerprint(subject):
    weights = subject.variables
    changed = {**weights, "w": nudged(weights["w"])}
    asked = [("s", "e", None), ("t", "e", None), ("s", "f", None), ("s", "e", weights), ("s", "e", changed)]
    marks = [controls_mark(*each) for each in asked]
    assert len(set(marks)) == len(marks)
    assert controls_mark("s", "e", {**changed}) == marks[-1]


@pytest.mark.slow
def test_a_finished_attack_is_read_and_another_one_is_run(run, tmp_path):
    said = []
    given = {"explainers": {"leaky": leaky}, "defenses": ("none",), "targets": [0, 5]}

    def audit(*attacks):
        store = Run(store=tmp_path, say=said.append)
        return run(attacks=["stacked", *attacks], run=store, **given).leakage

    first = audit(own(1.0), "lira")
    before = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert audit(own(1.0), "lira") == first
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == before
    other = audit(own(-1.0), "lira")
    of = lambda rows, name: [row for row in rows if row.attack == name]
    assert of(other, "own")[0].auc.value == pytest.approx(1 - of(first, "own")[0].auc.value)
    assert of(other, "lira") == of(first, "lira")
