import jax
import numpy as np
import pytest

from leakjax import data, shadow
from leakjax._workdir import claim
from leakjax.attack.registry import parse
from leakjax.evaluate.document import Estimate, from_json, to_json
from leakjax.papers.overfitting import Overfitting, Settings, World, overfitting
from leakjax.papers.overfitting.attacks import asked, best_threshold, caught, judged
from leakjax.papers.overfitting.document import AttackRow
from leakjax.papers.overfitting.groups import CLASSES, OUTLIERS, groups_of
from leakjax.papers.overfitting.lines import coefficient, lines
from leakjax.papers.overfitting.worlds import END, grown


def test_the_best_threshold_is_that_of_trying_all():
    rng = np.random.default_rng(0)
    for seed in range(20):
        scores = rng.integers(0, 6, 30).astype(float)
        member = rng.random(30) < 0.4
        if member.all() or not member.any():
            continue

        def balanced(at, scores=scores, member=member):
            return ((scores > at)[member].mean() + (scores <= at)[~member].mean()) / 2

        tried = max(balanced(at) for at in np.arange(-0.5, 6.5))
        assert balanced(best_threshold(scores, member)) == pytest.approx(tried), seed


def test_accuracy_is_the_mean_of_both_shares_and_leaves_out_what_is_not_valid():
    scores = np.array([[1.0, -1.0, 2.0, 0.0, 5.0]])
    member = np.array([[True, True, False, False, True]])
    valid = np.array([[True, True, True, True, False]])
    found = judged(scores, member, valid, 0.0)
    # Members: one of two called right. Others: one wrong, one on the threshold, right by half.
    assert found.accuracy.value == pytest.approx((0.5 + 0.25) / 2)
    # Pairs: (1 < 2), (1 > 0), (-1 < 2), (-1 < 0).
    assert found.auc.value == pytest.approx(0.25)


def test_every_attack_is_read_by_the_registry_and_learns_as_it_says():
    listed = asked(("known_half", "shadows"), 3)
    assert len(listed) == 16
    for one in listed:
        if one.attack != "threshold":
            attack = parse(one.text)
            assert attack.protocol == one.learns


@pytest.fixture(scope="module")
def planted():
    """Models whose loss and gradients shrink on members; logits, maps, labels, membership."""
    rng = np.random.default_rng(0)
    member = rng.random((8, 300)) < 0.5
    y = rng.integers(0, 3, 300)
    logits = rng.normal(size=(8, 300, 3)) * 0.1 + np.eye(3)[y][None] * np.where(member, 3.0, 1.0)[..., None]
    maps = rng.normal(size=(8, 300, 5)) * np.where(member, 0.3, 1.0)[..., None]
    return logits, maps, y, member


@pytest.mark.parametrize("learns", ["known_half", "shadows"])
def test_loss_and_tree_find_what_is_planted_and_flipping_the_target_changes_no_score(planted, learns):
    logits, maps, y, member = planted
    for one in asked((learns,), 2):
        if one.attack == "neural":
            continue
        found = caught(one, logits, maps, y, member, 2, jax.random.key(0))
        assert found.accuracy.low > 0.75
        if learns == "shadows":
            # One target alone: of two, each is a shadow of the other.
            flipped = member.copy()
            flipped[0] = ~flipped[0]
            own, other = (
                caught(one, logits, maps, y, who, 1, jax.random.key(0)) for who in (member, flipped)
            )
            assert other.auc.value == pytest.approx(1 - own.auc.value)


@pytest.mark.slow
def test_normalised_maps_have_nothing_of_a_planted_norm(planted):
    logits, maps, y, member = planted
    by = {one.sees: one for one in asked(("shadows",), 4) if one.attack == "neural"}
    plain, normal = (
        caught(by[sees], logits, maps, y, member, 1, jax.random.key(0)).auc.value
        for sees in ("gradient", "normalised gradient")
    )
    assert plain > 0.75
    assert abs(normal - 0.5) < 0.12


