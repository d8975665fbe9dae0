import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.influence.exact import influence, influence_chunks, lexicographic, predictions, serve, top_k
from leakjax.influence.logistic import fit
from tests.influence.conftest import task


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.mark.parametrize("loss", ["probability", "cross_entropy"])
def test_influence_is_the_change_of_the_loss_by_retraining(service, loss):
    x, y = service.model.x[:, :-1], service.model.y
    queries, labels = task(5, 6, seed=3)
    full = fit(x, y).theta
    ours = influence(service, queries, labels, loss=loss)
    for record in (0, 13, 59):
        other = fit(np.delete(x, record, 0), np.delete(y, record)).theta
        for row, (query, label) in enumerate(zip(queries, labels, strict=True)):
            chance = [sigmoid(query @ theta[:-1] + theta[-1]) for theta in (full, other)]
            right = [c if label else 1 - c for c in chance]
            losses = [1 - c if loss == "probability" else -np.log(c) for c in right]
            np.testing.assert_allclose(ours[row, record], losses[1] - losses[0], atol=1e-9)


def test_a_record_helps_its_own_label(service):
    own = influence(service, service.model.x[:, :-1], service.model.y, loss="cross_entropy")
    assert (np.diag(own) > 0).all()


def test_models_that_did_not_converge_have_no_influence(service):
    converged = service.without.converged.copy()
    converged[4] = False
    broken = service._replace(without=service.without._replace(converged=converged))
    x, y = task(5, 6, seed=3)
    assert (influence(broken, x, y)[:, 4] == 0).all()
    others = np.arange(60) != 4
    assert (influence(broken, x, y)[:, others] == influence(service, x, y)[:, others]).all()


def test_chunks_are_parts_of_the_whole(service):
    x, y = task(11, 6, seed=3)
    parts = np.concatenate([part for _, part in influence_chunks(service, x, y, chunk=4)])
    np.testing.assert_allclose(parts, influence(service, x, y), atol=1e-14)


def test_records_are_kept_in_lexicographic_order():
    x = np.array([[1.0, 2.0], [0.0, 5.0], [1.0, 1.0], [1.0, 1.0], [0.0, 4.0], [3.0, 0.0]])
    y = np.array([0, 1, 1, 0, 0, 1])
    expected = sorted(range(6), key=lambda i: (*x[i], y[i]))
    assert lexicographic(x, y).tolist() == expected
    served = serve(x, y)
    assert (served.model.x[:, :-1] == x[expected]).all()
    assert served.source.tolist() == expected


@pytest.mark.parametrize("k", [1, 3, 7, 12])
def test_top_k_is_a_stable_sort_with_ties(k):
    magnitude = np.random.default_rng(0).integers(0, 4, (50, 12)).astype(float)
    expected = [sorted(range(12), key=lambda i: (-row[i], i))[:k] for row in magnitude]
    assert top_k(magnitude, k).tolist() == expected


@pytest.mark.parametrize("k", [0, 13])
def test_k_must_fit_the_training_set(k):
    with pytest.raises(UsageError, match=f"k={k}: must be between 1 and 12"):
        top_k(np.zeros((2, 12)), k)


def test_queries_of_another_width_are_refused(service):
    with pytest.raises(UsageError, match="must be 6, the service's features"):
        influence(service, np.zeros((1, 5)), np.zeros(1))
    with pytest.raises(UsageError, match="loss='hinge'"):
        influence(service, np.zeros((1, 6)), np.zeros(1), loss="hinge")


def test_predictions_are_those_of_the_full_model(service):
    x, _ = task(5, 6, seed=3)
    theta = service.model.theta
    np.testing.assert_allclose(predictions(service, x), sigmoid(x @ theta[:-1] + theta[-1]), atol=1e-14)
