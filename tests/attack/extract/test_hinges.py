import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax.attack.extract.hinges import extract_by_hinges
from leakjax.attack.extract.relu import agreement, units_found
from leakjax.attack.extract.told import extract_told
from leakjax.defend import Sticky
from leakjax.oracle import ExplanationPart, Release, Service, oracle, replay

RNG = np.random.default_rng(6)
IN, BIAS = RNG.normal(size=(16, 6)).astype(np.float32), RNG.normal(size=6).astype(np.float32)
OUT, LAST = RNG.normal(size=(6, 3)).astype(np.float32), np.array([0.1, -0.4, 0.2], np.float32)
SHAPE = (4, 4, 1)
NEW = 2 * RNG.normal(size=(300, *SHAPE))
THEIRS = np.maximum(NEW.reshape(300, 16) @ IN.astype(float) + BIAS, 0) @ OUT.astype(float) + LAST


def network(variables, x):
    return jnp.maximum(x.reshape(-1) @ IN + BIAS, 0) @ OUT + LAST


def offered(guard="none", *, explained_class="asked", policy=None, **options):
    release = Release("vector", (ExplanationPart("gradient", explained_class, guard),))
    return oracle(Service(network, (), **(policy or {})), release, key=jax.random.key(0), **options)


@pytest.mark.parametrize(
    "guard",
    ["none", "round_to(1)", "sign", "keep_top_k(2)", "keep_top_k(4)+sign", "coarsen(2)+upsample(2)"],
)
def test_coarse_explanations_give_every_unit_away(guard):
    asked = offered(guard)
    found = extract_by_hinges(asked, SHAPE, 3, seed=1)
    assert units_found(found.hidden, IN).mean() >= 5 / 6
    assert agreement(found(NEW), THEIRS).mean() > 0.95
    assert asked.explained == found.explained
    assert found.note == ""


def test_every_unit_is_found_whichever_class_the_service_explains():
    asked = offered(explained_class="predicted")
    found = extract_by_hinges(asked, SHAPE, 3, seed=1)
    assert units_found(found.hidden, IN).mean() >= 5 / 6
    assert asked.explained < extract_by_hinges(offered(), SHAPE, 3, seed=1).explained  # one class a point


def test_the_weights_out_are_those_of_the_service():
    found = extract_by_hinges(offered("round_to(2)"), SHAPE, 3, seed=1)
    ours = found(NEW)
    centred = THEIRS - THEIRS.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(ours - ours.mean(axis=1, keepdims=True), centred, atol=0.1)
    assert agreement(ours, THEIRS).mean() > 0.99


def test_the_attack_sees_its_transcript_alone():
    asked = offered("sign")
    found = extract_by_hinges(asked, SHAPE, 3, seed=1)
    again = extract_by_hinges(replay(asked.transcript), SHAPE, 3, seed=1)
    for one, other in zip(found, again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_explanations_above_a_confidence_give_away_the_units_among_them():
    found = extract_by_hinges(offered(policy={"least_confidence": 0.9}), SHAPE, 3, seed=1)
    assert units_found(found.hidden, IN).mean() >= 0.5
    withheld = extract_by_hinges(offered(policy={"least_confidence": 2.0}), SHAPE, 3, seed=1)
    assert units_found(withheld.hidden, IN).sum() == 0
    assert withheld(NEW).shape == THEIRS.shape


@pytest.mark.parametrize(
    "options",
    [
        {"guard": "gaussian_noise(0.1)"},
        {"guard": "gaussian_noise(0.1)", "policy": {"sticky": Sticky(b"not secret at all", 0.05)}},
    ],
)
def test_noise_hides_where_explanations_change_from_whoever_is_not_told(options):
    asked = offered(**options)
    found = extract_by_hinges(asked, SHAPE, 3, seed=1)
    assert "neighbours differ" in found.note
    assert asked.explained == found.explained < 100
    assert units_found(found.hidden, IN).sum() == 0


def test_whoever_is_told_averages_noise_away():
    given = (SHAPE, 3, IN.astype(float), BIAS.astype(float))
    plain = extract_told(offered(), *given, seed=0, explained=2_000)
    assert units_found(plain.hidden, IN).all()
    assert agreement(plain(NEW), THEIRS).mean() > 0.99
    asked = offered("gaussian_noise(0.1)")
    noisy = extract_told(asked, *given, seed=0, explained=10_000)
    assert agreement(noisy(NEW), THEIRS).mean() > 0.9
    assert asked.explained == noisy.explained <= 10_000
    again = extract_told(replay(asked.transcript), *given, seed=0, explained=10_000)
    np.testing.assert_array_equal(again.hidden, noisy.hidden)
    np.testing.assert_array_equal(again.out, noisy.out)


def test_an_oracle_that_refuses_midway_leaves_fewer_units():
    found = extract_by_hinges(offered(budget=900), SHAPE, 3, seed=1)
    assert "the oracle refused after" in found.note
    assert units_found(found.hidden, IN).sum() < 6
    found = extract_by_hinges(offered(), SHAPE, 3, seed=1, most=900)
    assert "stopped at" in found.note
    assert found.explained <= 900
