import numpy as np
import pytest
from scipy import stats

from leakjax._validate import UsageError
from leakjax.influence.exact import influence, top_k
from leakjax.records.oracle import offer
from leakjax.records.part import RecordPart
from leakjax.records.revealing import auc, self_explanations, self_revealing, share, shares_by_group


def test_self_revealing_is_being_among_the_k_most_influential(service, key):
    own = np.abs(influence(service, service.model.x[:, :-1], service.model.y))
    explanation = self_explanations(service, RecordPart(k=10), key=key)
    for k in (1, 5, 10):
        rank = (own > np.diag(own)[:, None]).sum(axis=1)
        assert (self_revealing(explanation, k) == (rank < k)).all()
    assert (explanation.records == top_k(own, 10)).all()
    with pytest.raises(UsageError, match="k=11"):
        self_revealing(explanation, 11)


def test_excluding_oneself_stops_the_exact_query_and_not_its_neighbour(service, key):
    guarded = RecordPart(k=5, exclude_self=True)
    plain = self_revealing(self_explanations(service, RecordPart(k=5), key=key), 5)
    assert not self_revealing(self_explanations(service, guarded, key=key), 5).any()
    nearby = offer(service, guarded, key=key).ask(service.model.x[:, :-1] + 1e-9, service.model.y)
    assert (self_revealing(nearby, 5) == plain).all()
    assert plain.any()


def test_a_share_over_draws_has_students_interval():
    # Draws of equal size: the ratio is the mean of the shares.
    hits = [np.arange(50) < n for n in (10, 14, 9, 12)]
    shares = np.array([10, 14, 9, 12]) / 50
    value = share(hits)
    half = stats.t.ppf(0.975, 3) * shares.std(ddof=1) / 2
    np.testing.assert_allclose(
        [value.value, value.low, value.high], [shares.mean(), shares.mean() - half, shares.mean() + half]
    )
    assert value.points == 200


def test_a_share_of_one_draw_or_of_none_is_binomial():
    one = share([np.arange(40) < 10])
    np.testing.assert_allclose([one.low, one.high], stats.binomtest(10, 40).proportion_ci())
    none = share([np.zeros(20, bool), np.zeros(30, bool)])
    assert none.value == none.low == 0 < none.high < 0.1
    assert share([np.zeros(0, bool)]).points == 0


def test_groups_are_counted_apart_and_the_largest_comes_first():
    hits = [np.array([1, 0, 1, 1], bool), np.array([0, 0, 1], bool)]
    groups = [np.array(["b", "b", "a", "b"]), np.array(["b", "a", "c"])]
    shares = shares_by_group(hits, groups)
    assert list(shares) == ["b", "a", "c"]
    assert [shares[name].value for name in "bac"] == [0.5, 0.5, 1.0]
    assert [shares[name].points for name in "bac"] == [4, 2, 1]


def test_auc_counts_pairs():
    trained, others = np.array([3.0, 1.0, 2.0]), np.array([2.0, 0.0])
    pairs = [(m > o) + 0.5 * (m == o) for m in trained for o in others]
    assert auc(trained, others) == pytest.approx(np.mean(pairs))
