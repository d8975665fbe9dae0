"""Explanations of several methods that a service shows together: one attack looks at all of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import leakjax
from leakjax._validate import UsageError
from leakjax.auditing import Attacker, explainers
from leakjax.defend import parse as defense_of
from leakjax.explain import joined, own
from tests.auditing.world import gradient, is_member, logits_fn


def half(even):
    def explain(variables, x, target, *, key, segments=None):
        """Says who is a member at every second point."""
        here = (x[-1] % 2 == 0) == even
        return jnp.where(here, is_member(variables, x), 0.0) + 0.1 * jax.random.normal(key, x.shape)

    return explain


EVEN, ODD = own(half(True), name="even", runs=1), own(half(False), name="odd", runs=2)


@pytest.mark.slow
def test_what_two_methods_say_of_different_points_is_found_where_both_are_shown(run):
    report = run(
        explainers=[joined([EVEN, ODD]), EVEN],
        defenses=("none", "clip_norm(1.0)"),
        attacks=["stacked", "tree"],
    )
    rows = {
        (row.explainer, row.defense): row.auc.value
        for row in report.leakage
        if row.attack == "stacked" and row.view == "explanation"
    }
    assert rows["even+odd", "none"] > 0.97
    # Half of the points are known for certain, of the others nothing: 1/2 + 1/2 (1/2 + 1/4), but for few points' luck.
    assert rows["even", "none"] == pytest.approx(0.875, abs=0.02)
    assert {row.family for row in report.utility if row.explainer == "even+odd"} == {"joint"}
    assert report.examples[0].maps["even+odd"]["none"].shape == report.examples[0].input.shape
    assert [control.name for control in report.controls if control.failed] == []
    # What is shown alone says what it says without the others.
    alone = run(explainers=[EVEN], defenses=("none", "clip_norm(1.0)"), attacks=["stacked"])
    mine, theirs = (
        [row.auc for row in one.leakage if row.explainer == "even" and row.attack == "stacked"]
        for one in (report, alone)
    )
    assert mine == theirs


def test_each_map_is_defended_by_itself():
    from leakjax.auditing.explanations import released

    maps, x = jnp.array([[3.0, 4.0], [0.3, 0.4]]), jnp.zeros(2)
    shown = released(defense_of("clip_norm(1.0)"), maps, jax.random.key(0), x, several=True)
    np.testing.assert_allclose(np.linalg.norm(shown, axis=1), [1.0, 0.5], rtol=1e-5)
    noisy = released(defense_of("gaussian_noise(1.0)"), 0 * maps, jax.random.key(0), x, several=True)
    assert len(np.unique(noisy)) == 4


def test_a_text_with_a_plus_is_shown_together_at_the_cost_of_all():
    found = explainers.parse("gradient+smoothgrad(samples=5)")
    assert found.name == explainers.parse(found.name).name == "gradient+smoothgrad(samples=5)"
    assert found.runs((4,)) == 6
    assert found.output == "logit"
    assert explainers.parse("gradient+gradient(output='loss')").output == "unstated"
    with pytest.raises(UsageError, match="given twice"):
        explainers.parse("gradient+gradient")
    with pytest.raises(UsageError, match="did you mean 'gradient'"):
        explainers.parse("smoothgrad+gradiant")


def test_methods_that_cannot_be_shown_together_are_named(run, ensemble, points):
    def short(variables, x, target, *, key, segments=None):
        return gradient(variables, x, target, key=key).sum(keepdims=True)

    with pytest.raises(UsageError, match="different shapes"):
        run(explainers=[joined([EVEN, own(short, runs=1)])])
    with pytest.raises(UsageError, match=r"'even\+odd': shows several"):
        run(explainers=[joined([EVEN, ODD])], attacker=Attacker(explained_class="asked"))
    assert leakjax.explain.joined is joined
    one = joined([EVEN, ODD]).make(logits_fn, points.x[0].shape, None)
    variables = jax.tree.map(lambda leaf: leaf[0], ensemble.variables)
    assert one(variables, points.x[0], 0, key=jax.random.key(0)).shape == (2, *points.x[0].shape)
