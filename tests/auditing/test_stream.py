"""Streaming: what comes out depends on neither chunks nor devices nor on who is a member."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from leakjax.auditing import chunks
from leakjax.auditing.explanations import (
    defend_program,
    explain_program,
    permute_over_models,
    stream_explanations,
)
from leakjax.auditing.predictions import predict_program, stream_predictions
from leakjax.auditing.score import baseline, score
from leakjax.auditing.subject import Subject
from leakjax.data import take
from leakjax.defend import chain, gaussian_noise, identity, lift
from tests.auditing.world import FEATURES, MODELS, POINTS, logits_fn

TARGETS = np.array([5, 0, 11])
BROKEN_MODEL, BROKEN_POINT = 5, 17


def noisy(variables, x, target, *, key, segments=None):
    """A gradient in noise; one model fails at one point."""
    bad = (variables["mark"] == 1) & (x[-1] == BROKEN_POINT)
    slope = jax.grad(lambda x: logits_fn(variables, x)[target])(x)
    return jnp.where(bad & (jnp.arange(len(x)) == 2), jnp.nan, slope + jax.random.normal(key, x.shape))


# Nothing of the attribution is left, not even that it was not finite.
DROWNED = chain(lift("nothing", jnp.zeros_like), gaussian_noise(1.0))


class Programs:
    """The programs of a subject, compiled once; `run` may be given another membership or other points."""

    def __init__(self, subject):
        self.predict = predict_program(subject)
        self.explain = explain_program(subject, noisy)
        self.defend = [defend_program(subject, defense) for defense in (identity(), DROWNED)]

    def run(self, subject):
        predictions = stream_predictions(self.predict, subject)
        every = np.arange(len(subject.points.x))
        return (
            predictions,
            *stream_explanations(self.explain, self.defend, subject, predictions, every),
        )


@pytest.fixture(scope="module")
def subject(ensemble, points):
    variables = {**ensemble.variables, "mark": (np.arange(MODELS) == BROKEN_MODEL).astype(np.float32)}
    return Subject(
        logits_fn, variables, 30 + np.arange(MODELS), points, ensemble.membership, TARGETS, jax.random.key(1)
    )


@pytest.fixture(scope="module")
def programs(subject):
    return Programs(subject)


@pytest.fixture(scope="module")
def streamed(programs, subject):
    return programs.run(subject)


def test_neither_chunks_nor_devices_change_anything(subject, streamed, monkeypatch):
    assert jax.local_device_count() == 2
    assert chunks.chunk_size(MODELS, FEATURES + 1) == 64
    one = jax.local_devices()[:1]
    monkeypatch.setattr(jax, "local_devices", lambda *_, **__: one)
    monkeypatch.setattr(chunks, "CHUNK_VALUES", 4 * MODELS * (FEATURES + 1))
    assert chunks.chunk_size(MODELS, FEATURES + 1) == 4
    for found, expected in zip(Programs(subject).run(subject), streamed, strict=True):
        for one, value in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(one, value, rtol=1e-3, atol=2e-3, equal_nan=True)
        if hasattr(expected, "examples"):
            np.testing.assert_allclose(found.examples, expected.examples, rtol=1e-5, atol=1e-5)


def test_predictions_and_norms_against_numpy(streamed, points, ensemble):
    predictions, plain, _ = streamed
    logits = np.einsum("pf,mfc->mpc", points.x[:, :-1], ensemble.variables["w"].astype(np.float64))
    logits = logits + ensemble.variables["b"][:, None]
    chances = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    own = np.take_along_axis(chances, points.y[None, :, None].astype(int), axis=-1)[..., 0]
    np.testing.assert_allclose(predictions.signal, np.log(own / (1 - own)), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(predictions.explained, logits.argmax(axis=-1))
    np.testing.assert_array_equal(predictions.correct, logits.argmax(axis=-1) == points.y)
    most = chances.max(axis=-1)[TARGETS]
    np.testing.assert_allclose(predictions.confidence, np.log(most / (1 - most)), rtol=1e-3, atol=1e-4)
    there = plain.finite[TARGETS[0]]
    norms = np.log(np.abs(plain.examples[there]).sum(axis=1))
    np.testing.assert_allclose(plain.log_l1[TARGETS[0]][there], norms, rtol=1e-5, atol=1e-5)


def test_an_attacker_who_does_not_know_the_label_looks_at_the_predicted_class(subject, streamed):
    unaware = dataclasses.replace(subject, label_known=False, explained_class="true")
    found = stream_predictions(predict_program(unaware), unaware)
    np.testing.assert_allclose(found.signal[TARGETS], streamed[0].confidence, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found.explained, np.tile(subject.points.y, (MODELS, 1)))


def test_an_attribution_that_is_not_finite_is_missing_there_alone(streamed):
    _, plain, drowned = streamed
    for released in (plain, drowned):  # a defense does not hide it
        broken = np.outer(np.arange(MODELS) == BROKEN_MODEL, np.arange(POINTS) == BROKEN_POINT)
        np.testing.assert_array_equal(released.finite, ~broken)
        np.testing.assert_array_equal(released.examples[BROKEN_POINT], 0)
        assert np.abs(np.delete(released.examples, BROKEN_POINT, axis=0)).sum(axis=1).min() > 0
        np.testing.assert_array_equal(np.isfinite(released.log_l1), ~broken)
        for value in jax.tree.leaves(released.reduced):
            assert np.isfinite(value).all()


def test_a_defense_gives_every_model_and_point_noise_of_its_own(streamed):
    norms = np.delete(streamed[2].log_l1, BROKEN_POINT, axis=1)
    assert len(np.unique(norms)) == norms.size
    maps = np.delete(streamed[2].examples, BROKEN_POINT, axis=0)
    assert maps.std() == pytest.approx(1, abs=0.1)
    assert (
        abs(np.corrcoef(maps.ravel(), np.delete(streamed[1].examples, BROKEN_POINT, 0).ravel())[0, 1]) < 0.15
    )


def test_an_explainer_has_noise_that_the_ids_of_model_and_point_decide(subject):
    noise = lambda variables, x, target, *, key, segments=None: jax.random.normal(key, x.shape)
    classes = np.zeros((MODELS, POINTS), np.int32)

    def maps(model_ids, rows):
        program = explain_program(dataclasses.replace(subject, model_ids=model_ids), noise)
        variables, x, ids = subject.variables, subject.points.x[rows], subject.points.ids[rows]
        return np.asarray(program(variables, x, ids, classes[:, rows]))

    every = np.arange(POINTS)
    found = maps(subject.model_ids, every)
    assert len(np.unique(found[..., 0])) == MODELS * POINTS
    np.testing.assert_array_equal(maps(subject.model_ids[::-1], every[::-1]), found[::-1, ::-1])


def test_the_order_of_points_changes_no_released_map(programs, subject, streamed):
    order = np.random.default_rng(0).permutation(POINTS)
    turned = dataclasses.replace(
        subject, points=take(subject.points, order), membership=subject.membership[:, order]
    )
    for found, expected in zip(programs.run(turned)[1:], streamed[1:], strict=True):
        np.testing.assert_allclose(found.examples, expected.examples[order], rtol=1e-6, atol=1e-6)


def test_who_is_a_member_changes_no_released_map(programs, subject, streamed):
    for membership in (
        ~subject.membership,
        np.roll(subject.membership, 7, axis=1),
        np.roll(subject.membership, 1, axis=0),
    ):
        found = programs.run(dataclasses.replace(subject, membership=membership))
        for name in ("signal", "explained", "correct", "agrees", "confidence"):
            np.testing.assert_array_equal(getattr(found[0], name), getattr(streamed[0], name))
        for released, expected in zip(found[1:], streamed[1:], strict=True):
            np.testing.assert_array_equal(released.examples, expected.examples)
            np.testing.assert_array_equal(released.log_l1, expected.log_l1)


def test_flipping_a_targets_membership_changes_none_of_its_scores(programs, subject):
    """From the first prediction to the last score, through the same compiled programs."""

    def attack(membership):
        turned = dataclasses.replace(subject, membership=membership)
        predictions, plain, _ = programs.run(turned)
        return score(turned, baseline(turned, predictions, turned.releases), plain)

    before = attack(subject.membership)
    for row, target in enumerate(TARGETS):
        membership = subject.membership.copy()
        membership[target] = ~membership[target]
        after = attack(membership)
        others = np.delete(np.arange(len(TARGETS)), row)
        for name in ("prediction", "explanation", "both"):
            old, new = getattr(before, name), getattr(after, name)
            np.testing.assert_array_equal(new[..., row, :], old[..., row, :], err_msg=name)
            assert np.abs(new[..., others, :] - old[..., others, :]).max() > 0.02


def test_the_placebo_gives_every_point_its_own_maps_in_another_order(subject):
    rng = np.random.default_rng(0)
    maps = jnp.asarray(rng.normal(size=(MODELS, POINTS, 3)), jnp.float32)
    ids = jnp.asarray(subject.points.ids)
    shuffled = np.asarray(permute_over_models(maps, ids, key=subject.key))
    orders = []
    for point in range(POINTS):
        order = [
            int(np.flatnonzero((np.asarray(maps)[:, point] == row).all(axis=1))[0])
            for row in shuffled[:, point]
        ]
        assert sorted(order) == list(range(MODELS))
        orders.append(tuple(order))
    assert len(set(orders)) == POINTS
    # Nobody keeps a map more often than chance: 1 of the models, on average.
    assert np.mean([[o == m for m, o in enumerate(order)] for order in orders]) == pytest.approx(
        1 / MODELS, abs=0.03
    )


def test_chunks_are_powers_of_two_within_their_limits():
    for models, features in ((18, 7), (256, 784), (64, 64), (10**6, 10**4)):
        size = chunks.chunk_size(models, features)
        assert size >= 1
        assert size & (size - 1) == 0
        assert size == 1 or size * models * features <= chunks.CHUNK_VALUES
