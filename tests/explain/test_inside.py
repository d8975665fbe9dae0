"""Activations inside a function, examples of several arrays, and what an explainer takes or refuses at its door."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import rich.progress

from leakjax import explain
from leakjax._validate import UsageError
from leakjax.explain import (
    EXPLAINERS,
    Segments,
    batched,
    gradient,
    input_x_gradient,
    integrated_gradients,
    tag,
)

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
TABLE, FIRST, LAST = RNG.normal(size=(7, 3)), RNG.normal(size=(3, 5)), RNG.normal(size=(5, 2))
TOKENS = np.array([1, 4, 4, 6])


def rest(embedded):
    """What the token model makes of its embeddings."""
    return jnp.tanh(jnp.tanh(embedded @ FIRST).mean(0) @ LAST)


def of_tokens(variables, tokens):
    return rest(tag(jnp.asarray(TABLE)[tokens], "embedding"))


OPTIONS = {
    "feature_permutation": {"background": TABLE[None, :4], "samples": 2},
    "integrated_gradients": {"steps": 300},
}
EXACT = {"integrated_gradients", "deeplift", "kernel_shap", "shapley_sampling", "exact_shapley"}
INPUTS = [name for name, row in EXPLAINERS.items() if row.family != "class activation"]


@pytest.mark.parametrize("name", INPUTS)
def test_an_activation_inside_is_explained_as_an_input_of_the_rest(x64, name):
    options = OPTIONS.get(name, {})
    segments = {"segments": Segments(np.arange(4)[:, None].repeat(3, 1), 4)} if EXPLAINERS[name].masks else {}
    inside = EXPLAINERS[name].factory(of_tokens, at="embedding", **options)
    outside = EXPLAINERS[name].factory(lambda variables, x: rest(x), **options)
    found = inside(None, TOKENS, 1, key=KEY, **segments)
    assert found.shape == (4, 3)
    np.testing.assert_allclose(found, outside(None, TABLE[TOKENS], 1, key=KEY, **segments), atol=1e-9)
    if name in EXACT:
        total = float(found.sum()) if not segments else float(found[:, 0].sum())
        gain = of_tokens(None, TOKENS)[1] - rest(jnp.zeros((4, 3)))[1]
        assert total == pytest.approx(float(gain), abs=1e-9)


def test_a_tag_that_is_not_there_or_is_shared_is_named():
    twice = lambda variables, x: tag(jnp.tanh(tag(x, "h")), "h")
    with pytest.raises(UsageError, match=r"at='h': is the tag of 2 calls"):
        gradient(twice, at="h")(None, np.ones(2, np.float32), 0)
    np.testing.assert_allclose(gradient(twice, at="h[1]")(None, np.ones(2, np.float32), 0), [1, 0])
    with pytest.raises(UsageError, match=r"at='g': must be a tag of the model: h"):
        gradient(twice, at="g")(None, np.ones(2, np.float32), 0)


def of_two(variables, x):
    return jnp.tanh(x["image"].sum() * x["row"]) @ variables


@pytest.mark.parametrize(
    "name", ["input_x_gradient", "integrated_gradients", "deeplift", "lrp", "kernel_shap"]
)
def test_an_example_of_several_arrays_has_an_attribution_of_its_form(x64, name):
    x = {"image": RNG.normal(size=(2, 2)), "row": RNG.normal(size=3)}
    weights = RNG.normal(size=(3, 2))
    found = EXPLAINERS[name].factory(of_two)(weights, x, 1, key=KEY)
    assert jax.tree.map(jnp.shape, found) == jax.tree.map(jnp.shape, x)
    if name in ("integrated_gradients", "deeplift", "kernel_shap"):
        gain = float(of_two(weights, x)[1])
        assert float(found["image"].sum() + found["row"].sum()) == pytest.approx(gain, abs=1e-6)
    if name == "input_x_gradient":
        slopes = jax.grad(lambda x: of_two(weights, x)[1])(x)
        jax.tree.map(lambda a, b, c: np.testing.assert_allclose(a, b * c), found, x, slopes)


def test_baselines_of_several_arrays(x64):
    x, start = ({"image": RNG.normal(size=(2, 2)), "row": RNG.normal(size=3)} for _ in range(2))
    weights = RNG.normal(size=(3, 2))
    found = integrated_gradients(of_two, baseline=start, steps=200)(weights, x, 0)
    gain = float(of_two(weights, x)[0] - of_two(weights, start)[0])
    assert float(found["image"].sum() + found["row"].sum()) == pytest.approx(gain, abs=1e-6)


X = RNG.normal(size=4).astype(np.float32)


@pytest.mark.parametrize(
    ("network", "target", "message"),
    [
        (lambda v, x: (x, x), 0, "logits_fn='tuple': must return logits .classes. alone"),
        (lambda v, x: {"logits": x}, 0, "logits_fn='dict'"),
        (lambda v, x: x, None, "target=None: must be one class, 0 to 3"),
        (lambda v, x: x, np.eye(4)[1], r"target='float.*\[4\]': must be one class.*argmax"),
        (lambda v, x: x, (0, 1), "must be one class"),
        (
            lambda v, x: jax.lax.while_loop(lambda s: s.sum() < 9, lambda s: s + 1 + s**2, x),
            0,
            "'while'.*occlusion",
        ),
    ],
)
def test_what_an_explainer_refuses_names_the_remedy(network, target, message):
    with pytest.raises(UsageError, match=message):
        gradient(network)(None, X, target)


@pytest.mark.parametrize("name", list(EXPLAINERS))
def test_an_output_that_does_not_depend_on_the_example_has_zeros(name):
    options = {"background": np.zeros((2, 4, 4, 1), np.float32)} if EXPLAINERS[name].needs_background else {}
    explain = EXPLAINERS[name].factory(lambda variables, x: jnp.arange(3.0), **options)
    found = explain(None, np.ones((4, 4, 1), np.float32), 1, key=KEY, **_cells(name))
    assert not np.any(found)


def _cells(name):
    return (
        {"segments": Segments(np.arange(4).repeat(4).reshape(4, 4, 1), 4)} if EXPLAINERS[name].masks else {}
    )


def test_one_output_needs_no_target():
    for network in (lambda v, x: (x**2).sum(), lambda v, x: (x**2).sum()[None]):
        np.testing.assert_allclose(gradient(network)(None, X), 2 * X, rtol=1e-6)


def test_a_key_is_asked_for_only_where_it_is_needed():
    for row in EXPLAINERS.values():
        options = {"background": np.ones((1, 4, 4, 1), np.float32)} if row.needs_background else {}
        explain = row.factory(lambda v, x: (x**2).sum()[None], **options)
        if row.stochastic:
            with pytest.raises(UsageError, match=r"key=None: must be a jax.random.key"):
                explain(None, np.ones((4, 4, 1), np.float32), 0)
    squares = lambda v, x: (v * x**2).sum()[None]
    found = batched(gradient(squares), size=2)(np.float32(3), X[:, None], np.zeros(4, int))
    np.testing.assert_allclose(found, 6 * X[:, None], rtol=1e-6)


def test_one_map_of_segments_serves_a_batch():
    cells = Segments(np.array([0, 0, 1, 1]), 2)
    xs = RNG.normal(size=(3, 4)).astype(np.float32)
    explain = batched(EXPLAINERS["feature_ablation"].factory(lambda v, x: (x**2).sum()[None]))
    found = explain(None, xs, np.zeros(3, int), segments=cells)
    np.testing.assert_allclose(found, (xs**2).reshape(3, 2, 2).sum(2).repeat(2, 1), rtol=1e-5)


def test_variables_may_hold_what_is_no_array():
    variables = {
        "weights": RNG.normal(size=(4, 2)).astype(np.float32),
        "activation": jnp.tanh,
        "name": "layer",
    }
    network = lambda v, x: v["activation"](x @ v["weights"])
    xs = RNG.normal(size=(3, 4)).astype(np.float32)
    plain = batched(input_x_gradient(lambda w, x: jnp.tanh(x @ w)))(
        variables["weights"], xs, np.zeros(3, int)
    )
    for name in ("input_x_gradient", "deeplift", "lrp", "guided_backprop"):
        explain = EXPLAINERS[name].factory(network)
        found = batched(explain)(variables, xs, np.zeros(3, int))
        one = explain(variables, xs[0], 0)
        np.testing.assert_allclose(found[0], one, rtol=1e-4, atol=1e-6)
        if name == "input_x_gradient":
            np.testing.assert_allclose(found, plain, rtol=1e-6)


def test_a_whole_equinox_module_may_be_the_variables():
    module = eqx.nn.MLP(4, 3, 5, 1, key=KEY)
    arrays, rest = eqx.partition(module, eqx.is_array)
    whole, apart = lambda v, x: v(x), lambda v, x: eqx.combine(v, rest)(x)
    xs = RNG.normal(size=(3, 4)).astype(np.float32)
    for name in ("gradient", "integrated_gradients", "deeplift", "lrp", "kernel_shap"):
        factory = EXPLAINERS[name].factory
        expected = factory(apart)(arrays, xs[0], 1, key=KEY)
        np.testing.assert_allclose(factory(whole)(module, xs[0], 1, key=KEY), expected, rtol=1e-4, atol=1e-6)
        both = [batched(factory(fn)) for fn in (whole, apart)]
        found, expected = (
            run(variables, xs, np.ones(3, int), key=KEY, ids=np.arange(3))
            for run, variables in zip(both, (module, arrays), strict=True)
        )
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_progress_is_told_by_shares_up_to_one(monkeypatch, capsys):
    told, bar = [], rich.progress.track

    def track(starts, description):
        for done, start in enumerate(bar(starts, description), 1):
            yield start
            told.append(done / len(starts))

    monkeypatch.setattr("rich.progress.track", track)
    explain = gradient(lambda v, x: (x**2).sum()[None])
    xs = RNG.normal(size=(5, 4)).astype(np.float32)
    found = batched(explain, size=2, progress=True)(None, xs, np.zeros(5, int))
    assert told == [1 / 3, 2 / 3, 1]
    shown = capsys.readouterr().out
    assert "explaining" in shown
    assert "100%" in shown
    np.testing.assert_allclose(found, 2 * xs, rtol=1e-6)
    batched(explain, size=2)(None, xs, np.zeros(5, int))
    assert len(told) == 3


LINEAR = lambda variables, x: x @ variables
ONE = (np.ones((3, 2), np.float32), np.ones(3, np.float32), 0)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: explain.gradient(3), "logits_fn=3: must be a function"),
        (lambda: explain.gradient(LINEAR)(ONE[0], [1.0, 2.0, 3.0], 0), "x='list': must be an array"),
        (lambda: explain.gradient(LINEAR)(ONE[0], "three", 0), "x='str': must be an array"),
        (lambda: explain.integrated_gradients(LINEAR, steps=2.5)(*ONE), "steps=2.5: must be a whole number"),
        (
            lambda: explain.smoothgrad(LINEAR, samples=True)(*ONE, key=jax.random.key(0)),
            "samples=True: must be a",
        ),
        (
            lambda: explain.lime(LINEAR, samples=9.5)(*ONE, key=jax.random.key(0)),
            "samples=9.5: must be a whole",
        ),
        (lambda: explain.smoothgrad(LINEAR)(*ONE, key=0), "key=0: must be a jax.random.key"),
        (lambda: explain.smoothgrad(LINEAR)(*ONE), "key=None: must be a jax.random.key"),
    ],
)
def test_what_an_explainer_cannot_take_is_named(ask, said):
    with pytest.raises(UsageError, match=said):
        ask()
