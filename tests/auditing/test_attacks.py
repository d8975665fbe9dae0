"""Attacks of an audit: names with options, objects and a user's own, in one list."""

import jax
import numpy as np
import pytest

import leakjax
from leakjax._validate import UsageError
from leakjax.attack.lira import lira
from leakjax.evaluate.document import dumps

# What README's recipe of an own attack says, word for word but for its imports.
from tests.auditing.world import EXPLAINERS, POINTS, is_member

LEAKY = {"leaky": EXPLAINERS["leaky"]}


def my_attack(*, feature: int = 0) -> leakjax.attack.Attack:
    """Orders points by one feature of the map, set against the models that were not trained on the point."""

    def reduce(replies, membership, known, scored):
        value = replies.maps.reshape(len(membership), -1)[:, feature]
        out = known & ~membership[None]  # [pairs, models]: who is known not to hold the point
        return value[scored] - out @ value / out.sum(axis=1)

    return leakjax.attack.Attack(
        f"my_attack(feature={feature})",
        views=("explanation",),
        reduce=reduce,
        needs=("maps",),
        least=leakjax.attack.Least(outside=1),
    )


OWN = "tests.auditing.test_attacks:my_attack(feature=1)"


@pytest.fixture(scope="module")
def report(run):
    """One audit with every kind of item."""
    attacks = ["stacked", lira(online=False), "rmia(gamma=1.5)", my_attack(), OWN, "map_ratio"]
    return run(explainers=LEAKY, defenses=("none", "clip_norm(1.0)"), attacks=attacks)


@pytest.mark.slow
def test_names_and_objects_are_one_list(report):
    listed = ["stacked", "lira(online=False)", "rmia(gamma=1.5)", "my_attack(feature=0)", OWN, "map_ratio"]
    assert list(dict.fromkeys(row.attack for row in report.leakage)) == listed
    assert report.config["attacks"] == listed
    assert len(dumps(report)) > 1000


@pytest.mark.slow
def test_the_headline_is_the_stacked_attack_wherever_it_stands(report, run):
    assert leakjax.evaluate.headline.lead(report.leakage).attack == "stacked"
    later = run(explainers=LEAKY, defenses=("none",), attacks=["threshold", "stacked"])
    assert leakjax.evaluate.headline.lead(later.leakage).attack == "stacked"
    # What else is asked for changes none of its numbers.
    mine = [row for row in report.leakage if row.attack == "stacked" and row.defense == "none"]
    theirs = [row for row in later.leakage if row.attack == "stacked"]
    assert [row.auc for row in mine] == [row.auc for row in theirs]


@pytest.mark.slow
def test_every_release_that_is_shown_and_every_explanation_has_its_row(report):
    rows = {(row.attack, row.release, row.explainer, row.defense): row for row in report.leakage}
    for release in ("label", "confidence(1)", "vector"):
        assert ("lira(online=False)", release, "none", "none") in rows
    for name in ("my_attack(feature=0)", OWN, "map_ratio"):
        for defense in ("none", "clip_norm(1.0, norm=2)"):
            assert (f"{name}", "none", "leaky", defense) in rows
    assert rows["my_attack(feature=0)", "none", "leaky", "none"].auc.value > 0.95
    assert rows["map_ratio", "none", "leaky", "none"].auc.value > 0.9


@pytest.mark.slow
def test_an_audit_without_the_stacked_attack_reports_the_others_alone(run):
    report = run(explainers=LEAKY, defenses=("none",), attacks=["lira"])
    assert {row.attack for row in report.leakage} == {"lira"}
    assert leakjax.evaluate.headline.lead(report.leakage) is None


@pytest.mark.slow
def test_lira_says_what_a_loop_over_models_says(run, points, ensemble):
    """AUC of the offline attack on the released vector, from the logits of linear models."""
    report = run(explainers=LEAKY, defenses=("none",), attacks=["lira(online=False)"])
    (row,) = [row for row in report.leakage if row.release == "vector"]
    logits = np.einsum("pf,mfc->mpc", points.x[:, :-1], ensemble.variables["w"].astype(np.float64))
    logits = logits + ensemble.variables["b"][:, None]
    own = np.take_along_axis(logits, points.y[None, :, None], axis=-1)[..., 0]
    odds = own - np.take_along_axis(logits, 1 - points.y[None, :, None], axis=-1)[..., 0]
    member, found = ensemble.membership, []
    roles = leakjax.attack.roles.roles(len(member), np.arange(len(member)))
    for target in range(len(member)):
        scores = np.empty(POINTS)
        for point in range(POINTS):
            out = odds[roles.known[target] & ~member[:, point], point]
            scores[point] = (odds[target, point] - out.mean()) / out.std()
        inside, outside = scores[member[target]], scores[~member[target]]
        found.append((inside[:, None] > outside[None]).mean())
    assert row.auc.value == pytest.approx(np.mean(found), abs=0.02)


@pytest.mark.parametrize(
    ("attacks", "words"),
    [
        (["lyra"], "must be one of stacked.*did you mean 'lira'"),
        (["loss"], "did you mean 'threshold'"),
        (["lira(onlin=False)"], "takes no option 'onlin'.*did you mean 'online'"),
        (["lira(variance='none')"], "variance='none' must be"),
        (["stacked", "stacked"], "given twice"),
        ([lira(), "lira"], "given twice"),
        ([my_attack()._replace(name="stacked")], "give it another one"),
        ([is_member], "attacks='is_member': must be a text or a leakjax.attack.Attack"),
        ([3], "attacks=3: must be a text"),
        ("stacked", "must be a list"),
        (["tests.auditing.test_attacks:missing"], "has no function 'missing'"),
        (["tests.auditing.world:is_member"], "variables, x must be given"),
    ],
)
def test_what_is_no_attack_is_named_in_one_line(run, attacks, words):
    with pytest.raises(UsageError, match=words) as error:
        run(explainers=LEAKY, defenses=("none",), attacks=attacks)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_an_attack_is_as_blind_to_its_target_in_an_audit_as_elsewhere(run, ensemble, points):
    """Flipping one target's membership changes what is said of others, and no score of its own: its AUC turns round."""
    from tests.auditing.world import logits_fn

    attacks = ["lira(online=False)", my_attack()]
    given = {"explainers": LEAKY, "attacks": attacks, "targets": [3], "key": jax.random.key(7)}
    # The models know who they were trained on by heart; what they answer stays as it is.
    flipped = ensemble.membership.copy()
    flipped[3] = ~flipped[3]
    before, after = (
        leakjax.audit(logits_fn, ensemble._replace(membership=rows), points, **given)
        for rows in (ensemble.membership, flipped)
    )
    for mine, theirs in zip(before.leakage, after.leakage, strict=True):
        assert mine.auc.value == pytest.approx(1 - theirs.auc.value, abs=1e-9)


@pytest.mark.slow
def test_an_attack_of_ones_own_runs_beside_the_others(run):
    report = run(explainers=LEAKY, defenses=("none",), attacks=[my_attack(), "map_ratio"], targets=[0, 5])
    rows = {row.attack: row for row in report.leakage}
    assert set(rows) == {"my_attack(feature=0)", "map_ratio"}
    assert rows["my_attack(feature=0)"].auc.value > 0.95
    with pytest.raises(UsageError, match="needs queries"):
        run(explainers=LEAKY, defenses=("none",), attacks=["augmentation"], targets=[0, 5])
