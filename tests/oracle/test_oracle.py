import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax import UsageError
from leakjax.defend import Sticky
from leakjax.oracle import ExplanationPart, Release, Service, oracle, replay, stateless
from tests.oracle.worlds import WEIGHTS, linear, offered, points


def softmax(logits):
    chances = np.exp(logits - logits.max(axis=1, keepdims=True))
    return chances / chances.sum(axis=1, keepdims=True)


def test_answers_are_what_the_release_lets_out():
    x = points()
    logits = x.astype(np.float64) @ WEIGHTS
    chances, predicted = softmax(logits), logits.argmax(axis=1)
    vector = offered().ask(x)
    np.testing.assert_allclose(np.exp(vector.prediction.probabilities), chances, atol=1e-6)
    np.testing.assert_allclose(vector.explanations[0], WEIGHTS.T[predicted], atol=1e-6)
    assert (vector.explained_class[:, 0] == predicted).all()
    assert vector.action.tolist() == ["answered"] * len(x)
    label = offered(None, prediction="label").ask(x)
    assert label.prediction.probabilities.shape == (20, 0)
    assert label.explanations == ()
    np.testing.assert_array_equal(label.prediction.classes[:, 0], predicted)
    rounded = offered(None, prediction="confidence(1)").ask(x)
    np.testing.assert_allclose(
        rounded.prediction.probabilities[:, 0], np.round(chances.max(axis=1), 1), atol=1e-6
    )


def test_a_class_that_is_asked_for_is_explained_and_no_other():
    x = points(3)
    asked = offered(explained_class="asked")
    np.testing.assert_allclose(asked.ask(x, [2, 0, 1]).explanations[0], WEIGHTS.T[[2, 0, 1]], atol=1e-6)
    np.testing.assert_allclose(
        offered().ask(x, 1).explanations[0], WEIGHTS.T[(x @ WEIGHTS).argmax(1)], atol=1e-6
    )


def test_the_vote_of_reference_models_is_explained_where_the_release_says_so():
    x = points(6)
    others = jnp.stack([jnp.asarray(WEIGHTS[:, [1, 2, 0]])] * 2 + [jnp.asarray(WEIGHTS)])
    policy = {"reference": others}
    found = offered(explained_class="reference", policy=policy).ask(x)
    np.testing.assert_array_equal(found.explained_class[:, 0], (x @ WEIGHTS[:, [1, 2, 0]]).argmax(axis=1))
    with pytest.raises(UsageError, match="reference=None"):
        offered(explained_class="reference")


def test_queries_are_counted_explained_and_plain_apart():
    asked = offered(budget=50)
    asked.ask(points(20))
    asked.ask(points(10), plain=True)
    assert (asked.queries, asked.explained, asked.plain, asked.refused, asked.remaining) == (
        30,
        20,
        10,
        0,
        20,
    )


def test_a_spent_budget_refuses_the_rest_and_says_nothing_of_it():
    asked = offered(budget=5)
    answer = asked.ask(points(8))
    assert answer.action.tolist() == ["answered"] * 5 + ["refused"] * 3
    assert np.isfinite(answer.explanations[0][:5]).all()
    assert np.isnan(answer.explanations[0][5:]).all()
    assert np.isnan(answer.prediction.probabilities[5:]).all()
    assert (answer.prediction.classes[5:] == -1).all()
    assert (asked.refused, asked.remaining) == (3, 0)
    assert asked.ask(points(1)).action.tolist() == ["refused"]


@pytest.mark.parametrize("budget", [0, -3])
def test_no_budget_at_all_is_one_line(budget):
    with pytest.raises(UsageError, match=f"budget={budget}: must be at least 1 query"):
        offered(budget=budget)


