import jax
import numpy as np
import pytest
from jax import numpy as jnp

from leakjax._validate import UsageError
from leakjax.models import MODELS
from leakjax.shadow import TrainConfig
from leakjax.shadow.train import batch_rows, start_model, start_training, train_epoch


@pytest.mark.parametrize("own", [1, 3, 17, 30, 37])
def test_batches_are_full_and_of_the_members_points(own):
    membership = np.random.default_rng(own).permutation(np.arange(37) < own)
    rows = np.asarray(batch_rows(jnp.asarray(membership), 5, 4, jax.random.key(0)))
    assert rows.shape == (5, 4)
    assert membership[rows].all()
    counts = np.bincount(rows.ravel(), minlength=37)[membership]
    if own >= rows.size:
        assert counts.max() == 1
    else:
        assert counts.max() - counts.min() <= 1  # every point as often as any other


def test_a_batch_larger_than_the_pool_repeats_points():
    rows = batch_rows(jnp.asarray([True, False, True]), 1, 8, jax.random.key(0))
    np.testing.assert_array_equal(np.bincount(rows.ravel(), minlength=3), [4, 0, 4])


def test_orders_are_uniform():
    membership = jnp.asarray([True, False, True, True])
    keys = jax.random.split(jax.random.key(0), 3000)
    orders = np.asarray(jax.jit(jax.vmap(lambda key: batch_rows(membership, 1, 3, key)))(keys)).reshape(-1, 3)
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 6
    # 500 are expected of each; five standard deviations.
    assert abs(counts - 500).max() < 5 * np.sqrt(3000 * 1 / 6 * 5 / 6)


def slow_epoch(weights, x, y, rows, rate, momentum, decay):
    """Softmax regression by gradient descent with momentum and L2 penalty, float64."""
    weights = {name: np.asarray(value, np.float64) for name, value in weights.items()}
    speed = {name: np.zeros_like(value) for name, value in weights.items()}
    losses, hits = [], []
    for batch in rows:
        logits = x[batch] @ weights["kernel"] + weights["bias"]
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        losses.append(-np.log(p[np.arange(len(batch)), y[batch]]).mean())
        hits.append((logits.argmax(1) == y[batch]).mean())
        error = (p - np.eye(logits.shape[1])[y[batch]]) / len(batch)
        gradient = {"kernel": x[batch].T @ error, "bias": error.sum(0)}
        for name in weights:
            speed[name] = momentum * speed[name] + gradient[name] + decay * weights[name]
            weights[name] = weights[name] - rate * speed[name]
    return weights, np.mean(losses), np.mean(hits)


def test_an_epoch_is_gradient_descent_on_its_batches():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(40, 3)).astype(np.float32)
    y = generator.integers(0, 4, 40).astype(np.int32)
    membership = jnp.asarray(generator.random(40) < 0.5)
    model = MODELS["logistic"](4)
    config = TrainConfig(1, 4, 0.5, "sgd", momentum=0.9, weight_decay=0.01)
    variables, key = start_model(model, x[0], jax.random.key(0), 3)
    state = start_training(config, 40, variables, key)
    after, loss, accuracy = train_epoch(model, config, jnp.asarray(x), jnp.asarray(y), 2, membership, state)
    rows = np.asarray(batch_rows(membership, 5, 4, jax.random.fold_in(key, 2)))
    weights, want_loss, want_accuracy = slow_epoch(
        variables["params"]["Dense_0"], x.astype(np.float64), y, rows, 0.5, 0.9, 0.01
    )
    np.testing.assert_allclose(loss, want_loss, rtol=1e-5)
    np.testing.assert_allclose(accuracy, want_accuracy, rtol=1e-6)
    for name, want in weights.items():
        np.testing.assert_allclose(after.variables["params"]["Dense_0"][name], want, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"epochs": 0}, "epochs=0"),
        ({"batch_size": -1}, "batch_size=-1"),
        ({"learning_rate": 0.0}, "learning_rate=0.0"),
        ({"learning_rate": float("nan")}, "learning_rate=nan"),
        ({"optimizer": "adma"}, "did you mean 'adam'"),
        ({"weight_decay": -0.1}, "weight_decay=-0.1"),
        ({"optimizer": "sgd", "momentum": 1.0}, "momentum=1.0"),
        ({"optimizer": "adam", "momentum": 0.9}, "only sgd and rmsprop"),
    ],
)
def test_bad_settings_are_named(fields, said):
    with pytest.raises(UsageError, match=said):
        TrainConfig(**fields)
