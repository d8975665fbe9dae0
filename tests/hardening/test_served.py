"""Who explains and who gets no explanation, on ridge regressions in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from leakjax import explain
from leakjax._validate import UsageError
from leakjax.hardening import served
from leakjax.shadow.ensemble import from_arrays

KEY, SECRET = jax.random.key(0), jax.random.key(11)
RNG = np.random.default_rng(5)
MODELS, POINTS, FEATURES, FOLDS = 4, 60, 4, 3
X = RNG.normal(size=(POINTS, FEATURES)).astype(np.float32)
Y = RNG.normal(size=POINTS)
FOLD = np.asarray(jax.vmap(lambda x: served.fold_of(x, FOLDS, secret=SECRET))(jnp.asarray(X)))


def logits_fn(w, x):
    return jnp.stack([jnp.zeros(()), jnp.vdot(w, x)])


def fitted(rows):
    return np.linalg.solve(X[rows].T @ X[rows] + np.eye(FEATURES), X[rows].T @ Y[rows])


def served_ensemble(membership):
    full = np.stack([fitted(rows) for rows in membership])
    parts = np.stack([[fitted(rows & (k != FOLD)) for k in range(FOLDS)] for rows in membership])
    return served.explained_by(from_arrays(jnp.asarray(full), membership), jnp.asarray(parts))


def model(ensemble, number):
    return jax.tree.map(lambda leaf: leaf[number], ensemble.variables)


def test_folds_follow_the_values_and_the_secret_and_are_even():
    of = jax.jit(jax.vmap(lambda x, secret: served.fold_of(x, 5, secret=secret), in_axes=(0, None)))
    x = jnp.asarray(RNG.normal(size=(2000, 2, 3)), "float32")
    found, other = (np.asarray(of(x, secret)) for secret in (SECRET, KEY))
    assert stats.chisquare(np.bincount(found, minlength=5)).pvalue > 1e-3
    assert abs((found == other).mean() - 0.2) < 5 * np.sqrt(0.16 / 2000)
    zeros = jnp.zeros((1, 2, 3))
    assert of(zeros, SECRET) == of(-zeros, SECRET)
    np.testing.assert_array_equal(of(x[:7], SECRET), found[:7])
    assert (np.asarray(of(x + 1e-3, SECRET)) != found).mean() > 0.7


def test_at_the_exact_query_the_answer_does_not_depend_on_the_point_and_nearby_it_does():
    explainer = served.out_of_fold(explain.gradient(logits_fn), FOLDS, secret=SECRET)
    ask = jax.jit(lambda own, x: explainer(own, x, 1, key=KEY))
    fold = jax.jit(lambda x: served.fold_of(x, FOLDS, secret=SECRET))
    whole = np.ones((1, POINTS), bool)
    changed = 0
    for point in range(12):
        without = whole.copy()
        without[0, point] = False
        near = next(
            moved
            for moved in X[point] + 1e-3 * RNG.normal(size=(99, FEATURES)).astype(np.float32)
            if fold(jnp.asarray(moved)) != FOLD[point]
        )
        at, beside = (
            [ask(model(served_ensemble(rows), 0), jnp.asarray(x)) for rows in (whole, without)]
            for x in (X[point], near)
        )
        np.testing.assert_array_equal(*at)
        changed += np.abs(beside[0] - beside[1]).max() > 1e-6
    assert changed == 12


def test_asked_nearby_the_mean_answer_is_of_the_sub_models_that_the_moves_reach():
    folded = served.out_of_fold(explain.gradient(logits_fn), FOLDS, secret=SECRET)
    nearby = served.asked_nearby(folded, queries=50, step=1e-4, key=KEY)
    whole = np.ones((1, POINTS), bool)
    ensemble = served_ensemble(whole)
    found = np.asarray(
        jax.jit(lambda own, x: nearby(own, x, 1, key=KEY))(model(ensemble, 0), jnp.asarray(X[0]))
    )
    each = np.stack([fitted(whole[0] & (k != FOLD)) for k in range(FOLDS)])
    shares, *_ = np.linalg.lstsq(np.vstack([each.T, np.ones(FOLDS)]), np.append(found, 1.0), rcond=None)
    np.testing.assert_allclose(each.T @ shares, found, atol=1e-4)
    np.testing.assert_allclose(shares, 1 / FOLDS, atol=0.35)
    assert shares[FOLD[0]] < 0.7  # most of the sub-models that answered have seen the point


def test_predictions_are_of_the_one_and_explanations_of_the_other():
    membership = RNG.random((MODELS, POINTS)) < 0.5
    own, others = RNG.normal(size=(2, MODELS, FEATURES)).astype(np.float32)
    ensemble = served.explained_by(from_arrays(jnp.asarray(own), membership), jnp.asarray(others))
    np.testing.assert_array_equal(ensemble.membership, membership)
    for number in range(MODELS):
        x = jnp.asarray(X[number])
        logits = served.predicting(logits_fn)(model(ensemble, number), x)
        np.testing.assert_allclose(logits[1], own[number] @ X[number], rtol=1e-5)
        shown = served.explaining(explain.gradient(logits_fn))(model(ensemble, number), x, 1, key=KEY)
        np.testing.assert_allclose(shown, others[number], rtol=1e-6)


def test_nothing_is_shown_where_the_reference_is_unsure_and_the_model_itself_has_no_say():
    reference = jnp.asarray(RNG.normal(size=(5, FEATURES)), "float32")
    explainer = served.withholding(explain.gradient(logits_fn), logits_fn, reference, least=0.7)
    ask = jax.jit(lambda own, x: explainer(own, x, 1, key=KEY))
    shown = []
    for x in X:
        scores = np.asarray(reference) @ x
        sure = np.mean(1 / (1 + np.exp(-np.abs(scores))))
        for w in RNG.normal(size=(2, FEATURES)).astype(np.float32):
            found = ask(jnp.asarray(w), jnp.asarray(x))
            np.testing.assert_allclose(found, w if sure >= 0.7 else 0 * w, rtol=1e-6)
        shown.append(sure >= 0.7)
    assert 0.1 < np.mean(shown) < 0.9


def test_what_is_wrong_is_named():
    ensemble = from_arrays(jnp.zeros((MODELS, FEATURES)), np.zeros((MODELS, POINTS), bool))
    with pytest.raises(UsageError, match="explained_by"):
        served.explained_by(ensemble, jnp.zeros((3, FEATURES)))
    with pytest.raises(UsageError, match="folds=1"):
        served.fold_of(jnp.zeros(3), 1, secret=SECRET)
    for wrong in ({"queries": 0}, {"step": 0.0}):
        (name,) = wrong
        with pytest.raises(UsageError, match=name):
            served.asked_nearby(
                lambda *given, **options: None, **{"queries": 1, "step": 1.0, "key": KEY, **wrong}
            )
    with pytest.raises(UsageError, match=r"least=1\.5"):
        served.withholding(lambda *given, **options: None, logits_fn, jnp.zeros((2, 3)), least=1.5)
