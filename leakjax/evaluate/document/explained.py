"""Which explanation a row of a document is about, and what an attack on it saw."""

import math
from typing import Literal

from leakjax._validate import fail
from leakjax.evaluate.document.fields import aside, described, document, fields_of

SHARE = "share, 0 to 1"
DIFFERENCE = "difference of shares, -1 to 1"

Rate = Literal["0.001", "0.01"]
Prior = Literal["0.01", "0.1"]
View = Literal["prediction", "explanation", "both"]
Output = Literal["none", "logit", "probability", "log_probability", "loss", "unstated"]
ExplainedClass = Literal["none", "predicted", "true", "asked", "reference"]
NONE = "none"


@document(kw_only=False)
class Estimate:
    """A number with its 95 % interval."""

    value: float = described("the estimate")
    low: float = described("the lower end of its 95 % interval")
    high: float = described("the upper end of its 95 % interval")
    error: float = aside(default=math.nan)  # the standard error, where one is needed beside the interval


@document()
class Explained:
    """Which explanation is meant; all "none" for predictions, which no explainer and no defense changes."""

    explainer: str = described(
        'name of the explainer with its options, or "none" for predictions', default=NONE
    )
    family: str = described('family of the explainer, or "none" for predictions', default=NONE)
    output: Output = described(
        "which output of the model is explained, which decides how much of the confidence a map carries; "
        '"none" for predictions, "unstated" for an explainer of the user\'s that does not say',
        default=NONE,
    )
    explained_class: ExplainedClass = described(
        'the class whose output is explained, or "none" for predictions', default=NONE
    )
    defense: str = described('name of the defense, or "none" for plain explanations', default=NONE)


@document()
class Attacked(Explained):
    """What one attack saw and knew."""

    release: str = described(
        'what the service shows of its prediction: vector, label, confidence(1), ...; "none" for an explanation alone'
    )
    view: View = described("what the attacker uses")
    attack: str = described("name of the attack")
    label_known: bool = described("whether the attacker knows the true label")

    def __post_init__(self) -> None:
        """Refuses a prediction that is said to be explained."""
        if self.view == "prediction":
            for name in (field.name for field in fields_of(Explained)):
                if getattr(self, name) != NONE:
                    raise fail(name, getattr(self, name), 'must be "none" where the view is "prediction"')

    @property
    def about(self) -> "Attacked":
        """These fields alone, without what a row adds to them."""
        return Attacked(**{field.name: getattr(self, field.name) for field in fields_of(Attacked)})
