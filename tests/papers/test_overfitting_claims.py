"""What is said of the paper's claims: by a rule, and nothing where the attack has learned nothing."""

import pytest

from leakjax.evaluate.document import Estimate
from leakjax.papers.overfitting.attacks import GRADIENT, LABEL, NORMALISED
from leakjax.papers.overfitting.claims import of_study
from leakjax.papers.overfitting.document import AttackRow, GapRow

EXACTLY = Estimate(0.5, 0.5, 0.5)


def around(value):
    return Estimate(value, value - 0.01, value + 0.01)


def gap():
    some = around(0.2)
    return GapRow(
        dataset="claims9",
        model="hospital",
        asked=0.25,
        gap=some,
        epochs=10.0,
        train_accuracy=around(0.9),
        test_accuracy=around(0.7),
        norm=some,
        variance=some,
        loss=some,
        norm_and_variance=some,
    )


def attacked(sees, found, explainer="gradient"):
    return AttackRow(
        dataset="claims9",
        asked=0.25,
        gap=0.2,
        attack="neural",
        learns="known_half",
        sees=sees,
        explainer=explainer,
        targets=2,
        accuracy=found,
        auc=found,
        tpr=around(0.01),
        added=None,
    )


@pytest.mark.parametrize(
    ("plain", "normalised", "says"),
    [
        (around(0.6), around(0.5), "agrees"),
        (around(0.6), around(0.6), "disagrees"),
        (around(0.5), around(0.5), "not measured"),
        (EXACTLY, EXACTLY, "not measured"),
        (around(0.6), EXACTLY, "not measured"),
    ],
)
def test_a_network_that_found_nothing_confirms_nothing(plain, normalised, says):
    rows = [
        attacked(GRADIENT, plain),
        attacked(NORMALISED, normalised),
        attacked(LABEL, around(0.5), explainer="none"),
        attacked(GRADIENT, normalised, explainer="smoothgrad(samples=50)"),
    ]
    claims = {one.what: one for one in of_study([gap()], rows, [], [], [])}
    (normal,) = (one for what, one in claims.items() if "normalised gradients" in what)
    (smooth,) = (one for what, one in claims.items() if "SmoothGrad" in what)
    assert normal.says == smooth.says == says
    assert ("found nothing" in normal.why) == (says == "not measured")
