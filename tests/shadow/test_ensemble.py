import jax
import numpy as np
import pytest
from flax import linen as nn

from leakjax._validate import UsageError
from leakjax.models import from_flax, mlp
from leakjax.shadow import (
    Ensemble,
    TrainConfig,
    diverged,
    exclude_diverged,
    init_ensemble,
    train_ensemble,
)
from leakjax.shadow.train import start_model, start_training, train_epoch

POINTS, MODELS = 48, 5  # on two devices one model is repeated, and dropped
CONFIG = TrainConfig(epochs=3, batch_size=8, learning_rate=0.1, optimizer="sgd", momentum=0.9)
KEY = jax.random.key(7)
GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(POINTS, 6)).astype(np.float32)
Y = GENERATOR.integers(0, 3, POINTS).astype(np.int32)
MEMBERSHIP = GENERATOR.random((MODELS, POINTS)) < 0.5
MEMBERSHIP[:, 0] = [False, True, False, True, False]
IDS = np.array([4, 0, 17, 9, 2])


class Noisy(nn.Module):
    """Batch statistics and dropout."""

    @nn.compact
    def __call__(self, x, train):
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(8, use_bias=False)(x))
        return nn.Dense(3)(nn.Dropout(0.3, deterministic=not train)(x))


MODEL = from_flax(Noisy())


@pytest.fixture(scope="module")
def ensemble():
    return train_ensemble(MODEL, X, Y, CONFIG, key=KEY, membership=MEMBERSHIP, ids=IDS)


def assert_close(got, want):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), got, want)


def in_plain_jax(index):
    """Member `index` trained alone, without an ensemble, vmap or pmap."""
    variables, key = start_model(MODEL, X[0], KEY, IDS[index])
    state = start_training(CONFIG, POINTS, variables, key)
    x, y, membership = jax.device_put((X, Y, MEMBERSHIP[index]))
    epoch = jax.jit(lambda number, state: train_epoch(MODEL, CONFIG, x, y, number, membership, state))
    history = []
    for number in range(CONFIG.epochs):
        state, *figures = epoch(number, state)
        history.append(figures)
    return state.variables, np.array(history).T


def test_a_member_equals_itself_trained_alone(ensemble):
    assert jax.local_device_count() == 2
    for index in (0, 3, 4):
        variables, (loss, accuracy) = in_plain_jax(index)
        assert_close(jax.tree.map(lambda leaf, i=index: leaf[i], ensemble.variables), variables)
        np.testing.assert_allclose(ensemble.history.loss[index], loss, rtol=1e-4)
        np.testing.assert_allclose(ensemble.history.accuracy[index], accuracy, rtol=1e-4)


def test_members_depend_on_their_ids_and_not_on_their_company(ensemble):
    rows = [3, 1]
    pair = train_ensemble(MODEL, X, Y, CONFIG, key=KEY, membership=MEMBERSHIP[rows], ids=IDS[rows])
    assert_close(pair.variables, jax.tree.map(lambda leaf: leaf[np.array(rows)], ensemble.variables))


def test_points_of_others_do_not_matter(ensemble):
    x = np.where(MEMBERSHIP[0][:, None], X, 1e9).astype(np.float32)
    y = np.where(MEMBERSHIP[0], Y, 2)
    other = train_ensemble(MODEL, x, y, CONFIG, key=KEY, membership=MEMBERSHIP, ids=IDS)
    jax.tree.map(
        lambda got, want: np.testing.assert_array_equal(got[0], want[0]), other.variables, ensemble.variables
    )


def test_training_fits_and_reports_each_epoch():
    calls = []
    ensemble = train_ensemble(
        mlp(3, widths=(32,)),
        X,
        Y,
        TrainConfig(epochs=60, batch_size=8, learning_rate=0.03),
        key=KEY,
        membership=MEMBERSHIP,
        ids=IDS,
        on_epoch=lambda *figures: calls.append(figures),
    )
    assert [epoch for epoch, _, _ in calls] == list(range(60))
    np.testing.assert_array_equal(ensemble.history.loss, np.stack([loss for _, loss, _ in calls], 1))
    np.testing.assert_array_equal(ensemble.history.accuracy, np.stack([hits for _, _, hits in calls], 1))
    assert (ensemble.history.accuracy[:, -1] == 1).all()
    assert (ensemble.history.loss[:, -1] < 0.05).all()


def test_the_untrained_ensemble_is_what_training_starts_from():
    untrained = init_ensemble(MODEL, X, key=KEY, membership=MEMBERSHIP, ids=IDS)
    assert untrained.history.loss.shape == (MODELS, 0)
    slow = TrainConfig(epochs=1, batch_size=8, learning_rate=1e-12, optimizer="sgd")
    still = train_ensemble(MODEL, X, Y, slow, key=KEY, membership=MEMBERSHIP, ids=IDS)
    assert_close(untrained.variables["params"], still.variables["params"])
    for index, model_id in enumerate(IDS):
        variables, _ = start_model(MODEL, X[0], KEY, model_id)
        assert_close(jax.tree.map(lambda leaf, i=index: leaf[i], untrained.variables), variables)


def test_a_diverged_member_leaves_the_others_alone(ensemble):
    x = X.copy()
    x[0] = np.inf  # whoever is trained on it diverges
    broken = train_ensemble(MODEL, x, Y, CONFIG, key=KEY, membership=MEMBERSHIP, ids=IDS)
    np.testing.assert_array_equal(diverged(broken), MEMBERSHIP[:, 0])
    kept, excluded = exclude_diverged(broken)
    np.testing.assert_array_equal(excluded, [0, 9])
    assert_close(kept, jax.tree.map(lambda leaf: leaf[~MEMBERSHIP[:, 0]], ensemble))


def test_weights_that_are_not_finite_are_divergence_too(ensemble):
    variables = jax.tree.map(np.array, ensemble.variables)
    variables["params"]["Dense_1"]["bias"][2, 0] = np.nan
    np.testing.assert_array_equal(diverged(ensemble._replace(variables=variables)), np.arange(MODELS) == 2)
    assert not diverged(ensemble).any()


def test_an_ensemble_that_diverged_altogether_is_an_error(ensemble):
    nan = jax.tree.map(lambda leaf: np.full_like(leaf, np.nan), ensemble.variables)
    with pytest.raises(UsageError, match="learning rate"):
        exclude_diverged(Ensemble(nan, MEMBERSHIP, IDS, ensemble.history))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"membership": MEMBERSHIP[:0], "ids": IDS[:0]}, "models=0: must be at least 1"),
        ({"membership": MEMBERSHIP[:, 1:]}, "membership.shape"),
        ({"ids": IDS[1:]}, "membership.shape"),
        ({"y": Y[1:]}, "y.shape"),
        ({"membership": MEMBERSHIP & (IDS != 17)[:, None]}, "model 17"),
    ],
)
def test_bad_arguments_are_named(change, said):
    arguments = {"membership": MEMBERSHIP, "ids": IDS, "y": Y} | change
    with pytest.raises(UsageError, match=said):
        train_ensemble(MODEL, X, config=CONFIG, key=KEY, **arguments)
