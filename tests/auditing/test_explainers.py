"""Explainers as text."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax._validate import UsageError
from leakjax.auditing import explainers
from leakjax.explain import EXPLAINERS, registered
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
    assert explainers.parse("smoothgrad(samples=8)").method.family == "backpropagation"


@pytest.mark.parametrize("name", explainers.EXPLAINERS)
def test_every_explainer_says_which_output_it_explains(name):
    assert explainers.parse(name).output == "logit"


def test_an_option_decides_which_output_is_explained():
    assert explainers.parse("occlusion(output='loss')").output == "loss"


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
        ("gradient(grid=2)", "gradient takes no option 'grid'"),
        ("lime(grid='a')", "grid='a' must be a whole number"),
        ("lime(grid=0)", "grid=0 must be at least 1"),
        ("lime(grid=2.5)", "grid=2.5 must be a whole number"),
        ("lime(sample=3)", "takes no option 'sample'; use lime.samples=None.*did you mean 'samples'"),
        ("lime(background=(3,))", "background=.* must be a whole number"),
        ("gradient(background=3)", "takes no option 'background'"),
        ("feature_permutation(background=3)", "takes no option 'background'"),
        ("smoothgrad(samples=2.5)", "samples=2.5 must be a whole number"),
        ("smoothgrad(samples=True)", "samples=True must be a whole number"),
        ("smoothgrad(samples=1e20)", "samples=1e[+]20 must be a whole number"),
        ("smoothgrad(samples=100000000000000000000)", "must be a whole number below"),
        ("smoothgrad(samples=4000000000)", "takes 4,000,000,000 runs of the model"),
        ("deeplift(baseline='x')", "baseline='x' must be a number"),
        ("deeplift(record=3)", "takes no option 'record'"),
        ("occlusion(window=(2, 2.5))", "must be a whole number"),
        ("gradient(absolute=1)", "absolute=1 must be True or False"),
        ("saliency", "must be one of gradient.*did you mean 'gradient'"),
        ("grad", "did you mean 'gradient'"),
        ("shap", "did you mean 'kernel_shap'"),
        ("ig(steps=5)", "did you mean 'integrated_gradients'"),
        ("IntGrad", "did you mean 'integrated_gradients'"),
        ("deep_lift", "did you mean 'deeplift'"),
        ("Grad-CAM", "must be written"),
        ("grad_cam", "did you mean 'gradcam'"),
        ("layerwise", "did you mean 'lrp'"),
        ("cheep", "did you mean 'cheap'"),
    ],
)
def test_options_that_a_method_refuses_are_refused_when_they_are_read(text, words):
    with pytest.raises(UsageError, match=words):
        explainers.parse(text)


def scaled(logits_fn, *, times: int = 1, output: str = "logit"):
    plain = EXPLAINERS["gradient"].factory(logits_fn, output=output)
    return lambda *example, key, segments=None: times * plain(*example, key=key)


def halved(logits_fn, *, times: int = 1):
    plain = EXPLAINERS["gradient"].factory(logits_fn)

    def explainer(variables, x, target, *, key):
        return sum(plain(variables, x * (i + 1), target, key=key) for i in range(times)) / 2

    return explainer


def doubled(variables, x, target, *, key):
    return 2 * jax.grad(lambda x: MODEL.logits_fn(variables, x)[target])(x)


MODEL = mlp(3, widths=(4,))


@pytest.mark.parametrize(("text", "runs"), [("halved(times=3)", 3), ("halved", 1), ("doubled", 1)])
def test_a_users_own_factory_or_explainer_need_state_nothing(text, runs):
    x = np.zeros(5, np.float32)
    shapes = jax.eval_shape(MODEL.init, jax.random.key(0), x)
    (named,) = explainers.choose([f"{__name__}:{text}"], MODEL.logits_fn, shapes, x, None, print).methods
    assert named.name == f"{__name__}:{text}"
    assert named.method.family == "custom"
    assert named.runs(x.shape) == runs


def test_an_explainer_by_its_module_takes_no_options():
    with pytest.raises(UsageError, match="takes no options"):
        explainers.parse(f"{__name__}:doubled(times=3)")


def test_a_users_own_explainer_is_named_by_its_module():
    registered("custom", runs=lambda shape, players, *, times, **_: 2 * times)(scaled)
    try:
        named = explainers.parse(f"{__name__}:scaled(times=3)")
        assert named.name == f"{__name__}:scaled(times=3)"
        assert named.runs((3,)) == 6
        assert named.method.family == "custom"
        weights = jnp.arange(6.0).reshape(3, 2)
        own = named.make(lambda variables, x: x @ variables, (3,), None)
        np.testing.assert_array_equal(own(weights, jnp.ones(3), 1, key=jax.random.key(0)), 3 * weights[:, 1])
    finally:
        EXPLAINERS.remove("scaled")


def test_a_method_that_does_not_apply_to_the_model_is_named_without_running_it():
    model, x = mlp(3, widths=(4,)), np.zeros((8, 8, 1), np.float32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), x)
    for text, said in (
        ("gradcam", "finds no map over"),
        ("occlusion(window=9)", "must not be larger than x"),
    ):
        with pytest.raises(UsageError, match=said):
            explainers.choose([text], model.logits_fn, shapes, x, None, print)


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


def test_cheap_and_all_are_the_methods_that_apply_to_the_model():
    model = mlp(3, widths=(4,))
    x = np.zeros((8, 8, 1), np.float32)
    variables = model.init(jax.random.key(0), x)
    said = []
    cheap, _, left_out = explainers.choose(["cheap"], model.logits_fn, variables, x, None, said.append)
    assert {"gradient", "input_x_gradient", "deeplift"} <= {named.name for named in cheap}
    assert all(named.runs(x.shape) <= 10 for named in cheap)
    assert any("gradcam is left out" in line for line in said)  # a network without a spatial layer
    background = np.ones((5, 8, 8, 1), np.float32)
    assert {one.name for one in left_out} >= {"gradcam", "gradcam_pp"}
    every = explainers.choose(
        ["gradient", "all"], model.logits_fn, variables, x, background, said.append
    ).methods
    names = [named.name for named in every]
    assert names[0] == "gradient"
    assert names.count("gradient") == 1
    assert {"lime(grid=4)", "kernel_shap(grid=4)", "feature_permutation(grid=4)"} <= set(names)
    assert all(named.runs(x.shape) <= 10_000 for named in every)
