"""The document of a study of dimensions."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from leakjax.evaluate.document import DIFFERENCE, SHARE, Estimate, LeftOut, described, document
from leakjax.papers.claim import Claim

_CORRELATION = "-1 to 1"


@document()
class DimensionRow:
    """Models of synthetic points with so many features: what their gradients' norms say of membership."""

    features: int = described("features of a point", "features")
    classes: int = described("classes of the data", "classes")
    size: str = described("small (one layer of 5), base (two of 50) or big (three of 100)")
    points: int = described("points of the pool, of which a model has half", "points")
    models: int = described("models, each a repetition", "models")
    train_accuracy: Estimate = described("accuracy on a model's own points", SHARE)
    test_accuracy: Estimate = described("accuracy on the others", SHARE)
    norm: Estimate = described(
        "correlation of membership with the 1-norm of the gradient of the predicted class's probability",
        _CORRELATION,
    )
    norm_of_logit: Estimate = described("the same of the gradient of its logit", _CORRELATION)
    variance: Estimate = described("the same of the prediction vector's variance", _CORRELATION)
    attack: Estimate = described("AUC of taking the points of the smallest norms for members", SHARE)
    median_norm: float = described("median over points of the first norm, the mean over models")


@document()
class SampledRow:
    """An explanation that is made of samples: what it leaks, and how large it is."""

    method: str = described("gradient, smoothgrad, shapley_sampling or lime")
    explainer: str = described("with its options")
    samples: int = described("how many samples it takes; 0 for the gradient itself", "samples")
    sigma: float = described(
        "standard deviation of the noise, in units of a feature's; 0 where none is added"
    )
    members: Sequence[float] = described("1-norm at members: its 5, 25, 50, 75 and 95 % quantiles")
    others: Sequence[float] = described("the same at the other points")
    norm: Estimate = described("correlation of the 1-norm with membership", _CORRELATION)
    attack: Estimate = described("AUC of taking the points of the smallest norms for members", SHARE)
    alone: Estimate = described("AUC of the stacked attack on the whole map, refitted for each row", SHARE)
    alone_tpr: Estimate = described("members that it catches at 1 % false positives", SHARE)
    label: Estimate = described("AUC of the stacked attack on the predicted class alone", SHARE)
    added: Estimate = described("AUC that the map adds to the predicted class", DIFFERENCE)


@document()
class Dimensions:
    """What the number of features and the number of samples of an explanation do to leakage."""

    SCHEMA: ClassVar[str] = "leakjax.papers.dimensions/1"

    config: Mapping[str, Any] = described("every setting of the run that decides a number")
    environment: Mapping[str, Any] = described("versions, devices, platform")
    timings: Mapping[str, float] = described("wall time of each row", "seconds")
    rows: Sequence[DimensionRow] = described("one for each number of features, of classes, and size")
    sampled: Sequence[SampledRow] = described("one for each explanation made of samples")
    left_out: Sequence[LeftOut] = described("settings that were not measured, each with its reason")
    claims: Sequence[Claim] = described("what the paper claims, beside what was measured here")
