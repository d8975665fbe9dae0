"""The audit of answers alone: a scikit-learn forest from its training to a report, and what is refused."""

import jax
import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

import leakjax
from leakjax._validate import UsageError
from leakjax.auditing import Attacker, Run
from leakjax.data.mapped import mapped
from leakjax.evaluate.document import dumps

MODELS, POINTS, FEATURES = 16, 150, 5
LITERATURE = ["lira", "rmia", "map_ratio", "lira(signal='depth')"]
DEFENSES = ["none", "preset:gradient", "project_out()"]


@pytest.fixture(scope="module")
def forest():
    """What forests answer that were each trained on a random half: logits, occlusions, and one signal."""
    x, y = make_classification(POINTS, FEATURES, n_informative=3, flip_y=0.3, n_redundant=0, random_state=0)
    member = np.random.default_rng(0).random((MODELS, POINTS)) < 0.5
    logits, maps = [], []
    for own in member:
        model = RandomForestClassifier(20, max_features=2, random_state=0).fit(x[own], y[own])
        chance = lambda points, model=model: np.clip(model.predict_proba(points), 0.01, 0.99)
        p = chance(x)
        predicted = p.argmax(axis=1)
        without = []
        for feature in range(FEATURES):
            less = x.copy()
            less[:, feature] = 0
            without.append((p - chance(less))[np.arange(POINTS), predicted])
        logits.append(np.log(p))
        maps.append(np.stack(without, axis=1))
    signals = np.stack([np.max(logits, axis=-1), np.abs(maps).sum(axis=-1)], axis=-1)
    return {
        "member": member,
        "logits": np.array(logits),
        "labels": y,
        "attributions_occlusion": np.array(maps),
        "signals": signals,
        "names": np.array(["sure", "depth"]),
        "views": np.array(["prediction", "explanation"]),
        "x": x,
        "groups": np.where(x[:, 0] > 0, "high", "low"),
    }


@pytest.fixture(scope="module")
def report(forest):
    attacks = [*leakjax.attack.DEFAULT_ATTACKS, *LITERATURE]
    return leakjax.score(forest, name="forest", attacks=attacks, key=jax.random.key(0))


@pytest.mark.slow
def test_forests_that_overfit_are_found_to_leak(report):
    rows = {(row.view, row.attack, row.release, row.explainer): row for row in report.leakage}
    assert rows["prediction", "stacked", "vector", "none"].auc.value > 0.8
    assert rows["explanation", "stacked", "none", "occlusion"].auc.value > 0.55
    assert rows["prediction", "lira", "vector", "none"].auc.value > 0.8
    assert rows["explanation", "lira(signal='depth')", "none", "signals"].release == "none"
    assert {row.explainer for row in report.leakage} == {"none", "occlusion", "signals"}
    assert {row.release for row in report.leakage if row.attack == "rmia"} == {
        "label",
        "confidence(1)",
        "vector",
    }
    assert report.task.train_accuracy.value > report.task.test_accuracy.value + 0.1


@pytest.mark.slow
def test_it_makes_the_document_of_an_audit_with_the_controls_that_need_no_model(report):
    assert len(dumps(report)) > 1000
    names = {control.name for control in report.controls}
    assert names == {
        "permuted_membership",
        "inclusion_count",
        "placebo",
        "planted",
        "score_sign",
        "hardened",
    }
    assert report.config["targets"] is None
    assert report.config["key"] == jax.random.key_data(jax.random.key(0)).tolist()
    assert report.config["controls_not_run"] == ["untrained: there are answers and no models"]