def test_groups_name_outliers_and_rare_classes():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 4)).astype(np.float32)
    x[:10] *= 30
    y = np.r_[np.zeros(60), np.ones(35), np.full(5, 2)].astype(np.int32)
    points = data.in_order(x, y, classes=3, name="made up", groups={"side": np.where(y > 0, "a", "b")})
    found = groups_of(points)
    assert list(found) == ["side", OUTLIERS, CLASSES]
    assert (found[OUTLIERS] == "farthest tenth").nonzero()[0].tolist() == list(range(10))
    assert (found[CLASSES] == "rare classes").tolist() == (y == 2).tolist()


def test_a_coefficient_is_that_of_least_squares():
    rng = np.random.default_rng(0)
    design = np.stack([np.ones(6), np.arange(6.0)], axis=1)
    seen = 0.5 + 0.8 * np.arange(6) + 0.01 * rng.normal(size=6)
    found = coefficient(design, seen)
    slope, intercept = np.polyfit(np.arange(6), seen, 1)
    assert found.value == pytest.approx(slope)
    left = seen - intercept - slope * np.arange(6)
    spread = ((np.arange(6) - 2.5) ** 2).sum()
    error = np.sqrt((left**2).sum() / 4 / spread)
    np.testing.assert_allclose(found.high - found.low, 2 * 2.7764451 * error, rtol=1e-6)  # t of 4, 97.5 %
    assert np.isnan(coefficient(design[:2], seen[:2]).value)


def test_a_line_is_drawn_through_three_gaps_or_more():
    point = lambda value: Estimate(value, value, value)
    rows = [
        AttackRow(
            dataset="one",
            asked=gap,
            gap=gap,
            attack="tree",
            learns="shadows",
            sees="1-norm",
            explainer="gradient",
            targets=2,
            accuracy=point(0.5 + 0.6 * gap),
            auc=point(0.5),
            tpr=point(0.01),
            added=None,
        )
        for gap in (0.1, 0.2, 0.3)
    ]
    (line,) = lines(rows)
    assert line.slope.value == pytest.approx(0.6)
    assert line.explained_variance == pytest.approx(1.0)
    assert lines(rows[:2]) == []


@pytest.mark.slow
def test_models_are_kept_at_their_gaps_and_a_study_goes_on(tmp_path):
    points = data.load("synthetic(points=160, features=40, classes=4)")
    training = shadow.TrainConfig(epochs=12, stop_at_gap=(0.05, 0.1, 0.99))
    world = World("synthetic(points=160, features=40, classes=4)", "mlp(widths=(16,))", training)
    settings = Settings(
        models=8,
        targets=1,
        audited=None,
        learns=("known_half", "shadows"),
        attack_epochs=1,
        others=("lrp",),
        seed=0,
    )
    begun = []
    with claim(tmp_path) as held:
        key = jax.random.fold_in(jax.random.key(0), 0)
        grew = grown(
            world, points, count=8, key=key, workdir=held, say=begun.append, on_epoch=lambda *_: None
        )
        for level in grew.levels[:-1]:
            assert (level.gap >= level.asked - 1e-6).all()
        assert grew.levels[-1].asked == END
        assert list(grew.missed) == [0.99]
        run = lambda: overfitting(
            [world, World("nothing:here", "mlp", training)],
            lambda name: data.load(name),
            settings,
            config={},
            workdir=held,
            say=begun.append,
            on_epoch=lambda *_: None,
        )
        first = run()
        count = len([one for one in begun if "left out" not in one])
        again = run()
    assert len([one for one in begun if "left out" not in one]) == count
    assert to_json(again) == to_json(first)
    assert to_json(from_json(Overfitting, to_json(first))) == to_json(first)
    assert [one.asked for one in first.gaps] == [0.05, 0.1, END]
    last = [one for one in first.attacks if one.asked == END]
    assert {one.explainer for one in last} == {"none", "gradient(output='probability')", "lrp"}
    assert {one.learns for one in last} == {"known_half", "shadows"}
    assert {one.name for one in first.left_out} == {f"{world.dataset}, gap 0.99", "nothing:here"}
    assert first.groups
