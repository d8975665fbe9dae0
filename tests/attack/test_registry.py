"""What every attack by name promises: it is blind to what it attacks, finds what leaks, finds nothing else."""

import jax
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.attack.lira import lira, map_ratio
from leakjax.attack.registry import ATTACKS, Attack, Least, describe, learns_nothing, parse
from leakjax.attack.replies import Replies
from leakjax.attack.run import run
from tests.attack.planted import mean_auc
from tests.attack.replied import replied

KEY = jax.random.key(0)
# Every registered attack, with few steps where it learns by many, and every other way that one has.
NAMES = {
    "neural": [
        f"neural(epochs=2, information='{one}')" for one in ("label", "both", "explanation_and_label")
    ],
    "convolutional": ["convolutional(epochs=3, channels=4)"],
    "quantile": ["quantile(trees=10)"],
    "lira": [
        "lira",
        "lira(online=False)",
        "lira(queries=True, variance='pooled')",
        "lira(variance='global')",
        "lira(variance='fixed')",
        "lira(signal='number')",
    ],
    "bavaria": ["bavaria", "bavaria(predictive='gaussian', queries=True)", "bavaria(online=False)"],
    "map_ratio": ["map_ratio", "map_ratio(signal='map_log_variance')"],
    "rmia": ["rmia", "rmia(online=False)"],
    "base": ["base", "base(online=False)"],
    "threshold": ["threshold", "threshold(signal='entropy')", "threshold(signal='map_log_l1')"],
}
SLOW = ("neural", "convolutional", "quantile")
EVERY = [
    pytest.param(text, marks=[pytest.mark.slow] * (name in SLOW))
    for name in ATTACKS
    if isinstance(parse(name), Attack)  # `stacked` runs while a study explains
    for text in NAMES.get(name, [name])
]
# What a bare label says, or how sure the model is of whichever class, hardly leaks here.
WEAK = ("neural(epochs=2, information='label')", "threshold(signal='entropy')")


def test_no_other_attack_is_tried_than_those_that_are_registered():
    assert set(NAMES) <= set(ATTACKS)
    assert len(describe()) == len(ATTACKS)


@pytest.mark.parametrize("text", EVERY)
def test_its_name_reads_back(text):
    assert parse(parse(text).name).name == parse(text).name


@pytest.mark.parametrize("text", EVERY)
@pytest.mark.parametrize("kind", ["leaky", "constant", "jittered"])
def test_flipping_the_membership_of_a_target_changes_no_bit_of_its_scores(text, kind):
    membership, replies = replied(kind)
    attack, targets = parse(text), np.array([2, 9])
    before = run(attack, replies, membership, targets=targets, key=KEY)
    flipped = membership.copy()
    flipped[9] = ~flipped[9]
    after = run(attack, replies, flipped, targets=targets, key=KEY)
    np.testing.assert_array_equal(before.scores[1], after.scores[1])
    np.testing.assert_array_equal(before.valid[1], after.valid[1])


@pytest.mark.parametrize("text", [one for one in EVERY if one.values[0] not in WEAK])
def test_it_finds_what_leaks(text):
    membership, replies = replied("leaky", strength=3.0)
    found = run(parse(text), replies, membership, key=KEY)
    assert found.valid.mean() > 0.95
    assert mean_auc(found.scores, membership, found.valid) > 0.65


@pytest.mark.parametrize("text", EVERY)
@pytest.mark.parametrize("kind", ["silent", "constant", "jittered"])
def test_it_finds_nothing_where_nothing_leaks(text, kind):
    membership, replies = replied(kind, seed=1)
    found = run(parse(text), replies, membership, key=KEY)
    if kind == "constant" and "map_log_variance" in text:  # maps without variance have no logarithm of it
        assert not found.valid.any()
        return
    # The standard error over 16 models of 120 points is 0.013, if the models' errors are independent.
    assert abs(mean_auc(found.scores, membership, found.valid) - 0.5) < 0.055


@pytest.mark.parametrize("text", EVERY)
def test_what_is_not_finite_costs_its_own_point_in_its_own_model(text):
    membership, replies = replied()
    holes = {
        name: np.array(leaf)
        for name, leaf in replies._asdict().items()
        if name in ("log_probabilities", "maps", "queries")
    }
    for leaf in holes.values():
        leaf[3, 7] = np.nan
    number = replies.signals["number"].copy()
    number[3, 7] = np.nan
    broken = replies._replace(**holes, signals={"number": number})
    whole, found = (run(parse(text), each, membership, key=KEY) for each in (replies, broken))
    expected = whole.valid.copy()
    expected[3, 7] = False
    np.testing.assert_array_equal(found.valid, expected)
    assert np.isfinite(found.scores).all()
    before, after = (mean_auc(each.scores, membership, found.valid) for each in (whole, found))
    assert abs(before - after) < 0.02


