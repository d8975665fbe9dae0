"""Attack networks learn where there is something to learn: beside a logistic regression on the same lesson."""

import jax
import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from leakjax.attack.registry import Attack, parse
from leakjax.attack.replies import Replies
from leakjax.attack.run import run
from tests.attack.planted import mean_auc

KEY = jax.random.key(0)
MODELS, POINTS, CLASSES, FEATURES = 6, 1600, 10, 40
TARGETS = np.arange(2)
ATTACKS = [
    "neural(information='explanation', epochs=4",
    "neural(information='prediction', epochs=4",
    pytest.param("neural(information='both', epochs=4", marks=pytest.mark.slow),
    "convolutional(epochs=4",
]


def faint(strength=0.7, seed=0):
    """Replies of which every one leaks a little: members' maps and logits are shifted by less than their spread."""
    generator = np.random.default_rng(seed)
    membership = generator.random((MODELS, POINTS)) < 0.5
    shift = strength / np.sqrt(FEATURES)
    maps = generator.normal(size=(MODELS, POINTS, FEATURES)) + shift * membership[..., None]
    logits = generator.normal(size=(MODELS, POINTS, CLASSES))
    logits[..., 0] += strength * membership
    logs = log_softmax(logits, axis=-1)
    return membership, Replies(np.float32(logs), maps=np.float32(maps))


def seen(text, replies):
    """What a linear rule may look at in an attack's place: [models, points, numbers]."""
    vector, maps = np.exp(replies.log_probabilities), replies.maps
    named = np.eye(CLASSES)[vector.argmax(-1)]
    parts = {"explanation": [named, maps], "both": [named, vector, maps], "prediction": [named, vector]}
    kind = next((kind for kind in parts if f"'{kind}'" in text), None)
    return np.concatenate(parts[kind], axis=-1) if kind else maps


def linear(numbers, membership, protocol):
    """The mean AUC over the targets of a logistic regression that learns what the protocol gives."""
    scores, valid = np.zeros((len(TARGETS), POINTS)), np.ones((len(TARGETS), POINTS), bool)
    for target in TARGETS:
        if protocol == "known_half":
            x, y = numbers[target, ::2], membership[target, ::2]
            valid[target, ::2] = False
        else:
            x, y = numbers[len(TARGETS) :].reshape(-1, numbers.shape[-1]), membership[len(TARGETS) :].ravel()
        scores[target] = LogisticRegression(C=0.1, max_iter=500).fit(x, y).decision_function(numbers[target])
    return mean_auc(scores, membership[TARGETS], valid)


def beyond_chance(text, protocol, membership, replies):
    """What an attack finds above 0.5 in AUC, and what the linear rule does."""
    attack = parse(f"{text}, protocol='{protocol}')")
    found = run(attack, replies, membership, targets=TARGETS, key=KEY)
    reached = mean_auc(found.scores, membership[TARGETS], found.valid)
    return reached - 0.5, linear(seen(text, replies), membership, protocol) - 0.5


@pytest.mark.parametrize("protocol", ["known_half", "shadows"])
@pytest.mark.parametrize("text", ATTACKS)
def test_it_finds_a_leak_as_a_linear_rule_does(text, protocol):
    found, by_rule = beyond_chance(text, protocol, *faint())
    assert by_rule > 0.06  # there is something to learn
    assert found > by_rule / 2


def test_it_finds_a_leak_that_is_too_faint_for_any_epoch_to_have_less_loss_than_log_2():
    found, by_rule = beyond_chance(ATTACKS[1], "known_half", *faint(0.5))
    assert by_rule > 0.04
    assert found > by_rule / 2


def test_of_the_half_that_is_given_every_point_is_learned_from():
    points = 2600
    membership = np.random.default_rng(1).random((4, points)) < 0.5
    replies = Replies(signals={"number": np.zeros(membership.shape, np.float32)})
    lessons = []
    own = Attack(
        "mine",
        ("prediction",),
        lambda seen, membership, known, scored: seen.signals["number"][scored],
        lessons.append,
        lambda fitted, reduced: reduced,
        protocol="known_half",
    )
    run(own, replies, membership, targets=np.array([2]), key=KEY)
    (lesson,) = lessons
    np.testing.assert_array_equal(lesson.member[:, 0], membership[2, ::2])
