"""The cost that each method states is the number of runs of the model that its program holds.

The network's one hyperbolic sine marks a run: no rule of ours and no derivative makes another, because that of a
sine is a cosine. So in the traced program, after what nobody uses is removed, the sines count the runs forward and the
cosines those backward; a run counts once, forward alone or forward and backward together, and where a way back needs
no value of the way forward its cosine alone is left.
"""

import inspect
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import jaxprs_in_params
from jax.interpreters import partial_eval

from leakjax.explain import EXAMPLE_EXPLAINERS, EXPLAINERS, Method, grid, registered
from leakjax.explain.cost import count_runs
from leakjax.explain.registry import rows_of

HIDDEN, CLASSES = 3, 4
ROWS = np.random.default_rng(0).uniform(size=(3, 4, 4, 2)).astype(np.float32)


def logits_fn(variables, x):
    """A convolution of images, else a product; the mark; a rectifier; a dense layer."""
    if x.ndim == 3:
        layout = ("NHWC", "HWIO", "NHWC")
        hidden = jax.lax.conv_general_dilated(
            x[None], variables["first"], (1, 1), "SAME", dimension_numbers=layout
        )[0]
    else:
        hidden = x @ variables["first"]
    return jax.nn.relu(jnp.sinh(hidden)).reshape(-1) @ variables["last"]


def variables_of(shape):
    rng = np.random.default_rng(1)
    image = len(shape) == 3
    first = (3, 3, shape[-1], HIDDEN) if image else (shape[0], HIDDEN)
    hidden = HIDDEN * (math.prod(shape[:2]) if image else 1)
    return {
        "first": rng.normal(size=first).astype(np.float32) / 4,
        "last": rng.normal(size=(hidden, CLASSES)).astype(np.float32),
    }


def marks(jaxpr, name):
    """How many numbers pass through an operation in a program, every pass of its loops counted."""
    found = 0
    for equation in jaxpr.eqns:
        if equation.primitive.name == name:
            found += math.prod(equation.outvars[0].aval.shape)
        inner = sum(marks(sub, name) for sub in jaxprs_in_params(equation.params))
        assert not (inner and equation.primitive.name in ("while", "cond")), equation.primitive.name
        found += inner * (equation.params["length"] if equation.primitive.name == "scan" else 1)
    return found


def runs_in(explainer, shape, segments):
    variables = variables_of(shape)
    x = jnp.asarray(np.random.default_rng(2).uniform(size=shape), jnp.float32)

    def explain(variables, x, key):
        return explainer(variables, x, 1, key=key, segments=segments)

    def count(fn, *arguments):
        closed = jax.make_jaxpr(fn)(*arguments)
        used, _ = partial_eval.dce_jaxpr(closed.jaxpr, [True] * len(closed.out_avals))
        return max(marks(used, "sinh"), marks(used, "cosh"))

    whole = count(explain, variables, x, jax.random.key(0))
    one = count(logits_fn, variables, x)
    assert whole % one == 0
    return whole // one


IMAGE, ROW = (4, 4, 2), (5,)
CASES = [
    *((name, IMAGE, 4, {}) for name in EXPLAINERS if name != "feature_permutation"),
    *((name, ROW, None, {}) for name in EXPLAINERS if "cam" not in name and name != "feature_permutation"),
    ("integrated_gradients", IMAGE, None, {"steps": 7}),
    ("integrated_gradients", ROW, None, {"steps": 7, "chunk": 2, "rule": "midpoint"}),
    ("integrated_gradients", ROW, None, {"steps": 3, "output": "loss"}),
    ("smoothgrad", IMAGE, None, {"samples": 7, "chunk": 3}),
    ("smoothgrad_squared", ROW, None, {"samples": 3}),
    ("vargrad", ROW, None, {"samples": 8, "chunk": 4}),
    ("gradient_shap", ROW, None, {"samples": 9, "chunk": 4}),
    ("gradient_shap", IMAGE, None, {"samples": 9, "background": ROWS}),
    ("gradient_shap", ROW, None, {"samples": 3, "sigma": 0.1}),
    ("deeplift", IMAGE, None, {"output": "probability"}),
    ("lrp", IMAGE, None, {"rule": "gamma"}),
    ("occlusion", IMAGE, None, {"window": 2}),
    ("occlusion", IMAGE, None, {"window": (3, 2), "stride": 1, "chunk": 5}),
    ("occlusion", ROW, None, {"window": 2}),
    ("feature_ablation", IMAGE, None, {}),
    ("feature_ablation", IMAGE, 4, {"background": ROWS, "chunk": 5}),
    ("feature_permutation", IMAGE, 4, {"background": ROWS}),
    ("feature_permutation", IMAGE, None, {"background": ROWS, "samples": 2, "chunk": 7}),
    ("lime", IMAGE, 4, {"background": ROWS, "samples": 20}),
    ("lime", ROW, None, {"samples": 33, "chunk": 8}),
    ("lime", ROW, None, {"samples": 33, "regression": "lasso"}),
    ("kernel_shap", IMAGE, 4, {"background": ROWS}),
    ("kernel_shap", IMAGE, None, {"samples": 90}),
    ("kernel_shap", IMAGE, 9, {"samples": 40, "chunk": 8}),
    ("shapley_sampling", IMAGE, 4, {"background": ROWS, "samples": 3}),
    ("shapley_sampling", ROW, None, {"samples": 5, "chunk": 4, "antithetic": False}),
    ("exact_shapley", IMAGE, 4, {"background": ROWS}),
]


