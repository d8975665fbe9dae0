"""The leakage profile on a small world in which one explainer says outright who is a member."""

import dataclasses

import jax
import numpy as np
import pytest

from leakjax._workdir import claim
from leakjax.attack.queries import removals
from leakjax.auditing import Attacker
from leakjax.auditing.pool import Pool
from leakjax.auditing.prepare import prepare
from leakjax.evaluate.document import Estimate, Explained, dumps, fields_of, from_json, to_json
from leakjax.papers.leakage import LeakageProfile, Settings, profile, section, study
from leakjax.papers.leakage.claims import least_more, of_profile
from leakjax.papers.leakage.figures import images
from leakjax.papers.leakage.ranked import ranked
from leakjax.papers.leakage.rivals import REMOVALS, rivals, trajectories_of
from tests.auditing.world import logits_fn
from tests.report.reader import Reader

LEAKY = "tests.auditing.world:leaky"
pytestmark = pytest.mark.slow  # all of them look at one profile, which takes half a minute
SETTINGS = Settings(explainers=("gradient", LEAKY, "gradcam"), networks=False, group="side")


@pytest.fixture(scope="module")
def subject(ensemble, points):
    ready = prepare(
        logits_fn,
        ensemble,
        points,
        targets=None,
        key=jax.random.key(1),
        attacker=Attacker(releases=("label", "vector"), neighbours=2),
        untrained=None,
    )
    return ready


def found_in(folder, subject, points, settings=SETTINGS):
    with claim(folder) as held:
        return profile(
            subject, Pool(points, None), settings, config={"seed": 1}, workdir=held, say=lambda line: None
        )


@pytest.fixture(scope="module")
def kept(subject, points, tmp_path_factory):
    folder = tmp_path_factory.mktemp("profile")
    return folder, found_in(folder, subject, points)


def test_the_explainer_that_says_it_outright_ranks_first_and_what_does_not_apply_has_its_reason(kept):
    found = kept[1]
    assert [row.explainer for row in found.methods] == [LEAKY, "gradient"]
    assert [row.rank for row in found.methods] == [1, 2]
    assert found.methods[0].alone.value > 0.95
    assert found.methods[0].margins["vector"].auc.low > 0
    assert [one.name for one in found.left_out] == ["gradcam"]
    assert from_json(LeakageProfile, to_json(found)).methods[0].explainer == LEAKY


def test_every_attack_stands_beside_every_method_under_every_release(kept):
    found = kept[1]
    told = {(row.explainer, row.view, row.release, row.attack) for row in found.leakage}
    for explainer in ("gradient", LEAKY):
        assert (explainer, "explanation", "none", "stacked") in told
        for release in ("label", "vector"):
            assert (explainer, "both", release, "stacked") in told
            assert (explainer, "both", release, "trajectories") in told
        for rival in rivals(()):
            if not rival.network:
                assert (explainer, "explanation", "none", rival.attack.name) in told
    assert ("none", "prediction", "vector", "stacked") in told
    assert {(row.release, row.queries) for row in found.neighbours} == {
        (release, queries) for release in ("label", "vector") for queries in (1, 2)
    }
    worth = {(row.explainer, row.release): row.queries for row in found.worth}
    assert worth[LEAKY, "label"] is None  # no number of queries near a point says who is a member
    assert {row.level for row in found.groups} == {"left", "right"}


def test_more_is_the_difference_and_relative_the_ratio_less_one(kept):
    for row in kept[1].beyond:
        for rate, more in row.more.items():
            assert more.value == pytest.approx(row.ours[rate].value - row.theirs[rate].value)
            if row.theirs[rate].value > 0:
                expected = row.ours[rate].value / row.theirs[rate].value - 1
                assert row.relative[rate].value == pytest.approx(expected)


