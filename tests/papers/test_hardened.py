"""The hardening profile: what each hardening cuts and costs, on a small world, and how that is summed up."""

import dataclasses

import jax
import pytest

from leakjax._validate import UsageError
from leakjax._workdir import claim
from leakjax.auditing import Attacker
from leakjax.auditing.pool import Pool
from leakjax.auditing.prepare import prepare
from leakjax.evaluate.document import Estimate
from leakjax.papers.hardened import Settings, hardening_profile, section
from leakjax.papers.hardened.claims import of_summaries
from leakjax.papers.hardened.document import DEEPLEAK, DENOISED, OURS, PLAIN, SCALED
from leakjax.papers.hardened.figures import images
from leakjax.papers.hardened.summaries import of_rows
from tests.auditing.world import logits_fn
from tests.report.reader import Reader

LEAKY = "tests.auditing.world:leaky"
# Nothing is left of a map through which only noise goes.
SETTINGS = Settings(explainers=(LEAKY, "gradcam"), targets=16, chain="scale(1e-6)+gaussian_noise(1.0)")


@pytest.fixture(scope="module")
def found(ensemble, points, tmp_path_factory):
    ready = prepare(
        logits_fn,
        ensemble,
        points,
        targets=None,
        key=jax.random.key(1),
        attacker=Attacker(),
        untrained=None,
    )
    with claim(tmp_path_factory.mktemp("hardened")) as held:
        return hardening_profile(
            ready, Pool(points, None), SETTINGS, config={}, workdir=held, say=lambda line: None
        )


@pytest.mark.slow
def test_noise_alone_cuts_everything_and_a_weak_hardening_nothing(found):
    rows = {row.hardening: row for row in found.rows}
    assert list(rows) == [PLAIN, DEEPLEAK, SCALED, OURS, DENOISED]
    assert rows[PLAIN].alone.value > 0.9
    assert rows[OURS].cut.value > 0.9
    assert rows[OURS].cut_alone.value > 0.9
    assert rows[OURS].alone.value < 0.1
    assert rows[DEEPLEAK].cut_alone.value < 0.2
    assert rows[DEEPLEAK].defense.startswith("gaussian_noise(")
    assert rows[SCALED].defense.startswith("normalize(")
    assert [one.name for one in found.left_out] == ["gradcam"]
    assert {one.hardening: one.methods for one in found.summaries} == {
        DEEPLEAK: 1,
        SCALED: 1,
        OURS: 1,
        DENOISED: 1,
    }
    reader = Reader(section.page(found, images(found)))
    assert reader.tags.count("img") == 1
    assert "gradcam" in reader.text


def test_a_hardening_is_summed_up_over_those_that_have_something_to_cut():
    unknown = Estimate(float("nan"), float("nan"), float("nan"))
    exact = lambda value: Estimate(value, value, value)

    @dataclasses.dataclass
    class Row:
        hardening: str
        cut: Estimate
        margin_vector: Estimate
        cut_alone: Estimate
        lost: Estimate
        lost_mask: float

    rows = [
        Row(PLAIN, exact(0.0), exact(0.0), exact(0.0), exact(0.0), 0.0),
        Row(OURS, exact(0.5), Estimate(0.0, -0.01, 0.001), exact(0.9), exact(0.02), 0.04),
        Row(OURS, unknown, Estimate(0.0, -0.01, 0.002), exact(0.97), exact(0.04), float("nan")),
        Row(OURS, exact(0.8), exact(-0.01), unknown, unknown, 0.02),
    ]
    (summary,) = of_rows(rows)
    assert (summary.methods, summary.alone_methods) == (2, 2)
    assert (summary.least_cut, summary.median_cut, summary.most_cut) == (0.5, 0.65, 0.8)
    assert (summary.least_cut_alone, summary.most_cut_alone) == (0.9, 0.97)
    assert summary.most_vector == 0.002
    assert summary.mean_lost == pytest.approx(0.03)
    assert summary.mean_lost_mask == pytest.approx(0.03)
    told = {claim.what: claim.says for claim in of_summaries([summary])}
    assert told["ours: cuts what the map alone catches by at least"] == "agrees"
    assert told["ours: cuts what is added to the label by up to"] == "disagrees"
    assert told["ours: loses of the quoted figure of utility, on average"] == "agrees"
    nothing = dataclasses.replace(summary, least_cut=None)
    assert "not measured" in {claim.says for claim in of_summaries([nothing])}


def test_settings_are_checked_before_any_compute():
    with pytest.raises(UsageError, match="targets"):
        Settings(targets=3)
    with pytest.raises(UsageError, match="gaussian_nose"):
        Settings(chain="gaussian_nose(1.0)")
    with pytest.raises(UsageError, match="scail"):
        Settings(beside=("scail(2)",))
    assert Settings().hardenings("gradient")[DEEPLEAK] == "deepleak"
    more = Settings(deepleak="none", beside=("sign()",)).hardenings("gradient")
    assert list(more) == [OURS, "sign()"]