@pytest.mark.parametrize(("name", "shape", "cells", "options"), CASES)
def test_a_method_takes_the_runs_that_it_states(name, shape, cells, options):
    method = EXPLAINERS[name]
    segments = None
    if method.masks and cells is not None:
        segments = grid(shape, (cells // 2, 2) if cells % 2 == 0 else 3)
    if name == "exact_shapley" and segments is None and math.prod(shape) > 16:
        pytest.skip("too many players")
    stated = method.runs(shape, segments and segments.count, **options)
    assert runs_in(method.factory(logits_fn, **options), shape, segments) == stated


@pytest.mark.parametrize(("name", "shape", "cells", "options"), CASES)
def test_a_cost_that_nobody_states_is_counted_in_the_program(name, shape, cells, options):
    """On a network without any mark: the products with its weights tell the runs."""
    method = EXPLAINERS[name]
    segments = None
    if method.masks and cells is not None:
        segments = grid(shape, (cells // 2, 2) if cells % 2 == 0 else 3)
    if name == "exact_shapley" and segments is None and math.prod(shape) > 16:
        pytest.skip("too many players")
    explainer = method.factory(logits_fn, **options)

    def mine(variables, x, target, *, key):
        return explainer(variables, x, target, key=key, segments=segments)

    stated = method.runs(shape, segments and segments.count, **options)
    assert count_runs(mine, logits_fn, variables_of(shape), np.zeros(shape, np.float32)) == stated


def test_an_explainer_that_never_runs_the_model_costs_nothing():
    def mine(variables, x, target, *, key):
        return x * jnp.sum(variables["last"])

    assert count_runs(mine, logits_fn, variables_of(ROW), np.zeros(ROW, np.float32)) == 0


def test_callbacks_into_python_are_counted():
    def booster(index, x):
        return jax.pure_callback(
            lambda index, x: np.stack([x.sum(-1), index * x.sum(-1)], -1).astype(np.float32),
            jax.ShapeDtypeStruct((2,), jnp.float32),
            index,
            x,
            vmap_method="expand_dims",
        )

    def mine(index, x, target, *, key):
        shifted = jax.vmap(lambda i: booster(index, x + i)[target])(jnp.arange(7.0))
        return x * shifted.sum()

    assert count_runs(mine, booster, np.int32(3), np.zeros(5, np.float32)) == 7


def test_runs_in_a_loop_of_unknown_length_cannot_be_counted():
    def mine(variables, x, target, *, key):
        done = lambda state: jnp.sum(logits_fn(variables, state)) < 3
        return jax.lax.while_loop(done, lambda state: state + 1, x)

    assert count_runs(mine, logits_fn, variables_of(ROW), np.zeros(ROW, np.float32)) is None


def test_a_model_that_multiplies_by_no_weight_cannot_be_counted():
    assert count_runs(lambda v, x, t, *, key: x, lambda v, x: x[:2], {}, np.zeros(3, np.float32)) is None


def test_every_method_is_counted():
    assert {name for name, *_ in CASES} == set(EXPLAINERS)


def test_prototypes_run_the_model_once_for_the_example_and_each_candidate():
    method = EXAMPLE_EXPLAINERS["protodash"]
    for options, runs in (({}, 4), ({"space": "input"}, 0)):
        explainer = method.factory(logits_fn, background=ROWS, count=2, **options)
        assert runs_in(explainer, IMAGE, None) == method.runs(IMAGE, background=ROWS, **options) == runs


def test_a_new_method_is_registered_by_a_decorator_alone():
    before = set(EXPLAINERS)

    def _twice(shape, players, *, repeats, **_):
        return repeats * players

    @registered("custom", runs=_twice, stochastic=True)
    def newest(logits_fn, *, repeats: int = 2, background=None):
        """A method of a test."""
        return rows_of(background)

    try:
        assert set(EXPLAINERS) - before == {"newest"}
        factory = inspect.unwrap(newest)
        row = EXPLAINERS["newest"]
        assert row == Method("custom", row.factory, True, row.runs)
        assert inspect.unwrap(row.factory) is factory
        assert EXPLAINERS["newest"].runs((3, 2)) == 12
        assert EXPLAINERS["newest"].runs((3, 2), 4, repeats=5) == 20
        with pytest.raises(ValueError, match="registered already"):
            registered("custom", runs=1)(factory)
    finally:
        EXPLAINERS.remove("newest")
    assert set(EXPLAINERS) == before