@pytest.mark.slow
def test_it_says_what_an_audit_of_the_same_models_says(ensemble, points):
    """The linear models of the other tests: their audit, and the score of their answers."""
    from tests.auditing.world import gradient, logits_fn

    options = {"defenses": DEFENSES, "attacks": [*leakjax.attack.DEFAULT_ATTACKS, "map_ratio"]}
    points = points._replace(ids=np.arange(len(points.x), dtype=np.int32))  # noise is drawn by them
    audited = leakjax.audit(
        logits_fn, ensemble, points, explainers={"gradient": gradient}, **options, key=jax.random.key(7)
    )
    over = lambda function: jax.vmap(jax.vmap(function, (None, 0)), (0, None))(ensemble.variables, points.x)
    logits = over(logits_fn)

    def explained(own, x):
        return gradient(own, x, logits_fn(own, x).argmax(), key=None)

    scored = leakjax.score(
        {
            "member": np.asarray(ensemble.membership),
            "logits": np.asarray(logits),
            "labels": points.y,
            "attributions_gradient": np.asarray(over(explained)),
            "x": points.x,
        },
        **options,
        key=jax.random.key(7),
    )
    rows = lambda report: {
        (row.view, row.attack, row.release, row.explainer, row.defense): row.auc.value
        for row in report.leakage
    }
    mine, theirs = rows(scored), rows(audited)
    assert mine.keys() == theirs.keys()
    assert len({about[-1] for about in mine if about[1] == "map_ratio"}) == len(DEFENSES)
    for about, auc in mine.items():
        assert auc == pytest.approx(theirs[about], abs=1e-3), about
    assert [row.defense for row in scored.utility] == [row.defense for row in audited.utility]
    for row, other in zip(scored.utility, audited.utility, strict=True):
        assert row.cosine.value == pytest.approx(other.cosine.value, abs=1e-4)
        assert row.top_overlap.value == pytest.approx(other.top_overlap.value, abs=1e-3)
    (of_mine,), (of_theirs,) = (
        [control for control in report.controls if control.name == "hardened"] for report in (scored, audited)
    )
    assert of_mine.passed
    assert of_mine.seen.value == pytest.approx(of_theirs.seen.value, abs=1e-3)


def test_a_defense_that_looks_at_the_query_needs_the_query(forest):
    without = {name: a for name, a in forest.items() if name != "x"}
    with pytest.raises(UsageError, match=r"^x=None: project_out needs the query x.*an array x") as error:
        leakjax.score(without, defenses=["none", "normalize()+project_out()"], key=jax.random.key(0))
    assert "\n" not in str(error.value)
    others = {**forest, "x": forest["x"][:, :2]}
    with pytest.raises(UsageError, match=r"^x=\(2,\): must have the shape of the attribution, \(5,\)"):
        leakjax.score(others, defenses=["project_out()"], key=jax.random.key(0))


@pytest.mark.slow
def test_signals_pass_through_no_defense_and_maps_through_each(forest):
    report = leakjax.score(forest, defenses=["sign()", "none"], attacks=["stacked"], key=jax.random.key(0))
    shown = {(row.explainer, row.defense) for row in report.leakage if row.view == "both"}
    assert shown == {("occlusion", "sign()"), ("occlusion", "none"), ("signals", "none")}
    assert report.config["defenses"] == ["sign()", "none"]


@pytest.mark.slow
def test_signals_alone_are_enough(forest):
    few = {name: forest[name] for name in ("member", "signals", "names", "views")}
    report = leakjax.score(few, key=jax.random.key(0))
    assert np.isnan(report.task.train_accuracy.value)
    row = next(row for row in report.leakage if row.view == "explanation")
    assert (row.explainer, row.release) == ("signals", "none")


def test_a_file_is_mapped_and_says_the_same(forest, tmp_path):
    path = tmp_path / "forest.npz"
    arrays = {**forest, "logits": np.asfortranarray(forest["logits"])}
    np.savez(path, **arrays)
    found = mapped(path)
    assert all(isinstance(array, np.memmap) for array in found.values())
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)