def test_actions_on_alarm():
    x = points(6)
    x[:, 0] = [0, 5, 0, 5, 5, 0]
    rule = stateless(lambda x: x[0] > 4)
    usual = offered().ask(x)
    refused = offered(monitor=rule).ask(x)
    assert refused.action.tolist() == ["answered", "refused", "answered", "refused", "refused", "answered"]
    cached = offered(monitor=rule, on_alarm="cache").ask(x)
    assert cached.action[1] == "cached"
    for row, source in ((1, 0), (3, 2), (4, 2)):
        np.testing.assert_array_equal(
            cached.prediction.probabilities[row], usual.prediction.probabilities[source]
        )
    coarse = offered(monitor=rule, on_alarm="coarsen").ask(x)
    assert coarse.action[1] == "coarsened"
    assert set(np.unique(coarse.explanations[0][1])) <= {-1.0, 0.0, 1.0}
    np.testing.assert_array_equal(coarse.prediction.classes[1], (x[1] @ WEIGHTS).argmax())
    assert np.isnan(coarse.prediction.probabilities[1]).all()
    np.testing.assert_array_equal(coarse.explanations[0][0], usual.explanations[0][0])
    nothing = offered(monitor=rule, on_alarm="cache")
    assert nothing.ask(x[1:2]).action.tolist() == ["refused"]
    assert nothing.refused == 1
    with pytest.raises(UsageError, match="on_alarm='ban'"):
        offered(monitor=rule, on_alarm="ban")


class Counting:
    """Alarms from the third query of an account on."""

    threshold = 2.5
    init = staticmethod(lambda: jnp.zeros(()))
    update = staticmethod(lambda state, x: (state + 1, state + 1))


def test_a_monitor_keeps_a_state_for_each_account():
    asked = offered(monitor=Counting())
    action = asked.ask(points(6), account=[1, 1, 2, 1, 2, 1]).action
    assert action.tolist() == ["answered", "answered", "answered", "refused", "answered", "refused"]
    assert asked.ask(points(2), account=[2, 3]).action.tolist() == ["refused", "answered"]


def test_a_transcript_alone_gives_the_same_answers_to_the_same_questions():
    asked = offered(guard="gaussian_noise(0.5)", budget=14)
    said = [
        asked.ask(points(10)),
        asked.ask(points(6, seed=1), 2, account=4),
        asked.ask(points(2), plain=True),
    ]
    stub = replay(asked.transcript)
    again = [stub.ask(points(10)), stub.ask(points(6, seed=1), 2, account=4), stub.ask(points(2), plain=True)]
    for one, other in zip(jax.tree.leaves(said), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(one, other)
    assert (stub.queries, stub.explained, stub.refused) == (asked.queries, asked.explained, asked.refused)
    with pytest.raises(UsageError, match="transcript ends before batch 4"):
        stub.ask(points(1))
    for other in (
        {"x": points(10, seed=9)},
        {"x": points(10), "account": 1},
        {"x": points(10), "plain": True},
    ):
        with pytest.raises(UsageError, match="batch 1 is not the question"):
            replay(asked.transcript).ask(**other)


def test_noise_is_fresh_unless_the_service_is_sticky():
    x = points(4)
    fresh = offered(guard="gaussian_noise(1.0)")
    assert (fresh.ask(x).explanations[0] != fresh.ask(x).explanations[0]).all()
    policy = {"sticky": Sticky(b"0123456789abcdef", 0.5)}
    sticky = offered(guard="gaussian_noise(1.0)", policy=policy)
    first = sticky.ask(x).explanations[0]
    near = np.round(x / 0.5) * 0.5 + 0.05
    np.testing.assert_array_equal(first, sticky.ask(near.astype(np.float32)).explanations[0])
    assert not np.array_equal(first, sticky.ask(x + 1).explanations[0])


def test_explanations_of_unsure_predictions_are_withheld():
    x = points(40)
    found = offered(policy={"least_confidence": 0.8}).ask(x)
    sure = softmax(x.astype(np.float64) @ WEIGHTS).max(axis=1) >= 0.8
    assert 5 < sure.sum() < 35
    np.testing.assert_array_equal(np.isfinite(found.explanations[0]).all(axis=1), sure)
    assert np.isfinite(found.prediction.probabilities).all()
    np.testing.assert_array_equal(found.explained_class[:, 0] >= 0, sure)


def test_more_queries_than_one_program_takes_are_answered_in_order():
    x = points(600)
    answer = offered().ask(x)
    np.testing.assert_array_equal(answer.explained_class[:, 0], (x @ WEIGHTS).argmax(axis=1))


def test_one_model_answers():
    release = Release("label", (ExplanationPart("gradient"),), explained_by=jnp.zeros((2, 4, 3)))
    with pytest.raises(UsageError, match="explained_by"):
        oracle(Service(linear, WEIGHTS), release, key=jax.random.key(0))
