from functools import partial

import jax
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.models import cnn, mlp
from leakjax.shadow import TrainConfig
from leakjax.shadow.memory import choose_block, model_bytes, models_a_device
from leakjax.shadow.train import start_model, start_training, train_epoch

POINTS, MODELS = 500, 4


@pytest.mark.filterwarnings("ignore:optax.global_norm is deprecated:DeprecationWarning")
@pytest.mark.parametrize(
    ("model", "shape", "options"),
    [
        (mlp(10), (64,), {}),
        (mlp(10, widths=(256, 128)), (200,), {}),
        (cnn(10, channels=(4, 8)), (16, 16, 1), {}),
        (mlp(10, widths=(256, 128)), (200,), {"noise_multiplier": 1.0}),
        (cnn(10, channels=(4, 8)), (16, 16, 1), {"noise_multiplier": 1.0}),
        (mlp(10, widths=(2048, 8)), (4,), {"stop_at_gap": (0.1, 0.5), "batch_size": 4}),
        (cnn(10, channels=(4, 8)), (16, 16, 1), {"stop_at_gap": (0.1, 0.5), "batch_size": 4}),
    ],
)
def test_the_estimate_is_within_a_factor_of_two_of_what_xla_allocates(model, shape, options):
    if "noise_multiplier" in options:
        pytest.importorskip("jax_privacy")
    config = TrainConfig(**{"batch_size": 32} | options)
    leaf = jax.ShapeDtypeStruct
    x, y = leaf((POINTS, *shape), np.float32), leaf((POINTS,), np.int32)
    membership, ids = leaf((MODELS, POINTS), bool), leaf((MODELS,), np.int32)

    def start(x, model_id):
        return start_training(config, POINTS, *start_model(model, x[0], jax.random.key(0), model_id))

    state = jax.eval_shape(jax.vmap(start, (None, 0)), x, ids)
    epoch = jax.vmap(partial(train_epoch, model, config), (None, None, None, 0, 0))
    program = jax.jit(epoch, donate_argnums=4).lower(x, y, leaf((), np.int32), membership, state).compile()
    analysis = program.memory_analysis()
    held, step = model_bytes(model, x, config)
    shared = POINTS * (int(np.prod(shape)) + 1) * 4
    assert held == pytest.approx((analysis.argument_size_in_bytes - shared) / MODELS, rel=0.05)
    assert 0.5 < step / (analysis.temp_size_in_bytes / MODELS) < 2


def test_small_models_run_together_and_large_ones_in_turn():
    small, large = np.zeros((100, 64), np.float32), np.zeros((100, 28, 28, 1), np.float32)
    assert models_a_device(mlp(10), small, TrainConfig()) == 8
    assert models_a_device(cnn(10), large, TrainConfig()) == 1


def test_the_block_follows_from_the_memory():
    x, config = np.zeros((1000, 64), np.float32), TrainConfig()
    held, step = model_bytes(mlp(10), x, config)
    lanes = 8 * jax.local_device_count()
    free = int((jax.local_device_count() * x.nbytes + lanes * step + 2 * held * (3 * lanes + 1.5)) / 0.6)
    assert choose_block(mlp(10), x, config, block=None, free=free) == 3 * lanes
    assert choose_block(mlp(10), x, config, block=None, free=100 * free) == 1024
    assert choose_block(mlp(10), x, config, block=5, free=free) == 5
    with pytest.raises(UsageError, match=rf"block=200: takes about .* MiB free; {3 * lanes + 1} models fit"):
        choose_block(mlp(10), x, config, block=200, free=free)
    with pytest.raises(UsageError, match=r"16 models in training take about .* use a smaller network"):
        choose_block(mlp(10), x, config, block=None, free=free // 100)