def test_files_that_cannot_be_mapped_are_refused(forest, tmp_path):
    path = tmp_path / "answers.npz"
    with pytest.raises(UsageError, match="no such file"):
        mapped(path)
    np.savez_compressed(path, member=forest["member"])
    with pytest.raises(UsageError, match="is compressed"):
        mapped(path)
    np.savez(path, member=np.array([None]))
    with pytest.raises(UsageError, match="holds objects"):
        mapped(path)
    path.write_bytes(b"nothing")
    with pytest.raises(UsageError, match="not a readable"):
        mapped(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"member": None}, "must hold member"),
        ({"member": np.zeros(3)}, "member"),
        ({"logits": np.zeros((MODELS, 9, 2))}, r"logits=.*shape of member"),
        ({"member": np.arange(MODELS)[:, None] % 2 == np.arange(POINTS)[None] % 2}, "independent coins"),
        ({"labels": None}, "labels"),
        ({"labels": np.full(POINTS, 7)}, "labels"),
        ({"logit": np.zeros((MODELS, POINTS, 2))}, "did you mean 'logits'"),
        ({"names": np.array(["one"])}, "names"),
        ({"views": np.array(["other", "other"])}, "views"),
        ({"attributions_occlusion": np.full((MODELS, POINTS, 2), "a")}, "real numbers"),
        ({"attributions_occlusion": None, "signals": None}, "holds no explanation"),
    ],
)
def test_arrays_that_do_not_fit_are_named_in_one_line(forest, change, words):
    arrays = {name: a for name, a in {**forest, **change}.items() if a is not None}
    with pytest.raises(UsageError, match=words) as error:
        leakjax.score(arrays, key=jax.random.key(0))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"member": np.ones((MODELS, POINTS), bool)}, r"member=.*no point is both in some models and out"),
        ({"member": np.full((MODELS, POINTS), 0.5)}, r"member='0\.5': must hold True and False"),
        (
            {"queries": np.zeros((MODELS, POINTS, 2))},
            r"queries=.*must be \[models, points, queries, classes\]",
        ),
        ({"logits": np.full((MODELS, POINTS, 2), np.nan)}, "points=0: no point is left.*not finite"),
    ],
)
def test_answers_of_which_nothing_can_be_told_are_named(forest, change, words):
    with pytest.raises(UsageError, match=f"^{words}"):
        leakjax.score({**forest, **change}, key=jax.random.key(0), attacker=Attacker(releases=("label",)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"key": 0}, r"key=0: must be a typed key"),
        ({"targets": [99]}, r"targets=\[99\]: must be indices of models"),
        ({"targets": "0"}, "targets='0': must be a list of whole numbers"),
        ({"attacker": {"label_known": True}}, "attacker='dict': must be a leakjax.auditing.Attacker"),
        ({"run": Run(store="somewhere")}, "store='somewhere': answers are read"),
        ({"run": "here"}, "run='str': must be a leakjax.auditing.Run"),
        ({"attacks": "stacked"}, "attacks='stacked': must be a list"),
        ({"defenses": "none"}, "defenses='none': must be a list"),
        ({"defenses": ["keep_top_k(9)"]}, "k=9: "),
        ({"arrays": [1, 2]}, "answers='list': must be a mapping"),
    ],
)
def test_arguments_are_checked_as_those_of_an_audit(forest, options, words):
    given = {"arrays": forest, "key": jax.random.key(0), **options}
    with pytest.raises(UsageError, match=f"^{words}"):
        leakjax.score(given.pop("arrays"), **given)


@pytest.mark.slow
def test_attacks_that_miss_something_are_named(forest):
    few = {name: a for name, a in forest.items() if not name.startswith("attributions")}
    with pytest.raises(UsageError, match="needs queries"):
        leakjax.score(forest, attacks=["stacked", "augmentation"], key=jax.random.key(0))
    with pytest.raises(UsageError, match="attacks"):
        leakjax.score(few, attacks=["nothing"], key=jax.random.key(0))
    with pytest.raises(UsageError, match="models"):
        leakjax.score({**forest, **_few_models(forest, 5)}, key=jax.random.key(0))


def _few_models(forest, models):
    per_model = ("member", "logits", "attributions_occlusion", "signals")
    return {name: forest[name][:models] for name in per_model}


@pytest.mark.slow
def test_an_attacker_who_does_not_know_the_label_takes_the_predicted_class_for_it(forest):
    attacker = Attacker(label_known=False)
    report = leakjax.score(forest, attacker=attacker, key=jax.random.key(0))
    found = {
        row.attack: row.auc.value
        for row in report.leakage
        if row.view == "prediction" and row.release == "vector"
    }
    # The loss of the predicted class says how sure the model is of it.
    assert found["threshold(signal='loss')"] == found["threshold(signal='confidence')"]
    assert all(not row.label_known for row in report.leakage)