def test_a_finished_method_is_not_measured_again(kept, subject, points, monkeypatch):
    folder, before = kept

    def forbidden(*arguments):
        raise AssertionError("it was measured again")

    monkeypatch.setattr(study, "shown", forbidden)
    again = found_in(folder, subject, points)
    plain = lambda found: dumps(dataclasses.replace(found, timings={}))
    assert plain(again) == plain(before)
    with pytest.raises(AssertionError, match="again"):
        found_in(folder, subject, points, dataclasses.replace(SETTINGS, explainers=("lrp",)))


def test_methods_on_many_and_on_few_points_are_read_at_the_rate_that_all_allow(kept):
    found = kept[1]
    fine, coarse = (
        {
            "about": {field.name: getattr(method, field.name) for field in fields_of(Explained)},
            "runs": method.runs,
            "points": method.points,
            "seconds": method.seconds,
            "leakage": [to_json(row) for row in found.leakage if row.explainer == method.explainer],
        }
        for method in found.methods
    )
    for row in fine["leakage"]:
        row["headline_fpr"] = "0.001"
    assert {row.headline_fpr for row in ranked([fine])} == {"0.001"}
    both = ranked([fine, coarse])
    assert {row.headline_fpr for row in both} == {"0.01"}
    added = [row.margins["label"].tpr_at_fpr["0.01"].value for row in both]
    assert added == sorted(added, reverse=True)


def test_the_page_and_the_figures_show_every_method(kept):
    found = kept[1]
    pictures = images(found)
    reader = Reader(section.page(found, pictures))
    assert reader.tags.count("img") == 2
    assert LEAKY in reader.text
    assert "gradcam" in reader.text
    assert LEAKY in section.lead(found)


def test_the_map_decides_which_features_are_taken_away(subject):
    small = subject.subject.of_points(40)
    models, points = small.models, len(small.points.x)
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(models, points, small.points.x.shape[1])).astype(np.float32)
    seen = trajectories_of(small, maps)
    assert seen.shape == (models, points, 2 * REMOVALS, 2)
    for model, point in ((0, 0), (3, 17), (models - 1, points - 1)):
        own = jax.tree.map(lambda leaf, model=model: leaf[model], small.variables)
        asked = removals(small.points.x[point], maps[model, point], REMOVALS)
        expected = [np.asarray(logits_fn(own, query)) for query in asked]
        np.testing.assert_allclose(seen[model, point], expected, rtol=1e-5, atol=1e-5)


def test_the_claim_takes_the_best_earlier_attack_of_each_method(kept):
    row = kept[1].beyond[0]

    def made(explainer, attack, value, spread):
        ratio = Estimate(value, value - spread, value + spread)
        return dataclasses.replace(
            row, explainer=explainer, attack=attack, stronger="stacked", view="explanation", release="none",
            nonmembers=5000, relative={"0.001": ratio, "0.01": ratio},
        )  # fmt: skip

    rows = [
        made("a", "weak", 3.0, 0.1),
        made("a", "strong", 0.2, 0.1),
        made("b", "weak", 2.0, 0.1),
        made("b", "strong", 0.9, 0.1),
    ]
    nearest = least_more(rows, "stacked", "0.01")
    assert [(one.explainer, one.attack) for one in nearest] == [("a", "strong"), ("b", "strong")]
    claim_of = lambda rows: next(one for one in of_profile(rows) if "0.01" in one.what)
    assert claim_of(rows).says == "agrees"
    assert claim_of(rows).ours.value == pytest.approx(90)
    assert claim_of(rows[:2]).says == "disagrees"
    assert claim_of([made("a", "strong", 0.5, 0.9)]).says == "not measured"
    coarse = [dataclasses.replace(one, nonmembers=400) for one in rows]
    assert {one.says for one in of_profile(coarse)} == {"not measured"}  # four false positives, or none
    mixed = [*coarse[:2], *rows[2:]]
    assert "b beside strong" in claim_of(mixed).why  # of methods on enough points, where there are some
