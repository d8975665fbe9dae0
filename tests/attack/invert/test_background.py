import jax
import numpy as np
import pytest

from leakjax import UsageError
from leakjax.attack.invert.background import one_row_values, recover_background, recover_rows
from leakjax.attack.invert.known_guard import known_guard
from leakjax.attack.invert.mixture import name_members
from leakjax.defend import Domain, parse
from leakjax.explain import Segments, exact_shapley, integrated_gradients
from leakjax.oracle import ExplanationPart, Release, Service, oracle, replay

CELLS = Segments(np.array([0, 0, 1, 2, 3, 3]), 4)
WEIGHTS = np.random.default_rng(5).normal(size=(2, 6, 8)).astype(np.float32)


def logits(variables, x):
    return jax.numpy.tanh(x @ variables[0]) @ variables[1].T[:, :3]


def service(background):
    explain = exact_shapley(logits, background=background, output="probability")

    def on_cells(variables, x, target, *, key, segments=None):
        return explain(variables, x, target, key=key, segments=CELLS)

    return Service(logits, WEIGHTS), Release("vector", (ExplanationPart(on_cells),))


def world():
    rng = np.random.default_rng(1)
    candidates = rng.normal(size=(30, 6)).astype(np.float32)
    return candidates, rng.choice(30, 5, replace=False), rng.normal(size=(20, 6)).astype(np.float32)


def attack(asked, candidates, queries, **options):
    return recover_background(asked, queries, candidates, segments=CELLS, rows=5, seed=0, **options)


def test_the_rows_of_a_background_are_named_and_others_are_not():
    candidates, secret, queries = world()
    asked = oracle(*service(candidates[secret]), key=jax.random.key(0))
    found = attack(asked, candidates, queries)
    assert sorted(found.named.members) == sorted(secret)
    np.testing.assert_allclose(found.named.weights[secret], 0.2, atol=1e-3)
    assert found.named.inside
    assert asked.explained == 20
    assert asked.plain == 20 * 30 * 16
    strangers = np.random.default_rng(9).normal(size=(5, 6)).astype(np.float32)
    assert not attack(oracle(*service(strangers), key=jax.random.key(0)), candidates, queries).named.inside
    again = attack(replay(asked.transcript), candidates, queries)
    np.testing.assert_array_equal(again.named.weights, found.named.weights)


def test_whoever_knows_the_weights_asks_nothing_else():
    candidates, secret, queries = world()
    asked = oracle(*service(candidates[secret]), key=jax.random.key(0))

    def known(x):
        return np.asarray(jax.nn.log_softmax(jax.vmap(logits, (None, 0))(WEIGHTS, x)))

    assert sorted(attack(asked, candidates, queries, known=known).named.members) == sorted(secret)
    assert asked.plain == 0


def test_one_row_values_follow_the_definition():
    import itertools

    candidates, _, queries = world()

    def predict(x):
        return np.asarray(jax.nn.log_softmax(jax.vmap(logits, (None, 0))(WEIGHTS, x)))

    found = one_row_values(predict, queries[0], candidates[:2], CELLS, 1, "probability")
    for row, candidate in enumerate(candidates[:2]):
        expected = np.zeros(4)
        for order in itertools.permutations(range(4)):
            shown = np.zeros(6, bool)
            before = np.exp(predict(np.where(shown, queries[0], candidate)[None])[0, 1])
            for player in order:
                shown |= CELLS.map == player
                after = np.exp(predict(np.where(shown, queries[0], candidate)[None])[0, 1])
                expected[player] += (after - before) / 24
                before = after
        np.testing.assert_allclose(found[row], expected, atol=1e-6)


def test_an_oracle_that_refuses_ends_the_attack_with_what_it_has():
    candidates, secret, queries = world()
    asked = oracle(*service(candidates[secret]), key=jax.random.key(0), budget=20 + 7 * 480)
    found = attack(asked, candidates, queries)
    assert found.explained == 7
    assert found.note == "the oracle refused plain queries after 7 of 20 explanations"
    none = attack(oracle(*service(candidates[secret]), key=jax.random.key(0), budget=1), candidates, queries)
    assert none.named is None
    assert none.note.startswith("the oracle refused plain queries after 0")


