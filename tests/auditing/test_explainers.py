"""Explainers as text."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.auditing import explainers
from leakjax.models import logistic, mlp


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("gradient", "gradient"),
        (" smoothgrad( samples = 8 ) ", "smoothgrad(samples=8)"),
        (
            "integrated_gradients(steps=4,output='probability')",
            "integrated_gradients(steps=4, output='probability')",
        ),
    ],
)
def test_a_canonical_name_parses_to_itself(text, name):
    named = explainers.parse(text)
    assert named.name == name
    assert explainers.parse(name) == named
    named.make(logistic(2).logits_fn, (3,), None)


def test_options_decide_the_cost_and_the_family_is_the_methods():
    assert explainers.parse("smoothgrad(samples=8)").runs((3,)) == 8
    assert explainers.family("smoothgrad(samples=8)") == "backpropagation"
    assert explainers.family("my own") == "custom"


@pytest.mark.parametrize(
    "text",
    [
        "gradient(",
        "gradient(1)",
        "gradient(a=print('x'))",
        "gradient(**{})",
        "gradient()()",
        "gradient(a=1) or 2",
    ],
)
def test_anything_else_is_refused_and_never_evaluated(text, capsys):
    with pytest.raises(UsageError, match="explainers="):
        explainers.parse(text)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gradient(steps=3)", "gradient.*steps"),
        ("integrated_gradients(steps=0)", "steps=0: must be at least 1"),
        ("gradient(output='logits')", "output='logits': must be one of"),
    ],
)
def test_options_that_a_method_refuses_are_refused_when_they_are_read(text, words):
    with pytest.raises(UsageError, match=words):
        explainers.parse(text)


def test_commas_inside_parentheses_do_not_split():
    assert explainers.split("a(x=1, y=2), b,,c") == ["a(x=1, y=2)", "b", "c"]
    with pytest.raises(UsageError, match="at least one"):
        explainers.split(" , ")


def test_a_background_is_asked_for_when_the_explainer_is_made():
    with pytest.raises(UsageError, match=r"feature_permutation.*needs a background"):
        explainers.parse("feature_permutation").make(logistic(2).logits_fn, (3,), None)


def test_a_grid_makes_segments_of_an_images_cells():
    def logits_fn(variables, x):
        return jnp.stack([jnp.sum(x * variables), 0.0])

    named = explainers.parse("feature_ablation(grid=2)")
    assert named.runs((4, 4, 1)) == 5
    weights = jnp.arange(16.0).reshape(4, 4, 1)
    found = named.make(logits_fn, (4, 4, 1), None)(weights, jnp.ones((4, 4, 1)), 0, key=jax.random.key(0))
    cells = np.arange(16.0).reshape(2, 2, 2, 2).sum(axis=(1, 3))  # what hiding a cell takes from the logit
    np.testing.assert_allclose(
        np.unique(found), np.unique(cells if found.max() > 20 else cells / 4), rtol=1e-6
    )
    with pytest.raises(UsageError, match="masks nothing"):
        explainers.parse("gradient(grid=2)").runs((4, 4, 1))


def test_cheap_and_all_are_the_methods_that_apply_to_the_model():
    model = mlp(3, widths=(4,))
    x = np.zeros((8, 8, 1), np.float32)
    variables = model.init(jax.random.key(0), x)
    said = []
    cheap = explainers.expand(["cheap"], model.logits_fn, variables, x, None, said.append)
    assert {"gradient", "input_x_gradient", "deeplift"} <= {named.name for named in cheap}
    assert all(named.runs(x.shape) <= 10 for named in cheap)
    assert any("gradcam is left out" in line for line in said)  # a network without a spatial layer
    background = np.ones((5, 8, 8, 1), np.float32)
    every = explainers.expand(["gradient", "all"], model.logits_fn, variables, x, background, said.append)
    names = [named.name for named in every]
    assert names[0] == "gradient"
    assert names.count("gradient") == 1
    assert {"lime(grid=4)", "kernel_shap(grid=4)", "feature_permutation(grid=4)"} <= set(names)
    assert all(named.runs(x.shape) <= 10_000 for named in every)
