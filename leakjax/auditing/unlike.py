"""Targets that their shadows do not stand for: trained on more or less, more accurate, surer, with larger maps."""

import warnings
from collections.abc import Iterator

import numpy as np

from leakjax.auditing.rows import Results, Sitting
from leakjax.defend import identity
from leakjax.evaluate.document import UnlikeRow

# Among fewer models the extremes say little of what a further model may be.
LEAST_MODELS = 16
# Where shadows agree, a target may differ by this share of what they say.
_SLACK = 0.02


def unlike(sitting: Sitting, results: Results) -> list[UnlikeRow]:
    """Each target and figure that lies farther beyond all of its shadows than these lie apart.

    Where enough models are no targets, these alone are the shadows here, so that two odd targets do not hide each
    other. Normal figures do so by chance for one target in 3,000 with 16 models, in 40,000 with 32.

    Args:
      sitting: of all points.
      results: by explainer and defense; plain explanations are compared.

    Returns:
      Rows of `unlike`, none where there are fewer than `LEAST_MODELS` models.
    """
    models, targets = np.arange(sitting.subject.models), sitting.subject.targets
    if len(models) < LEAST_MODELS:
        return []
    others = np.setdiff1d(models, targets)
    rows = []
    for what, values in _figures(sitting, results):
        for target in targets:
            shadows = values[others if len(others) >= LEAST_MODELS - 1 else models != target]
            shadows = shadows[np.isfinite(shadows)]
            if not shadows.size or not np.isfinite(values[target]):
                continue
            least, most = float(shadows.min()), float(shadows.max())
            room = max(most - least, _SLACK * float(np.abs(shadows).max()))
            if not least - room <= values[target] <= most + room:
                model = int(sitting.subject.model_ids[target])
                rows.append(
                    UnlikeRow(model=model, what=what, value=float(values[target]), least=least, most=most)
                )
    return rows


def _figures(sitting: Sitting, results: Results) -> Iterator[tuple[str, np.ndarray]]:
    """What is compared, by name: [models]."""
    subject, predictions = sitting.subject, sitting.predictions
    yield "audited records that it was trained on", subject.membership.sum(axis=1).astype(float)
    yield "accuracy on audited records", np.asarray(predictions.correct).mean(axis=1)
    yield "typical log-odds of the class", _typical(predictions.signal)
    for (explainer, defense), (_, found, _) in results.items():
        if defense == identity().name:
            yield f"typical log 1-norm of {explainer}", _typical(found.log_l1)


def _typical(values: np.ndarray) -> np.ndarray:
    """The median over points of what each model [models, points] says; NaN where it says nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a model without a finite number
        return np.nanmedian(np.where(np.isfinite(values), values, np.nan), axis=1)
