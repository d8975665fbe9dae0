"""Explainers whose rows are the same, and why: a reader must not take one number for two findings."""

from collections.abc import Sequence

import numpy as np

from leakjax.evaluate import headline
from leakjax.evaluate.document import LeakageRow, Report

# Equal maps differ by rounding, which moves a share by a few records.
_TOLERANCE = 2e-4
_LINEAR = frozenset({"input_x_gradient", "integrated_gradients", "deeplift", "lrp", "expected_gradients"})
# Methods that coincide, and where; the first that holds all names of a group is said.
_WHY: Sequence[tuple[frozenset[str], str]] = (
    (
        frozenset({"input_x_gradient", "lrp"}),
        "LRP with the epsilon rule is input times gradient on networks of piecewise-linear units",
    ),
    (
        frozenset({"input_x_gradient", "deeplift"}),
        "DeepLIFT against a baseline of zeros is input times gradient where no unit changes its side",
    ),
    (_LINEAR, "on a model that is linear in its inputs they are one method"),
    (frozenset({"gradient", "smoothgrad"}), "the gradient of a model that is linear is the same everywhere"),
    (
        frozenset({"gradient", "guided_backprop", "deconvnet"}),
        "they differ at rectifiers alone, and this model has none that they change",
    ),
)


def alike(report: Report) -> list[list[str]]:
    """Groups of two or more explainers whose plain rows of the headline attack agree in every number."""
    found: list[tuple[np.ndarray, list[str]]] = []
    for explainer in headline.explainers(report.leakage):
        numbers = _numbers(report.leakage, explainer)
        for known, names in found:
            if known.shape == numbers.shape and np.allclose(
                known, numbers, rtol=0, atol=_TOLERANCE, equal_nan=True
            ):
                names.append(explainer)
                break
        else:
            found.append((numbers, [explainer]))
    return [names for _, names in found if len(names) > 1]


def said(report: Report) -> list[str]:
    """A sentence for each group."""
    return [f"{_listed(names)} agree in every number: {_why(names)}." for names in alike(report)]


def _numbers(leakage: Sequence[LeakageRow], explainer: str) -> np.ndarray:
    """Shares caught and areas of the explainer's plain rows, alone and beside each release: [numbers]."""
    own = [row for row in leakage if (row.explainer, row.defense) == (explainer, headline.PLAIN)]
    return np.array([(row.auc.value, *(one.value for one in row.tpr_at_fpr.values())) for row in own]).ravel()


def _why(names: Sequence[str]) -> str:
    bare = {name.partition("(")[0] for name in names}
    known = next((why for methods, why in _WHY if bare <= methods), None)
    return known or "their maps are the same, or carry the same information for this attack"


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
