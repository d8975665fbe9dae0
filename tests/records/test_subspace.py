from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.influence.exact import LOSSES, serve
from leakjax.oracle import Replayed, stateless
from leakjax.records.oracle import RecordOracle, offer
from leakjax.records.part import RecordPart
from leakjax.records.subspace import difference, reconstruct
from tests.influence.conftest import task


@pytest.mark.parametrize("released", [RecordPart(k=1), RecordPart(k=3), RecordPart(k=1, values="magnitude")])
def test_recovers_exactly_the_rank_and_the_model(service, key, released):
    found = reconstruct(offer(service, released, key=key), key=key, signed=released.values == "signed")
    assert len(found.found) == 7 == len(set(found.found.tolist()))  # 6 features and the bias
    assert set(found.found) <= set(found.seen)
    np.testing.assert_allclose(found.theta, service.model.theta, atol=1e-9)


@pytest.mark.parametrize("values", ["signed", "magnitude"])
def test_the_cross_entropy_gives_as_much_away(service, key, values):
    released = RecordPart(k=1, values=values)
    asked = offer(service, released, key=key, loss="cross_entropy")
    found = reconstruct(asked, key=key, loss="cross_entropy", signed=values == "signed")
    assert len(found.found) == 7 == len(set(found.found.tolist()))
    np.testing.assert_allclose(found.theta, service.model.theta, atol=1e-9)


def test_a_logit_difference_is_read_from_either_loss():
    full, without = np.array([-30.0, -2.0, 0.0, 1.5, 40.0]), np.array([-31.0, 1.0, 1e-3, 1.4, 41.0])
    softplus = [np.log1p(np.exp(z)) for z in (without, full)]
    found = difference(full, softplus[0] - softplus[1], "cross_entropy")
    np.testing.assert_allclose(found, without - full, rtol=1e-9)
    middle = slice(1, 4)  # a probability near 0 or 1 holds no logit
    chance = [1 / (1 + np.exp(-z[middle])) for z in (without, full)]
    found = difference(full[middle], chance[0] - chance[1], "probability")
    np.testing.assert_allclose(found, (without - full)[middle], rtol=1e-9)
    for loss in LOSSES:  # no loss falls so far: the sign was wrong, or the answer is noise
        assert np.isnan(difference(np.zeros(2), np.array([-0.8, -800.0]), loss)).all()


def test_dependent_features_lower_what_can_be_recovered(key):
    x, y = task(60, 5)
    x = np.concatenate([x, x[:, :2] + x[:, 1:3]], axis=1)
    found = reconstruct(offer(serve(x, y), RecordPart(k=1), key=key), key=key)
    # The bias adds one, unless the full model is sure of its label on all that is left.
    assert np.linalg.matrix_rank(x) == 5 <= len(found.found) <= 6


@pytest.mark.parametrize("loss", LOSSES)
def test_more_features_than_points_gives_every_point_away(key, loss):
    served = serve(*task(25, 40))
    holding = partial(offer, served, RecordPart(k=1), key=key, loss=loss, written=False, hold=True)
    found = reconstruct(holding(), key=key, loss=loss)
    assert sorted(found.found) == list(range(25))
    # Read as the other loss, the same answers lead astray: no record is silent where it is thought to be.
    other = next(each for each in LOSSES if each != loss)
    wrong = reconstruct(holding(), key=key, loss=other)
    assert len(wrong.found) < 25


def test_rounding_below_the_threshold_stops_the_attack(service, key):
    exact = reconstruct(offer(service, RecordPart(k=1), key=key), key=key)
    rounded = reconstruct(offer(service, RecordPart(k=1, digits=1), key=key), key=key, threshold=1e-2)
    assert len(rounded.found) < len(exact.found)


def test_the_attack_sees_answers_and_nothing_else(service, key):
    true = offer(service, RecordPart(k=1), key=key)
    original = reconstruct(true, key=key)
    assert original.queries == true.queries
    # All records, models and labels are gone: the answers alone give the same reconstruction, bit for bit.
    stub = RecordOracle(Replayed(true.transcript), 6, written=False)
    for ours, theirs in zip(reconstruct(stub, key=key), original, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert stub.queries == true.queries
    with pytest.raises(UsageError, match="replay: batch 3 is not the question"):
        reconstruct(RecordOracle(Replayed(true.transcript), 6), key=jax.random.key(8))


def test_a_spent_budget_leaves_what_was_found(service, key):
    whole = reconstruct(offer(service, RecordPart(k=1), key=key), key=key)
    asked = offer(service, RecordPart(k=1), key=key, budget=whole.queries // 2)
    found = reconstruct(asked, key=key, halvings=3)
    assert 0 < len(found.found) < len(whole.found)
    assert found.found.tolist() == whole.found[: len(found.found)].tolist()
    assert found.refused == asked.refused > 0


def test_refusals_are_counted_and_worked_around(service, key):
    # Every fourth query or so is refused, but none along the axes.
    capricious = stateless(lambda x: jnp.floor(1e3 * jnp.abs(x).sum()) % 4 == 1)
    asked = offer(service, RecordPart(k=1), key=key, monitor=capricious)
    found = reconstruct(asked, key=key)
    again = reconstruct(RecordOracle(Replayed(asked.transcript), 6), key=key)
    assert (again.found.tolist(), again.queries, again.refused) == (found.found.tolist(), *found[2:4])
    assert len(found.found) == 7
    assert found.refused == asked.refused > 0
    with pytest.raises(UsageError, match="refused a query that recovers the model's parameters"):
        reconstruct(
            offer(service, RecordPart(k=1), key=key, monitor=stateless(lambda x: (x == 0).all())), key=key
        )


def test_an_oracle_without_values_is_an_error(service, key):
    with pytest.raises(UsageError, match="no influence values"):
        reconstruct(offer(service, RecordPart(values="none"), key=key), key=key)


def test_the_attack_depends_on_its_key_alone(service, key):
    runs = [
        reconstruct(offer(service, RecordPart(k=1), key=key), key=k) for k in (key, key, jax.random.key(8))
    ]
    assert (runs[0].found == runs[1].found).all()
    assert runs[0].queries != runs[2].queries or (runs[0].found != runs[2].found).any()