@pytest.mark.parametrize("protocol", ["tree", "neural", "quantile", "augmentation", "convolutional"])
def test_the_half_that_is_given_away_is_not_scored_and_the_other_half_stays_withheld(protocol):
    membership, replies = replied()
    options = {"neural": "epochs=1, ", "convolutional": "epochs=1, channels=2, ", "quantile": "trees=5, "}
    attack = parse(f"{protocol}({options.get(protocol, '')}protocol='known_half')")
    before = run(attack, replies, membership, targets=np.array([4]), key=KEY)
    assert not before.valid[:, ::2].any()
    assert before.valid[:, 1::2].mean() > 0.9
    flipped = membership.copy()
    flipped[4, 1::2] = ~flipped[4, 1::2]
    after = run(attack, replies, flipped, targets=np.array([4]), key=KEY)
    np.testing.assert_array_equal(before.scores, after.scores)


def test_chunks_of_points_change_nothing():
    membership, replies = replied(points=900)
    whole = run(parse("lira(queries=True)"), replies, membership, targets=np.array([0]), key=KEY)
    few = run(
        parse("lira(queries=True)"),
        replies.at(np.arange(400)),
        membership[:, :400],
        targets=np.array([0]),
        key=KEY,
    )
    np.testing.assert_allclose(whole.scores[:, :400], few.scores, rtol=1e-5, atol=1e-5)


def test_an_attack_of_the_users_own_runs_beside_them():
    own = Attack(
        "mine",
        ("prediction",),
        lambda seen, membership, known, scored: seen.signals["number"][scored],
        learns_nothing,
        lambda fitted, reduced: reduced,
    )
    membership, replies = replied()
    found = run(own, replies, membership, key=KEY)
    np.testing.assert_array_equal(found.scores, replies.signals["number"])


def test_what_is_missing_is_named_in_one_line():
    membership, replies = replied()
    with pytest.raises(UsageError, match="needs maps, which the replies do not hold"):
        run(parse("convolutional"), replies._replace(maps=None), membership, key=KEY)
    with pytest.raises(UsageError, match=r"needs signals\[nothing\]"):
        run(parse("lira(signal='nothing')"), replies, membership, key=KEY)
    with pytest.raises(UsageError, match="label"):
        run(parse("threshold(signal='correct')"), replies._replace(label=None), membership, key=KEY)
    with pytest.raises(UsageError, match=r"maps=.*membership"):
        run(parse("lira"), replies._replace(maps=replies.maps[:, :9]), membership, key=KEY)
    with pytest.raises(UsageError, match=r"did you mean 'neural'"):
        parse("shokri")


def test_too_few_models_are_refused_and_points_with_too_few_are_left_out():
    membership, replies = replied()
    with pytest.raises(UsageError, match="needs 2 in- and 2 out-models"):
        run(parse("lira"), replies, np.zeros_like(membership), key=KEY)
    membership[:, 5] = True
    found = run(parse("lira"), replies, membership, key=KEY)
    assert not found.valid[:, 5].any()
    assert (found.scores[:, 5] == 0).all()
    assert run(parse("threshold"), replies, membership, key=KEY).valid.all()


def test_least_counts_the_models_beside_the_target():
    attack = parse("attack_r")
    assert attack.least == Least(0, 1)
    membership, replies = replied()
    membership[:, 5] = True
    membership[3, 5] = False  # the only out-model is the target itself
    found = run(attack, replies, membership, key=KEY)
    assert not found.valid[3, 5]


def test_replies_are_read_a_chunk_at_a_time():
    membership, replies = replied(points=2000)
    asked = []

    def source(rows):
        asked.append(len(rows))
        return replies.at(rows)

    run(parse("threshold"), source, membership, key=KEY)
    assert max(asked) <= 512


def test_replies_without_a_label_take_the_predicted_class_for_it():
    membership, replies = replied()
    found = run(parse("threshold"), Replies(replies.log_probabilities), membership, key=KEY)
    np.testing.assert_allclose(found.scores, replies.log_probabilities.max(axis=-1), rtol=1e-6)


def test_what_a_factory_makes_is_named_as_text_would_name_it():
    assert lira(online=False).name == parse("lira(online=False)").name == "lira(online=False)"
    assert map_ratio().name == "map_ratio"
    assert parse("stacked").name == "stacked"


def test_confidences_that_round_to_one_are_told_apart():
    logits = np.array([[20.0, 0.0], [25.0, 0.0], [40.0, 0.0]] * 6, np.float32)[:, None]
    logs = np.asarray(jax.nn.log_softmax(logits))
    membership = np.random.default_rng(0).random((18, 1)) < 0.5
    found = run(parse("threshold(signal='confidence')"), Replies(logs), membership, key=KEY)
    np.testing.assert_allclose(found.scores[:3, 0], [20, 25, 40], rtol=1e-6)


def test_numbers_of_maps_that_are_given_stand_for_the_maps():
    membership, replies = replied()
    norms = np.log(np.abs(replies.maps.astype(np.float64)).sum(axis=-1))
    given = Replies(signals={"map_log_l1": norms})
    for text in ("threshold(signal='map_log_l1')", "map_ratio", "tree"):
        whole, few = (run(parse(text), each, membership, key=KEY) for each in (replies, given))
        np.testing.assert_allclose(whole.scores, few.scores, rtol=1e-3, atol=1e-3)
    with pytest.raises(UsageError, match="needs maps"):
        run(parse("map_ratio(signal='map_hoyer')"), given, membership, key=KEY)
