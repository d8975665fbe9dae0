"""Explainers, defenses and the programs of an audit multiply float32 at the precision that reports state."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax import defend
from leakjax.auditing.chunks import compiled
from leakjax.auditing.environment import environment
from leakjax.explain import EXPLAINERS, batched
from leakjax.models import cnn

X = np.random.default_rng(0).uniform(size=(8, 8, 1)).astype(np.float32)
MODEL = cnn(3)


def products(program):
    """The lines of the products of a lowered program, by whether they state the highest precision."""
    lines = re.findall(r"^.*stablehlo\.(?:dot_general|convolution).*$", program.as_text(), re.MULTILINE)
    found = {True: [], False: []}
    for line in lines:
        found[line.count("HIGHEST") == 2].append(line)
    return found


@pytest.mark.parametrize("name", ["gradient", "integrated_gradients", "deeplift", "lrp", "gradcam", "lime"])
def test_every_product_of_an_explainer_is_lowered_at_the_highest_precision(name):
    explainer = EXPLAINERS[name].factory(MODEL.logits_fn)
    variables = jax.eval_shape(MODEL.init, jax.random.key(0), X)
    found = products(
        jax.jit(lambda v, x, key: explainer(v, x, jnp.int32(0), key=key)).lower(
            variables, X, jax.random.key(0)
        )
    )
    assert found[True]
    assert found[False] == []


def test_a_model_by_itself_is_left_as_it_is():
    variables = jax.eval_shape(MODEL.init, jax.random.key(0), X)
    assert products(jax.jit(MODEL.logits_fn).lower(variables, X))[False]


def test_an_own_explainer_that_is_batched_too():
    def mine(variables, x, target, *, key, segments=None):
        return x @ x.T

    text = jax.make_jaxpr(
        lambda xs: batched(mine)({}, xs, np.zeros(2, int), key=jax.random.key(0), ids=np.arange(2))
    )(jnp.ones((2, 3, 3)))
    assert "precision=(Precision.HIGHEST, Precision.HIGHEST)" in str(text)


def test_defenses_and_whole_programs_too():
    mix = defend.lift("mix", lambda a: jnp.ones((5, 5)) @ a)
    hardened = jax.jit(lambda a, key: defend.apply(mix, a, key=key)).lower(jnp.ones(5), jax.random.key(0))
    program = compiled(lambda a: a @ jnp.ones((5, 5)), (0,), 0).lower(jnp.ones((4, 5)))
    for lowered in (hardened, program):
        found = products(lowered)
        assert found[True]
        assert found[False] == []


def test_the_report_states_it():
    assert environment()["precision_of_products"] == "highest"
