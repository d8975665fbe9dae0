"""Which parts of a study fit a data set."""

from collections.abc import Callable, Sequence

from leakjax._validate import fail
from leakjax.data import Points
from leakjax.inversion.attributes import FIELDS
from leakjax.inversion.world import WIDTH


def _images(points: Points) -> str:
    return "" if points.x.ndim == 4 else "needs images [height, width, channels]"


def _features(points: Points) -> str:
    have = points.x[0].size
    return (
        ""
        if have >= WIDTH
        else f"needs at least {WIDTH} features, one a unit of the target; there are {have}"
    )


def _fields(points: Points) -> str:
    return "" if set(FIELDS) & set(points.columns) else f"needs a column {' or '.join(FIELDS)}, as adult has"


def _numbers(points: Points) -> str:
    alone = any(points.columns.count(name) == 1 for name in points.columns)
    return "" if alone else "needs named columns that are one number each"


# Why a part does not fit, "" where it does; parts that are not named fit whatever can be trained on.
_NEEDS: dict[str, Callable[[Points], str]] = {
    "background": _images,
    "learned": _images,
    "closed_form": _features,
    "attributes": _fields,
    "censored": _fields,
    "shapley_values": _numbers,
}


def parts_that_fit(parts: Sequence[str], points: Points, *, named: bool) -> tuple[str, ...]:
    """The parts that can be measured on a data set.

    Args:
      parts: those of a plan.
      points: the data set.
      named: whether they were asked for by name, so that one that does not fit is an error.

    Raises:
      UsageError: a part that was asked for does not fit, or none does.
    """
    why = {part: _NEEDS[part](points) if part in _NEEDS else "" for part in parts}
    unfit = [part for part in parts if why[part]]
    if unfit and (named or len(unfit) == len(parts)):
        raise fail("parts", unfit[0], f"{why[unfit[0]]} ({points.name})")
    return tuple(part for part in parts if not why[part])
