"""One function at all models and points, at once or in loops: the same numbers, and never more at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax import models
from leakjax.auditing import in_cache
from leakjax.explain import kernel_shap

MODELS, POINTS = 3, 7


def _answer(own: jax.Array, number: jax.Array, x: jax.Array, shown: jax.Array) -> dict[str, jax.Array]:
    hidden = jnp.tanh(own["w"] @ x)
    return {"map": jnp.outer(hidden, x) * number, "class": shown + number}


def _arguments() -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
    draws = np.random.default_rng(0)
    return (
        {"w": draws.normal(size=(MODELS, 5, 4)).astype(np.float32)},
        np.arange(MODELS),
        draws.normal(size=(POINTS, 4)).astype(np.float32),
        draws.integers(0, 9, (MODELS, POINTS)),
    )


@pytest.mark.parametrize("held", [1, 200, 10**9])
def test_loops_answer_what_one_by_one_calls_do(monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    monkeypatch.setattr(in_cache, "_AT_ONCE", 0)
    monkeypatch.setattr(in_cache, "_IN_CACHE", held)  # one point at a time, two, all of a model
    own, numbers, x, shown = _arguments()
    found = jax.jit(in_cache.at_all(_answer, (0, 0, None, 0), (None, None, 0, 0)))(own, numbers, x, shown)
    for model in range(MODELS):
        for point in range(POINTS):
            hidden = np.tanh(own["w"][model] @ x[point])
            np.testing.assert_allclose(
                found["map"][model, point], np.outer(hidden, x[point]) * model, atol=1e-6
            )
            assert found["class"][model, point] == shown[model, point] + model


def test_what_is_small_stays_one_batch_and_what_is_large_becomes_loops() -> None:
    at = in_cache.at_all(_answer, (0, 0, None, 0), (None, None, 0, 0))
    assert "scan" not in str(jax.make_jaxpr(at)(*_arguments()))
    network = models.cnn(3)
    masked = kernel_shap(network.logits_fn, samples=64)
    variables = jax.vmap(network.init, (0, None))(
        jax.random.split(jax.random.key(0), 8), jnp.zeros((28, 28, 1))
    )
    explain = in_cache.at_all(lambda own, x: masked(own, x, 0, key=jax.random.key(1)), (0, None), (None, 0))
    program = jax.jit(explain).lower(variables, jnp.zeros((64, 28, 28, 1))).compile()
    # 8 models x 64 points x 64 masked images x 113 KB of patches at once would be 3.7 GB.
    assert program.memory_analysis().temp_size_in_bytes < 2**28


@pytest.mark.parametrize("slow_in_loops", ["convolution", "callback"])
def test_convolutions_and_callbacks_stay_out_of_loops(
    monkeypatch: pytest.MonkeyPatch, slow_in_loops: str
) -> None:
    monkeypatch.setattr(in_cache, "_AT_ONCE", 0)
    if slow_in_loops == "convolution":
        kernel = jnp.ones((3, 3, 1, 1))
        one = lambda own, x: jnp.sum(
            own
            * jax.lax.conv_general_dilated(
                x[None], kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
        )
        x = jnp.zeros((POINTS, 4, 4, 1))
    else:
        of_batch = lambda x: np.asarray(x).sum(-1)
        one = lambda own, x: (
            own
            * jax.pure_callback(of_batch, jax.ShapeDtypeStruct((), jnp.float32), x, vmap_method="expand_dims")
        )
        x = jnp.zeros((POINTS, 4))
    at = in_cache.at_all(one, (0, None), (None, 0))
    assert "scan" not in str(jax.make_jaxpr(at)(jnp.ones(MODELS), x))


def test_what_belongs_to_no_point_does_not_count() -> None:
    def one(own: jax.Array, x: jax.Array) -> jax.Array:
        turned = own.T + 1.0  # [1000, 4] for each model, whatever the number of points
        return jax.jit(lambda turned, x: turned[:4] @ x)(turned, x)

    at = in_cache.at_all(one, (0, None), (None, 0))
    assert "scan" not in str(jax.make_jaxpr(at)(jnp.ones((8, 4, 100_000)), jnp.ones((64, 4))))
    outer = in_cache.at_all(lambda own, x: (own.T[:, :1] * x[0]).sum(), (0, None), (None, 0))
    assert "scan" in str(jax.make_jaxpr(outer)(jnp.ones((8, 4, 100_000)), jnp.ones((64, 4))))
