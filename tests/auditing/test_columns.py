"""The indicators of one category are hidden together, wherever an explainer masks features."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import leakjax
from leakjax.auditing import explainers
from leakjax.shadow import from_arrays

COLUMNS = ("job", "job", "job", "age")


def linear(weights, x):
    return jnp.stack([0.0 * weights[0], x @ weights])


def test_a_masked_column_goes_as_a_whole():
    weights, x = jnp.array([3.0, -1.0, 2.0, 5.0]), jnp.array([1.0, 0.0, 1.0, -2.0])
    ablation = explainers.parse("feature_ablation")
    explain = ablation._replace(columns=COLUMNS).make(linear, (4,), None)
    found = explain(weights, x, 1, key=jax.random.key(0))
    # Without the job the logit is less by 3 + 2; what that is worth is the job's, whichever way it is spread.
    whole = np.array([5.0, 5.0, 5.0, -10.0])
    np.testing.assert_allclose(found / whole, np.broadcast_to((found / whole)[0], 4), rtol=1e-6)
    assert (found[0], found[3]) == (found[1], found[3])
    assert (ablation._replace(columns=COLUMNS).runs((4,)), ablation.runs((4,))) == (3, 5)


def test_gradients_know_no_columns():
    gradient = explainers.parse("gradient")
    x = jnp.arange(4.0)
    plain, told = (gradient._replace(columns=columns).make(linear, (4,), None) for columns in ((), COLUMNS))
    arguments = (jnp.array([3.0, -1.0, 2.0, 5.0]), x, 1)
    np.testing.assert_array_equal(
        plain(*arguments, key=jax.random.key(0)), told(*arguments, key=jax.random.key(0))
    )


@pytest.mark.slow
def test_an_audit_masks_by_columns_and_its_report_names_them():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(60, 4)).astype(np.float32)
    points = leakjax.data.in_order(
        x, np.arange(60) % 2, classes=2, name="small", feature_names=["a", "b", "c", "age"], columns=COLUMNS
    )
    ensemble = from_arrays(draw.normal(size=(18, 4)).astype(np.float32), draw.random((18, 60)) < 0.5)
    report = leakjax.audit(linear, ensemble, points, explainers=["feature_ablation"], key=jax.random.key(0))
    assert report.columns == COLUMNS
    for example in report.examples:
        jobs = np.asarray(example.maps["feature_ablation"]["none"])[:3]
        np.testing.assert_array_equal(jobs, jobs[0])
