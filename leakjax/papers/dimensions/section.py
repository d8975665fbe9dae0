"""The page of a study of dimensions."""

from collections.abc import Mapping

from leakjax.papers import page as pages
from leakjax.papers.claim import claims_table
from leakjax.papers.dimensions.document import Dimensions
from leakjax.papers.dimensions.figures import CURVES, SAMPLES
from leakjax.report import tables, words
from leakjax.report.tables import NUMBER, TEXT, Table

_CURVES = (
    "Points lie around the vertices of a cube, one for each class. Each model learns one half of them; the 1-norm of "
    "the gradient of the predicted class's probability is correlated with membership, and members are those with "
    "small gradients: the paper draws the magnitude of these correlations.",
)
_SAMPLES = (
    "SmoothGrad with one copy is the gradient at another point; with many it is a smoother gradient. The stacked "
    "attack looks at the whole map and is refitted for each row; a threshold on the 1-norm is the paper's attack. The "
    "map is explained for the predicted class, which it names: what counts is the distance from the dashed line.",
)


def lead(found: Dimensions) -> str:
    """The finding in two sentences."""
    parts = []
    known = [row for row in found.rows if row.norm.value == row.norm.value]
    if known:
        row = max(known, key=lambda one: abs(one.norm.value))
        parts.append(
            f"The 1-norm of gradients tells membership best at {row.features:,} features and {row.classes} classes: "
            f"correlation {words.with_interval(row.norm, words.ratio)}, accuracy "
            f"{words.percent(row.train_accuracy.value)} on own points and {words.percent(row.test_accuracy.value)} on "
            f"others."
        )
    smooth = sorted((row for row in found.sampled if row.method == "smoothgrad"), key=lambda one: one.samples)
    if smooth:
        plain = next(row for row in found.sampled if row.method == "gradient")
        last = max(smooth, key=lambda row: (row.sigma, row.samples))
        parts.append(
            f"With noise of {last.sigma:g} standard deviations and {last.samples} samples the AUC of the whole map is "
            f"{words.area(last.alone.value)}, of the gradient {words.area(plain.alone.value)}, of the predicted class "
            f"alone {words.area(plain.label.value)}."
        )
    return " ".join(parts) or "Nothing was measured."


def page(found: Dimensions, images: Mapping[str, bytes]) -> str:
    """The whole page."""
    parts = [pages.Part("Features", _CURVES, CURVES, "With 95 % intervals over models.", _rows(found))]
    if found.sampled:
        parts.append(
            pages.Part(
                "Is sampling a natural defense?",
                _SAMPLES,
                SAMPLES,
                "Left: 5 to 95 and 25 to 75 % of all points; right: 95 % intervals.",
                _sampled(found),
            )
        )
    parts.append(pages.Part("Beside the paper", table=claims_table(found.claims, digits=3)))
    if found.left_out:
        rows = [[one.name, one.why] for one in found.left_out]
        parts.append(pages.Part("Left out", table=tables.table({"setting": TEXT, "why": TEXT}, rows)))
    return pages.page("dimensions, samples and leakage", lead(found), parts, images)


def _rows(found: Dimensions) -> Table:
    columns = {"features": NUMBER, "classes": NUMBER, "network": TEXT, "train": NUMBER, "test": NUMBER}
    columns |= {"1-norm": NUMBER, "1-norm, logit": NUMBER, "variance": NUMBER, "AUC of the 1-norm": NUMBER}
    return tables.table(
        columns,
        [
            [
                f"{row.features:,}",
                str(row.classes),
                row.size,
                words.percent(row.train_accuracy.value),
                words.percent(row.test_accuracy.value),
                *(
                    words.with_interval(one, words.ratio)
                    for one in (row.norm, row.norm_of_logit, row.variance, row.attack)
                ),
            ]
            for row in found.rows
        ],
    )


def _sampled(found: Dimensions) -> Table:
    columns = {"explanation": TEXT, "samples": NUMBER, "noise": NUMBER, "correlation of the 1-norm": NUMBER}
    columns |= {
        "AUC of the 1-norm": NUMBER,
        "AUC of the map": NUMBER,
        "caught at 1 %": NUMBER,
        "adds": NUMBER,
    }
    return tables.table(
        columns,
        [
            [
                row.method,
                str(row.samples or "-"),
                f"{row.sigma:g}" if row.sigma else "-",
                words.with_interval(row.norm, words.ratio),
                words.with_interval(row.attack, words.area),
                words.with_interval(row.alone, words.area),
                words.with_interval(row.alone_tpr, words.percent),
                words.with_interval(row.added, _change),
            ]
            for row in found.sampled
        ],
    )


def _change(value: float | None) -> str:
    return "unknown" if value is None else f"{value:+.3f}"