def test_what_cannot_be_attacked_is_one_line():
    candidates, secret, queries = world()
    asked = oracle(*service(candidates[secret]), key=jax.random.key(0))
    with pytest.raises(UsageError, match="candidates=1: must be at least 2"):
        attack(asked, candidates[:1], queries)
    plain = oracle(Service(logits, WEIGHTS), Release("vector"), key=jax.random.key(0))
    with pytest.raises(UsageError, match=r"release\.explanations"):
        attack(plain, candidates, queries)
    held, release = service(candidates[secret])
    label = oracle(held, Release("label", release.explanations), key=jax.random.key(0))
    with pytest.raises(UsageError, match=r"release\.prediction"):
        attack(label, candidates, queries)


def test_a_mixture_is_named_under_rounding_and_strangers_stand_out():
    rng = np.random.default_rng(0)
    terms = rng.normal(size=(50, 80))
    members = [3, 7, 20, 41]

    def rounded(values):
        return np.round(values, 1)

    found = name_members(terms, rounded(terms[members].mean(axis=0)), members=4, seed=0, released=rounded)
    assert sorted(found.members) == members
    assert found.inside
    assert not name_members(terms, rng.normal(size=80), members=4, seed=0, released=rounded).inside
    with pytest.raises(UsageError, match="candidates=1"):
        name_members(terms[:1], terms[0], members=1, seed=0)


def test_any_mean_over_rows_names_them_to_whoever_knows_the_model_and_a_replay_says_the_same():
    """Integrated gradients of a product of two features have a closed form over each row."""
    rng = np.random.default_rng(3)
    candidates = rng.normal(size=(24, 2)).astype(np.float32)
    queries, secret = rng.normal(size=(15, 2)).astype(np.float32), [2, 9, 20]

    def product(variables, x):
        return jax.numpy.stack([x[0] * x[1] * variables, 0.0])

    explain = integrated_gradients(product, background=candidates[secret], steps=4)
    part = ExplanationPart(explain, "asked")
    asked = oracle(Service(product, np.float32(2.0)), Release("vector", (part,)), key=jax.random.key(0))

    def alone(place, explained):
        x, own = queries[place].astype(np.float64), candidates.astype(np.float64)
        other = (x + own)[:, ::-1] / 2
        return (x - own) * 2.0 * other if explained == 0 else 0 * own

    def attack(asked):
        return recover_rows(asked, queries, candidates, alone=alone, rows=3, seed=0)

    found = attack(asked)
    assert set(found.named.members) <= set(range(24))
    assert found.named.inside
    assert found.named.residual < 1e-5
    again = attack(replay(asked.transcript))
    np.testing.assert_array_equal(again.named.weights, found.named.weights)


def test_maps_of_one_norm_are_solved_with_a_unit_each():
    rng = np.random.default_rng(0)
    terms = rng.normal(size=(40, 20, 6))
    members = [3, 7, 20, 31]
    mean = terms[members].mean(axis=0)
    one_norm = (mean / np.linalg.norm(mean, axis=1, keepdims=True)).reshape(-1)
    flat = terms.reshape(40, -1)
    found = name_members(flat, one_norm, members=4, seed=0, pieces=20)
    assert sorted(found.members) == members
    np.testing.assert_allclose(found.weights[members], 0.25, atol=0.01)
    plain = name_members(flat, one_norm, members=4, seed=0)
    assert found.residual < 0.01 < plain.residual


@pytest.mark.parametrize("text", ["project_out()+normalize()", "coarsen(2)", "round_to(2)", "keep_top_k(2)"])
def test_what_is_linear_in_a_guard_is_done_to_every_candidate(text):
    """Means of the terms, as the attacker expects to see them, are what the guard shows of the mean."""
    rng = np.random.default_rng(1)
    queries, terms = rng.random((5, 4, 4, 1)), rng.normal(size=(6, 5, 4, 4, 1))
    guard, mean = parse(text), terms.mean(axis=0)
    key = jax.random.key(0)
    known = known_guard(guard, queries, terms, key)
    expected = [
        guard.apply(m, Domain(m.shape), key=key, x=x)
        for m, x in zip(mean.astype(np.float32), queries, strict=True)
    ]
    seen = known.terms.mean(axis=0).reshape(-1)
    seen = seen if known.released is None else known.released(seen)
    np.testing.assert_allclose(seen, np.reshape(expected, -1), atol=1e-5)
    assert known.units == ("normalize" in text)
    assert known.sparse == ("top" in text)
