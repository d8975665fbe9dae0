"""The document of an audit: report.json as frozen dataclasses."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from leakjax._validate import UsageError, one_of
from leakjax.evaluate.document.backgrounds import BackgroundRow
from leakjax.evaluate.document.explained import DIFFERENCE, SHARE, Attacked, Estimate, Explained, Prior, Rate
from leakjax.evaluate.document.fields import aside, described, document

if TYPE_CHECKING:
    from pandas import DataFrame


@document()
class Margin:
    """What an explanation adds to the prediction."""

    auc: Estimate = described("AUC of both views minus AUC of the prediction", DIFFERENCE)
    tpr_at_fpr: Mapping[Rate, Estimate] = described(
        "members caught with both views minus with the prediction, by false-positive rate", DIFFERENCE
    )


@document()
class LeakageRow(Attacked):
    """What one attack finds."""

    targets: int = described("models attacked, each with the others as its shadows", "models")
    nonmembers: int = described("non-members per target, the mean rounded down", "points")
    false_positives_allowed: Mapping[Rate, int] = described(
        "false positives that a rate allows per target", "points"
    )
    headline_fpr: Rate = described("the smaller rate that allows at least 5 false positives, else 0.01")
    auc: Estimate = described("area under the ROC curve; 0.5 is guessing", SHARE)
    tpr_at_fpr: Mapping[Rate, Estimate] = described("members caught, by false-positive rate", SHARE)
    margin: Margin | None = described('what the explanation adds; null unless the view is "both"')

    def __post_init__(self) -> None:
        """Refuses a margin of a view that has none, and a view of both without one."""
        super().__post_init__()
        if (self.margin is not None) != (self.view == "both"):
            raise UsageError('margin: must be null unless the view is "both", and given where it is')


@document()
class Curve(Attacked):
    """The mean ROC curve of a row of leakage."""

    fpr: Sequence[float] = described("false-positive rates, ascending", SHARE)
    tpr: Sequence[float] = described("mean true-positive rate over targets at each of them", SHARE)

    def __post_init__(self) -> None:
        """Refuses ends that do not meet."""
        super().__post_init__()
        if len(self.fpr) != len(self.tpr):
            raise UsageError(f"tpr: must be as long as fpr, {len(self.fpr)}")


@document()
class OperatingRow(Attacked):
    """What becomes of an attack that sets its threshold on its shadows, knowing nothing of the target."""

    aimed: Rate = described("the false-positive rate that the threshold is set for")
    fpr: Estimate = described("non-members called members", SHARE)
    tpr: Estimate = described("members called members", SHARE)
    precision: Mapping[Prior, Estimate] = described(
        "members among those called so, by the share of members among the points that are looked at", SHARE
    )


@document()
class PartRow(Attacked):
    """What an attack finds within a part of the points, the threshold set over all of them."""

    by: Literal["class", "correctness", "loss"] = described("what the points are parted by")
    level: str = described("what the points of this part have in common")
    share: float = described("of the audited points that are in the part", SHARE)
    tpr: Estimate = described("members of the part caught", SHARE)
    fpr: Estimate = described("non-members of the part caught", SHARE)


@document()
class EpsilonRow(Attacked):
    """Lower bounds, with 95 % confidence, on the epsilon of any training of which an attack finds so much."""

    delta: float = described("of differential privacy")
    over_models: float = described("from the guesses about one point over all models, chosen on half of them")
    models: int = described("guesses that this bound rests on", "models")
    over_points: Estimate = described("from the guesses about the points of one model, the mean over targets")
    guesses: int = described("guesses that this bound rests on, decided beforehand", "points")


@document()
class ShadowsRow(Explained):
    """What the headline attack finds with so many models, the attacked one among them."""

    release: str = described("what the service shows of its prediction")
    models: int = described("models in all; each target has the others as its shadows", "models")
    targets: int = described("models attacked, the same for every number of models", "models")
    headline_fpr: Rate = described("the false-positive rate at which members are counted")
    prediction: Estimate = described("members caught with the prediction", SHARE)
    explanation: Estimate = described("members caught with the explanation alone", SHARE)
    both: Estimate = described("members caught with both", SHARE)
    margin: Estimate = described("what the explanation adds", DIFFERENCE)


@document()
class NeighbourRow:
    """What an attacker finds who asks for predictions near each point too, and for no explanation."""

    release: str = described("what the service shows of each prediction")
    queries: int = described("further inputs near each point that are asked about", "queries")
    headline_fpr: Rate = described("the false-positive rate that leads")
    auc: Estimate = described("area under the ROC curve; 0.5 is guessing", SHARE)
    tpr_at_fpr: Mapping[Rate, Estimate] = described("members caught, by false-positive rate", SHARE)
    margin: Margin = described("what these queries add to the prediction at the point alone")


@document()
class WorthRow(Explained):
    """What one explanation of each point is worth in further prediction queries near it."""

    release: str = described("what the service shows of each prediction")
    headline_fpr: Rate = described("the false-positive rate at which members are counted")
    queries: int | None = described(
        "the fewest further queries, of the numbers that were tried, that find as many members as the explanation "
        "does; 0 where the prediction alone does; null where the most that were tried find fewer",
        "queries",
    )
    tried: int = described("the most queries that were tried", "queries")
    beside: Margin = described("what the explanation adds beside all of these queries")


@document()
class UtilityRow(Explained):
    """What a defense changes in an explanation."""

    cosine: Estimate = described("cosine between plain and hardened explanation; 1 is unchanged", "-1 to 1")
    top_overlap: Estimate = described("share of the most important features that stay so", SHARE)
    relative_change: Estimate = described("L2 norm of the change over that of the plain explanation", "ratio")


@document()
class ExposedRow(Attacked):
    """One of the points that the leading attack recognises most surely."""

    id: int = described("row of the point in its source")
    score: float = described("mean score of the attack where the point was a member; higher is more exposed")
    share_caught: float = described("models that it was in and was caught in, at the headline rate", SHARE)
    times_member: int = described("models that it was in", "models")


@document()
class GroupRow(Attacked):
    """What an attack finds within one group of points."""

    group: str = described("name of the group column")
    level: str = described("value of the group column")
    points: int = described("points in the group", "points")
    share: float = described("of the audited points that are in the group", SHARE)
    tpr: Estimate = described("members of the group caught, threshold set over all groups", SHARE)
    fpr: Estimate = described("non-members of the group caught, at that threshold", SHARE)


@document()
class Control:
    """An experiment whose result is known beforehand, as a check of the audit itself."""

    name: str = described("name of the control")
    question: str = described("what it checks, in words")
    expected: str = described("what is seen if the audit is sound")
    seen: Estimate = described("what was seen")
    passed: bool = described("whether the two agree; false where it was not run")
    not_run: str | None = described(
        "why it could not be run, and what would; null where it was", default=None
    )

    @property
    def failed(self) -> bool:
        """Whether it was run, and says that the audit is not sound."""
        return not self.passed and self.not_run is None


@document()
class LeftOut:
    """What was not run: an explainer of a list such as "cheap" or "all", or an attack that needs more models."""

    name: str = described("name of the explainer or attack with its options")
    why: str = described("why it does not apply")


@document()
class SmallestMargin:
    """The smallest margin, among leaks planted evenly over all points, whose interval lay above 0."""

    fpr: Rate = described("the false-positive rate that it holds at")
    value: float = described("the margin; null where no planted leak showed", DIFFERENCE)


@document()
class UnlikeRow:
    """A target that its shadows do not stand for, so that what is said of it may be wrong."""

    model: int = described("id of the attacked model")
    what: str = described("the figure in which it differs")
    value: float = described("of the target")
    least: float = described("of its shadows")
    most: float = described("of its shadows")


@document()
class PrivateTraining:
    """What training guarantees of every single point, whatever an attacker sees of the model."""

    epsilon: float = described("differential privacy of the model, for one point more or less")
    delta: float = described("the probability that epsilon leaves out of account", "0 to 1")
    noise_multiplier: float = described("standard deviation of the noise, as a multiple of clip_norm")
    clip_norm: float = described("to which each point's gradient was clipped, in the 2-norm")


@document()
class Task:
    """What was attacked."""

    dataset: str = described("name of the data set")
    points: int = described("points in it, after exact duplicates went", "points")
    duplicates_removed: int = described("exact duplicates that were removed", "points")
    classes: int = described("number of classes")
    models: int = described("models trained, diverged ones included", "models")
    diverged: Sequence[int] = described("ids of the models that diverged and were excluded")
    train_accuracy: Estimate = described("accuracy on each model's own training points", SHARE)
    test_accuracy: Estimate = described("accuracy on the points that a model was not trained on", SHARE)
    generalisation_gap: Estimate = described("train accuracy minus test accuracy", DIFFERENCE)
    audited_points: int = described("points whose membership was attacked", "points")
    dropped_points: int = described("points with too few models in or out to be attacked", "points")
    non_finite_attributions: int = described("attributions with a NaN or an infinity, set to zero")
    private: PrivateTraining | None = described(
        "what private training guarantees; null where training was not private", default=None
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Example:
    """An input and its explanations, for pictures alone: no document holds it.

    Attributes:
      id: row of the point in its source; None for an input that is none of the points.
      input: [height, width, channels] or [features].
      label: its class.
      maps: attributions by explainer and defense, "none" for plain ones.
    """

    id: int | None
    input: Any
    label: int
    maps: Mapping[str, Mapping[str, Any]]


@document()
class Report:
    """What an audit found."""

    SCHEMA: ClassVar[str] = "leakjax.report/2"

    config: Mapping[str, Any] = described("every setting of the run that decides a number")
    environment: Mapping[str, Any] = described("versions, devices, platform")
    timings: Mapping[str, float] = described("wall time of each stage", "seconds")
    task: Task = described("what was attacked")
    leakage: Sequence[LeakageRow] = described(
        "one row per explainer, defense, view and attack; the headline attack first"
    )
    utility: Sequence[UtilityRow] = described("what each defense changes in each explainer's output")
    exposed: Sequence[ExposedRow] = described("the most exposed points, most exposed first")
    groups: Sequence[GroupRow] = described("leakage by group; may be empty")
    controls: Sequence[Control] = described("checks of the audit itself")
    smallest_margin: SmallestMargin = described("what the audit is known to be able to see")
    curves: Sequence[Curve] = described("mean ROC curves on a common logarithmic grid")
    left_out: Sequence[LeftOut] = described(
        "explainers that a list of several stands for and that do not apply to the model, and attacks that need "
        "more models",
        default=(),
    )
    operating: Sequence[OperatingRow] = described(
        "the headline attack with thresholds that are set on shadows", default=()
    )
    parts: Sequence[PartRow] = described(
        "leakage by class, by whether the model is right, by fifths of the loss, under the leading release",
        default=(),
    )
    epsilon: Sequence[EpsilonRow] = described(
        "what the headline attack shows about differential privacy, under the leading release", default=()
    )
    shadows: Sequence[ShadowsRow] = described(
        "leakage by the number of models; empty where no numbers were asked for", default=()
    )
    neighbours: Sequence[NeighbourRow] = described(
        "what further prediction queries near each point find; empty where none were asked for", default=()
    )
    worth: Sequence[WorthRow] = described(
        "how many such queries each explanation is worth; empty where none were asked for", default=()
    )
    unlike: Sequence[UnlikeRow] = described(
        "attacked models that lie farther beyond all of their shadows than these lie apart; empty with fewer than 16 "
        "models",
        default=(),
    )
    backgrounds: Sequence[BackgroundRow] = described(
        "whether explanations name the rows that they compare with; empty where no explainer takes a background",
        default=(),
    )
    examples: Sequence[Example] = aside(default=())
    feature_names: Sequence[str] | None = aside(default=None)
    columns: Sequence[str] | None = aside(default=None)

    def __repr__(self) -> str:
        """One line; a report holds thousands of numbers."""
        from leakjax.evaluate import brief  # reads reports, and so is imported when there is one

        return brief.text(self)

    def _repr_html_(self) -> str:
        from leakjax.evaluate import brief

        return brief.notebook(self)

    def to_latex(self) -> str:
        """What each explanation adds to the prediction, as a table in LaTeX of the package booktabs."""
        from leakjax.evaluate import brief

        return brief.latex(self)

    def to_frame(self, table: str = "leakage") -> "DataFrame":
        """A table of the report as a pandas DataFrame; pandas is optional, and imported here.

        Args:
          table: "leakage", "utility", "groups", "controls", "curves", ...: what tables/*.csv of a workdir hold, and
            "exposed". `frame.attrs["meaning"]` says what each column means.

        Raises:
          UsageError: there is no such table.
        """
        import pandas

        from leakjax.evaluate.document.flat import tables_of

        tables = tables_of(self)
        one_of("table", table, tables)
        columns, rows = tables[table]
        frame = pandas.DataFrame(rows, columns=[column.name for column in columns])
        frame.attrs["meaning"] = {column.name: column.meaning for column in columns}
        return frame
