import jax
import numpy as np
import pytest
from flax import linen as nn
from jax import numpy as jnp
from scipy.stats import norm

from leakjax._validate import UsageError
from leakjax.models import from_flax
from leakjax.shadow import TrainConfig, train_ensemble
from leakjax.shadow.private import check, epsilon, private_gradient, sampled_rows
from tests.shadow.small import KEY, MODEL, X, Y, members


def test_sampling_is_poisson_over_the_models_own_points():
    membership = np.random.default_rng(0).random(60) < 0.5
    keys = jax.random.split(jax.random.key(0), 4000)
    rows, inside = jax.vmap(lambda key: sampled_rows(jnp.asarray(membership), 10, 3, key))(keys)
    assert rows.shape[1] >= 30  # two batches and eight standard deviations
    counts = np.zeros((len(keys), 60), int)
    for trial, (row, within) in enumerate(zip(np.asarray(rows), np.asarray(inside), strict=True)):
        np.add.at(counts[trial], row[within], 1)
    assert counts.max() == 1
    assert not counts[:, ~membership].any()
    own = counts[:, membership]
    error = 5 * np.sqrt(0.1 * 0.9 / len(keys))
    assert abs(own.mean(0) - 0.1).max() < error
    # The size is binomial: a fixed or shuffled batch has no such spread.
    want = own.shape[1] * 0.1 * 0.9
    assert abs(own.sum(1).var() / want - 1) < 0.15


def test_a_batch_statistic_cannot_be_private():
    with pytest.raises(UsageError, match=r"noise_multiplier=1.0: .*norm='group'"):
        check(TrainConfig(noise_multiplier=1.0), {"params": {}, "batch_stats": {}})


def test_stopping_by_the_data_is_refused():
    with pytest.raises(UsageError, match="which no epsilon covers"):
        TrainConfig(noise_multiplier=1.0, stop_at_gap=(0.1,))


def test_without_noise_nothing_is_guaranteed():
    assert epsilon(TrainConfig(), 100) == float("inf")


# jax-privacy 2.0 calls a function that optax has renamed.
@pytest.mark.filterwarnings("ignore:optax.global_norm is deprecated:DeprecationWarning")
class TestWithTheLibraries:
    @pytest.fixture(autouse=True)
    def libraries(self):
        for name in ("jax_privacy", "dp_accounting"):
            pytest.importorskip(name)

    def test_the_gradient_is_the_sum_of_clipped_ones(self):
        config = TrainConfig(batch_size=4, noise_multiplier=1e-9, clip_norm=0.5)
        rows, inside = jnp.asarray([0, 3, 5, 7]), jnp.asarray([True, True, False, True])
        params = {"w": jnp.asarray([1.0, -2.0, 0.5, 0.0, 3.0])}

        def loss(params, row, key):
            residual = jnp.asarray(X)[row] @ params["w"] - jnp.asarray(Y)[row]
            return (residual**2).mean(), (residual > 0).mean()

        got, mean, _ = private_gradient(loss, config, params, rows, inside, jax.random.key(0))
        want, losses = np.zeros(5), []
        for row in (0, 3, 7):
            residual = X[row].astype(np.float64) @ np.asarray(params["w"]) - Y[row]
            gradient = 2 * residual * X[row]
            want += gradient * min(1, 0.5 / np.linalg.norm(gradient))
            losses.append(residual**2)
        np.testing.assert_allclose(got["w"], want / 4, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(mean, np.mean(losses), rtol=1e-5)

    def test_noise_has_its_size_and_is_every_models_own(self):
        config = TrainConfig(batch_size=4, noise_multiplier=2.0, clip_norm=0.5)
        params = {"w": jnp.zeros(2000)}
        none = jnp.zeros(3, bool)

        def noise(key):
            def loss(params, row, key):
                return params["w"].sum(), jnp.float32(0)

            return private_gradient(loss, config, params, jnp.arange(3), none, key)[0]["w"]

        draws = np.asarray(jax.vmap(noise)(jax.random.split(jax.random.key(0), 3))) * 4
        assert abs(draws.std(1) / (2.0 * 0.5) - 1).max() < 0.08
        assert abs(np.corrcoef(draws) - np.eye(3)).max() < 0.12

    def test_an_ensemble_trains_privately_each_model_by_itself(self):
        config = TrainConfig(epochs=2, batch_size=8, noise_multiplier=1.0)
        ids = np.arange(4)
        rows = np.asarray(members(ids))
        ensemble = train_ensemble(MODEL, X, Y, config, key=KEY, membership=rows, ids=ids)
        alone = train_ensemble(MODEL, X, Y, config, key=KEY, membership=rows[2:3], ids=ids[2:3])
        jax.tree.map(
            lambda a, b: np.testing.assert_array_equal(a[2], b[0]), ensemble.variables, alone.variables
        )

    def test_a_network_with_statistics_is_refused(self):

        class Normalised(nn.Module):
            @nn.compact
            def __call__(self, x, train):
                return nn.Dense(3)(nn.BatchNorm(use_running_average=not train)(x))

        with pytest.raises(UsageError, match="norm='group'"):
            train_ensemble(
                from_flax(Normalised()),
                X,
                Y,
                TrainConfig(epochs=1, batch_size=8, noise_multiplier=1.0),
                key=KEY,
                membership=np.asarray(members(np.arange(2))),
                ids=np.arange(2),
            )

    def test_epsilon_of_one_full_batch_is_that_of_the_gaussian_mechanism(self):
        """Balle and Wang (2018), theorem 8."""

        config = TrainConfig(epochs=1, batch_size=1000, noise_multiplier=2.0)
        got = epsilon(config, 100, delta=1e-5)
        delta = norm.cdf(0.25 - 2 * got) - np.exp(got) * norm.cdf(-0.25 - 2 * got)
        assert delta == pytest.approx(1e-5, rel=0.02)
        more = epsilon(TrainConfig(epochs=4, batch_size=1000, noise_multiplier=2.0), 100)
        less = epsilon(TrainConfig(epochs=1, batch_size=10, noise_multiplier=2.0), 100)
        assert less < got < more
