import jax
import numpy as np
import pytest
from jax import numpy as jnp

from leakjax._validate import UsageError
from leakjax.shadow import TrainConfig, train_ensemble
from leakjax.shadow.train import cross_entropy
from tests.shadow.small import KEY, MODEL, POINTS, X, Y, members

IDS = np.arange(3)
ROWS = np.asarray(members(IDS))


def trained(config, y=Y):
    return train_ensemble(MODEL, X, y, config, key=KEY, membership=ROWS, ids=IDS)


@pytest.mark.parametrize(
    ("schedule", "rate"),
    [
        ("constant", lambda share: 1.0),
        ("cosine", lambda share: 0.5 * (1 + np.cos(np.pi * share))),
        ("step", lambda share: 1.0 if share < 0.5 else 0.1 if share < 0.75 else 0.01),
    ],
)
def test_a_schedule_is_of_the_share_of_all_steps(schedule, rate):
    config = TrainConfig(epochs=5, batch_size=5, learning_rate=2.0, optimizer="sgd", schedule=schedule)
    steps = 5 * config.steps(POINTS)
    assert steps == 20
    optimizer = config.make_optimizer(POINTS)
    params = {"w": jnp.zeros(())}
    state = optimizer.init(params)
    for step in range(steps):
        change, state = optimizer.update({"w": jnp.ones(())}, state, params)
        np.testing.assert_allclose(change["w"], -2.0 * rate(step / steps), rtol=1e-5)


def adagrad(sum_of_squares, gradient):
    """Duchi et al. (2011), figure 1, from a sum of 0.1."""
    after = (0.1 if sum_of_squares is None else sum_of_squares) + gradient**2
    return after, gradient / np.sqrt(after)


def rmsprop(mean_of_squares, gradient):
    """Hinton's lecture 6e, with a decay of 0.9."""
    after = 0.9 * (0.0 if mean_of_squares is None else mean_of_squares) + 0.1 * gradient**2
    return after, gradient / np.sqrt(after)


@pytest.mark.parametrize(
    ("name", "momentum", "slow"),
    [("adagrad", 0.0, adagrad), ("rmsprop", 0.0, rmsprop), ("rmsprop", 0.5, rmsprop)],
)
def test_two_steps_of_an_optimiser_are_those_of_its_paper(name, momentum, slow):
    config = TrainConfig(learning_rate=0.3, optimizer=name, momentum=momentum, weight_decay=0.1)
    optimizer = config.make_optimizer(POINTS)
    weights = np.array([0.5, -2.0, 1.0])
    params = {"w": jnp.asarray(weights, jnp.float32)}
    state, squares, speed = optimizer.init(params), None, np.zeros(3)
    for gradient in (np.array([1.0, -0.2, 3.0]), np.array([-0.4, 0.7, 2.0])):
        change, state = optimizer.update({"w": jnp.asarray(gradient, jnp.float32)}, state, params)
        params = {"w": params["w"] + change["w"]}
        squares, direction = slow(squares, gradient + 0.1 * weights)
        speed = momentum * speed + 0.3 * direction
        weights = weights - speed
        np.testing.assert_allclose(params["w"], weights, rtol=1e-4)


def test_soft_labels_and_smoothing_are_cross_entropies():
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(4, 3))
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    labels = np.array([0, 2, 1, 1])
    hard = np.eye(3)[labels]
    soft = generator.dirichlet(np.ones(3), 4)
    for given, smoothing, target in (
        (labels, 0.0, hard),
        (labels, 0.3, 0.7 * hard + 0.1),
        (soft, 0.0, soft),
        (soft, 0.3, 0.7 * soft + 0.1),
    ):
        got = cross_entropy(jnp.asarray(logits), jnp.asarray(given), smoothing)
        np.testing.assert_allclose(got, -(target * log_p).sum(1), rtol=1e-5)


def test_a_student_of_certain_answers_is_trained_as_by_labels():
    config = TrainConfig(epochs=2, batch_size=8)
    soft = np.eye(3, dtype=np.float32)[Y]
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
        trained(config, soft).variables,
        trained(config).variables,
    )


def test_bfloat16_is_arithmetic_alone_and_nearly_the_same():
    config = TrainConfig(epochs=3, batch_size=8)
    full, low = trained(config), trained(TrainConfig(epochs=3, batch_size=8, precision="bfloat16"))
    for a, b in zip(jax.tree.leaves(full.variables), jax.tree.leaves(low.variables), strict=True):
        assert a.dtype == b.dtype == np.float32
        assert not np.array_equal(a, b)
        np.testing.assert_allclose(a, b, atol=0.02)
    np.testing.assert_allclose(full.history.loss, low.history.loss, rtol=0.05)


def test_augmentation_is_part_of_training():
    config = TrainConfig(epochs=1, batch_size=8, flip=True)
    with pytest.raises(UsageError, match="flip and shift need images"):
        trained(config)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"label_smoothing": 1.0}, "label_smoothing=1.0"),
        ({"shift": -1}, "shift=-1"),
        ({"stop_at_gap": (0.2, 0.1)}, "must rise"),
        ({"stop_at_gap": (1.5,)}, "stop_at_gap=1.5"),
        ({"precision": "float16"}, "precision='float16'"),
        ({"noise_multiplier": -1.0}, "noise_multiplier=-1.0"),
        ({"clip_norm": 0.0}, "clip_norm=0.0"),
    ],
)
def test_bad_settings_are_named(fields, said):
    with pytest.raises(UsageError, match=said):
        TrainConfig(**fields)
