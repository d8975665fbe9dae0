import dataclasses

import jax
import numpy as np
import optax
import pytest

from leakjax._workdir import claim
from leakjax.evaluate.document import Estimate, from_json, to_json
from leakjax.papers.dimensions import Dimensions, Settings, cases, dimensions, section
from leakjax.papers.dimensions.claims import of_study
from leakjax.papers.dimensions.document import DimensionRow
from leakjax.papers.dimensions.measure import auc
from leakjax.papers.dimensions.sampled import explanations
from leakjax.papers.dimensions.training import Adagrad
from tests.report.reader import Reader


def test_adagrad_starts_its_sums_at_zero_and_slows_down():
    config = Adagrad(optimizer="adagrad", learning_rate=0.1, decay=0.5)
    optimizer = config.make_optimizer(100)
    params = np.array([1.0, -2.0])
    state, expected, sums = optimizer.init(params), params.copy(), np.zeros(2)
    given = params
    for step, gradient in enumerate(([0.5, -3.0], [1.0, 0.25], [-2.0, 0.0])):
        updates, state = optimizer.update(np.array(gradient), state, given)
        given = optax.apply_updates(given, updates)
        sums += np.square(gradient)
        expected = expected - 0.1 / (1 + 0.5 * step) * np.array(gradient) / np.sqrt(sums + 1e-10)
        np.testing.assert_allclose(given, expected, rtol=1e-5)


def test_a_class_without_a_vertex_is_listed():
    made, left_out = cases((2, 10), (2, 100), ("base",))
    assert [(case.features, case.classes) for case in made] == [(2, 2), (10, 2), (10, 100)]
    (one,) = left_out
    assert one.name == "2 features, 100 classes, base"
    assert "fewer vertices" in one.why


def test_auc_counts_pairs():
    scores = np.array([[0.1, 0.4, 0.4, 0.9]])
    member = np.array([[False, True, False, True]])
    # Pairs (member, other): .4 > .1, .4 = .4 by half, .9 > .1, .9 > .4.
    np.testing.assert_allclose(auc(scores, member), [3.5 / 4])


def test_explanations_are_read_by_the_explainers_parser():
    from leakjax.auditing.explainers import parse

    for one in explanations((0.5,), (1, 3)):
        assert parse(one.text).name.startswith(one.method)


def row(**changed):
    point = Estimate(0.0, 0.0, 0.0)
    made = DimensionRow(
        features=50,
        classes=2,
        size="base",
        points=20_000,
        models=2,
        train_accuracy=point,
        test_accuracy=point,
        norm=point,
        norm_of_logit=point,
        variance=point,
        attack=point,
        median_norm=1.0,
    )
    return dataclasses.replace(made, **changed)


def test_claims_follow_their_rules():
    weak, strong = Estimate(-0.02, -0.05, 0.01), Estimate(-0.3, -0.35, -0.25)
    rows = [row(norm=weak), row(features=2000, norm=strong)]
    says = {one.what: one for one in of_study(rows, [], epochs=100)}
    assert says["no correlation of the 1-norm with membership up to 100 features, 2 classes"].says == "agrees"
    between = says["a correlation between 1,000 and 10,000 features, 2 classes"]
    assert (between.says, between.ours.value, between.ours.low) == ("agrees", 0.3, 0.25)
    rows = [row(norm=strong), row(features=2000, norm=weak)]
    assert {one.says for one in of_study(rows, [], epochs=100) if "correlation" in one.what} == {"disagrees"}
    fewer = [row(norm=weak, points=4000)]
    assert {one.says for one in of_study(fewer, [], epochs=100)} == {"not comparable"}


@pytest.mark.slow
def test_a_study_is_kept_setting_by_setting(tmp_path):
    settings = Settings(
        training=Adagrad(epochs=3, optimizer="adagrad", learning_rate=0.01),
        points=200,
        models=2,
        sampled=True,
        sampled_points=120,
        sampled_features=6,
        sampled_models=8,
        sampled_audited=40,
        sigmas=(0.5,),
        samples=(1, 4),
        seed=0,
    )
    made, left_out = cases((2, 8), (2,), ("base",))
    begun = []
    with claim(tmp_path) as held:
        run = lambda settings=settings: dimensions(
            made,
            left_out,
            settings,
            config={},
            workdir=held,
            say=begun.append,
            on_epoch=lambda *_: None,
        )
        first = run()
        count = len(begun)
        again = run()
        curves = run(dataclasses.replace(settings, sampled=False))
    assert (curves.rows, curves.sampled) == (first.rows, [])
    headings = [Reader(section.page(found, {})).text for found in (first, curves)]
    assert ["natural defense" in text for text in headings] == [True, False]
    assert len(begun) == count
    assert to_json(again) == to_json(first)
    assert to_json(from_json(Dimensions, to_json(first))) == to_json(first)
    assert [one.features for one in first.rows] == [2, 8]
    methods = [one.method for one in first.sampled]
    assert methods == ["gradient", "smoothgrad", "smoothgrad", *["shapley_sampling"] * 3, *["lime"] * 3]
    for one in first.sampled:
        assert one.alone.low <= one.alone.value <= one.alone.high
    # One sample of noise 0 is the gradient; with noise it is a gradient elsewhere.
    assert first.sampled[0].members != first.sampled[1].members
    assert jax.tree.leaves(first.timings)
