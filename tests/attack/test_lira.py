"""Likelihood-ratio attacks beside loops that follow their papers, in float64."""

import jax
import numpy as np
import pytest
from scipy import stats

from leakjax.attack.registry import parse
from leakjax.attack.run import run
from tests.attack.replied import replied

KEY = jax.random.key(0)
TARGETS = np.array([1, 6, 11])


def odds_of(logs, label):
    others = np.arange(logs.shape[-1]) != label[:, None]
    true = np.take_along_axis(logs, label[:, None], axis=-1)[:, 0]
    return true - np.log(np.sum(np.exp(logs), axis=-1, where=others))


def odds(replies):
    logs = replies.log_probabilities.astype(np.float64)
    return np.stack([odds_of(each, replies.label) for each in logs])


def query_odds(replies, query):
    logs = replies.queries[:, :, query].astype(np.float64)
    return np.stack([odds_of(each, replies.label) for each in logs])


def fenced(signal):
    """Cut at six robust standard deviations from the median over models: what one broken model may weigh."""
    low, middle, high = np.quantile(signal, [0.25, 0.5, 0.75], axis=0)
    spread = (high - low) / 1.349
    return np.clip(signal, middle - 6 * spread, middle + 6 * spread)


def loop(signal, membership, targets, ratio):
    """ratio(answer, signals of in-models, of out-models) of every target at every point, the target left out."""
    signal = fenced(signal)
    scores = np.zeros((len(targets), signal.shape[1]))
    for row, target in enumerate(targets):
        others = np.arange(len(signal)) != target
        for point in range(signal.shape[1]):
            inside = membership[:, point]
            scores[row, point] = ratio(
                signal[target, point], signal[others & inside, point], signal[others & ~inside, point]
            )
    return scores


def gaussian(answer, inside, outside):
    return stats.norm.logpdf(answer, inside.mean(), inside.std()) - stats.norm.logpdf(
        answer, outside.mean(), outside.std()
    )


def pooled(answer, inside, outside):
    both = np.concatenate([inside - inside.mean(), outside - outside.mean()]).std()
    return stats.norm.logpdf(answer, inside.mean(), both) - stats.norm.logpdf(answer, outside.mean(), both)


def offline(answer, inside, outside):
    return (answer - outside.mean()) / outside.std()


@pytest.mark.parametrize(
    ("text", "ratio"),
    [("lira", gaussian), ("lira(variance='pooled')", pooled), ("lira(online=False)", offline)],
)
def test_lira_is_the_loop_of_its_paper(text, ratio):
    membership, replies = replied(seed=2, models=32)
    found = run(parse(text), replies, membership, targets=TARGETS, key=KEY)
    assert found.valid.all()
    expected = loop(odds(replies), membership, TARGETS, ratio)
    np.testing.assert_allclose(found.scores, expected, rtol=2e-3, atol=2e-3)


def test_offline_lira_does_not_look_at_in_models():
    membership, replies = replied(seed=2, models=32)
    target, attack = np.array([4]), parse("lira(online=False)")
    before = run(attack, replies, membership, targets=target, key=KEY)
    point = 17
    inside = membership[:, point] & (np.arange(32) != 4)
    logs = replies.log_probabilities.copy()
    logs[inside, point] = logs[inside, point][::-1]  # the in-models change places
    after = run(attack, replies._replace(log_probabilities=logs), membership, targets=target, key=KEY)
    np.testing.assert_array_equal(before.scores, after.scores)


def test_several_queries_add_up():
    membership, replies = replied(seed=3, models=32)
    found = run(parse("lira(queries=True)"), replies, membership, targets=TARGETS, key=KEY)
    signals = [odds(replies), *(query_odds(replies, query) for query in range(5))]
    expected = sum(loop(signal, membership, TARGETS, gaussian) for signal in signals)
    np.testing.assert_allclose(found.scores, expected, rtol=5e-3, atol=5e-3)


@pytest.mark.parametrize("kind", ["global", "fixed"])
def test_variances_over_points_are_those_of_all_points(kind):
    """With as many in- as out-models everywhere, whoever is left out, means over points are plain means."""
    membership, replies = replied(seed=4, models=32, points=400)
    found = run(parse(f"lira(variance='{kind}')"), replies, membership, targets=TARGETS, key=KEY)
    signal = odds(replies)

    def variances():
        for inside in (True, False):
            values = [signal[membership[:, p] == inside, p] for p in range(signal.shape[1])]
            yield np.mean([v.var() for v in values]) if kind == "global" else np.concatenate(values).var()

    of_in, of_out = (value**0.5 for value in variances())

    def ratio(answer, inside, outside):
        return stats.norm.logpdf(answer, inside.mean(), of_in) - stats.norm.logpdf(
            answer, outside.mean(), of_out
        )

    expected = loop(signal, membership, TARGETS, ratio)
    # The attack's variances rest on shadows alone, these on all models: they differ by a few per cent.
    np.testing.assert_allclose(found.scores, expected, rtol=0.1, atol=0.12)


@pytest.mark.parametrize("predictive", ["student", "gaussian"])
def test_bavaria_is_the_predictive_of_a_normal_inverse_gamma_posterior(predictive):
    membership, replies = replied(seed=5, models=16, points=300)
    strength = 6.0
    attack = parse(f"bavaria(predictive='{predictive}', strength=6.0)")
    found = run(attack, replies, membership, targets=TARGETS, key=KEY)
    signal = odds(replies)
    prior = [
        np.mean([signal[membership[:, p] == inside, p].var() for p in range(signal.shape[1])])
        for inside in (True, False)
    ]

    def log_density(answer, values, prior):
        count = len(values)
        freedom = strength + count - 1
        variance = (strength * prior + np.sum((values - values.mean()) ** 2)) / freedom * (1 + 1 / count)
        law = stats.norm if predictive == "gaussian" else stats.t(freedom)
        return law.logpdf((answer - values.mean()) / variance**0.5) - np.log(variance) / 2

    def ratio(answer, inside, outside):
        return log_density(answer, inside, prior[0]) - log_density(answer, outside, prior[1])

    expected = loop(signal, membership, TARGETS, ratio)
    difference = np.abs(found.scores - expected)[found.valid]
    assert np.quantile(difference, 0.95) < 0.1  # priors differ as the models that they rest on do


def test_the_weight_of_the_prior_of_bavaria_matters_where_models_are_few():
    """Unequal variances: with a strong prior the ratio is that of the variance over points."""
    membership, replies = replied(seed=5)
    weak, strong, one = (
        run(parse(text), replies, membership, targets=TARGETS, key=KEY).scores
        for text in ("bavaria(strength=0.01)", "bavaria(strength=1e6)", "lira(variance='global')")
    )
    assert np.corrcoef(strong.ravel(), one.ravel())[0, 1] > 0.99
    assert np.corrcoef(weak.ravel(), one.ravel())[0, 1] < 0.99


def test_map_ratios_are_lira_of_the_logarithm_of_a_norm():
    membership, replies = replied(seed=6, models=32)
    found = run(parse("map_ratio"), replies, membership, targets=TARGETS, key=KEY)
    norm = np.log(np.abs(replies.maps.astype(np.float64)).sum(axis=-1))
    np.testing.assert_allclose(found.scores, loop(norm, membership, TARGETS, gaussian), rtol=5e-3, atol=5e-3)
