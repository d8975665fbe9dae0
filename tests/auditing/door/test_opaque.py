"""Models that hold more or less than weights: an index into a list of boosters, a key for dropout."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import leakjax
from leakjax.data import in_order
from leakjax.evaluate.document import to_json
from leakjax.report import from_json, publish
from leakjax.shadow import from_arrays
from tests.auditing.world import CLASSES, FEATURES, MODELS, POINTS, logits_fn

SHORT = leakjax.auditing.Attacker(releases=("label",))  # one release is as good as three here


def of_control(report, name):
    (found,) = [control for control in report.controls if control.name == name]
    return found


@pytest.fixture(scope="module")
def opaque(points, ensemble):
    """The models of `world` behind a callback; JAX knows their number alone."""
    weights, offsets = (np.asarray(ensemble.variables[name]) for name in ("w", "b"))

    def predict(index, x):
        w, b = weights[index], offsets[index]
        return (np.einsum("...f,...fc->...c", x[..., :-1], w) + b).astype(np.float32)

    def booster(index, x):
        shape = jax.ShapeDtypeStruct((CLASSES,), jnp.float32)
        return jax.pure_callback(predict, shape, index, x, vmap_method="broadcast_all")

    models = from_arrays(np.arange(MODELS, dtype=np.int32), ensemble.membership)
    return leakjax.audit(
        booster,
        models,
        points,
        explainers=["occlusion", "cheap"],
        attacks=["stacked"],
        attacker=SHORT,
        key=jax.random.key(0),
    )


@pytest.fixture(scope="module")
def page(opaque, tmp_path_factory):
    place = tmp_path_factory.mktemp("opaque")
    publish(opaque, place)
    return (place / "report.html").read_text()


@pytest.mark.slow
def test_nothing_to_shuffle_is_a_control_that_was_not_run_and_no_failure(opaque, page):
    untrained = of_control(opaque, "untrained")
    assert not untrained.passed
    assert not untrained.failed
    assert "pass untrained=" in untrained.not_run
    assert np.isnan(untrained.seen.value)
    assert [control.name for control in opaque.controls if control.failed] == []
    assert "not run: the variables hold no weights" in page
    assert "CONTROLS FAILED" not in page
    assert list(from_json(type(opaque), to_json(opaque)).left_out) == opaque.left_out


@pytest.mark.slow
def test_cheap_leaves_out_what_does_not_apply_whatever_the_model_raises(opaque, page):
    assert {row.explainer for row in opaque.leakage} == {"none", "occlusion", "feature_ablation"}
    left_out = {one.name: one.why for one in opaque.left_out}
    assert {"gradient", "deeplift", "lrp", "input_x_gradient"} <= left_out.keys()
    assert all(left_out.values())
    assert "JVP" in left_out["gradient"]
    assert "gradient was left out" in page


class Network(nnx.Module):
    def __init__(self, rngs):
        self.first, self.dropout = nnx.Linear(FEATURES, 4, rngs=rngs), nnx.Dropout(0.2, rngs=rngs)
        self.last = nnx.Linear(4, CLASSES, rngs=rngs)

    def __call__(self, x):
        return self.last(self.dropout(nnx.relu(self.first(x))))


@pytest.mark.slow
def test_an_nnx_network_with_dropout_has_a_key_among_its_leaves_and_runs(points, ensemble):
    networks = [Network(nnx.Rngs(seed)) for seed in range(MODELS)]
    for network in networks:
        network.eval()
    graph = nnx.graphdef(networks[0])
    states = [nnx.state(network) for network in networks]
    variables = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
    kinds = {jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) for leaf in jax.tree.leaves(variables)}
    assert kinds == {True, False}

    report = leakjax.audit(
        lambda state, x: nnx.merge(graph, state)(x),
        from_arrays(variables, ensemble.membership),
        in_order(points.x[:, :FEATURES], points.y, classes=CLASSES, name="small"),
        explainers=["gradient"],
        attacks=["stacked"],
        attacker=SHORT,
        key=jax.random.key(0),
    )
    assert of_control(report, "untrained").not_run is None
    assert report.task.diverged == []


@pytest.mark.slow
def test_names_methods_and_functions_stand_in_one_list(points, ensemble):
    def mine(variables, x, target, *, key):
        steps = jnp.arange(1.0, 13.0) / 12
        return jax.vmap(lambda step: logits_fn(variables, step * x)[target] * x)(steps).mean(0)

    def halve(attribution):
        return attribution / 2

    report = leakjax.audit(
        logits_fn,
        ensemble,
        points,
        explainers=["gradient", mine, leakjax.explain.smoothgrad(samples=2)],
        defenses=["none", halve, leakjax.defend.clip_norm(1.0)],
        attacks=["stacked"],
        attacker=SHORT,
        budget=leakjax.auditing.Budget(costly_points=POINTS // 2),
        key=jax.random.key(0),
    )
    both = [row for row in report.leakage if row.view == "both"]
    assert {row.explainer for row in both} == {"gradient", "mine", "smoothgrad(samples=2)"}
    assert {row.defense for row in both} >= {"none", "halve"}
    assert {row.family for row in both if row.explainer == "mine"} == {"custom"}
    # Twelve runs of the model, which nobody stated: it is costly, and was audited on half of the points.
    nonmembers = {row.explainer: row.nonmembers for row in both}
    assert nonmembers["mine"] < 0.7 * nonmembers["gradient"]
