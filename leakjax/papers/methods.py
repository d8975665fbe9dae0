"""Which explainers a study takes, at their default settings, and why it leaves the others out."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from leakjax.auditing.explainers import choose, parse
from leakjax.evaluate.document import LeftOut
from leakjax.explain import EXAMPLE_EXPLAINERS, EXPLAINERS, LogitsFn, Named
from leakjax.explain.named import GRID

EVERY = "every"
# On how many cells along each side of an image masking methods work, as in the audit's own list.
_CELLS = 4
_NO_MAP = "answers with examples or rules and gives no map; experiments.records attacks such answers"


class Methods(NamedTuple):
    """The explainers of a study.

    Attributes:
      named: those that apply, in the order of the registry.
      left_out: the others, each with its reason.
    """

    named: list[Named]
    left_out: list[LeftOut]


def default_settings(shape: tuple[int, ...]) -> list[str]:
    """Every explainer of attributions as text; of images the masking methods mask the cells of a grid.

    Args:
      shape: of one example.
    """
    image = len(shape) == 3 and min(shape[:2]) >= _CELLS
    return [
        f"{name}({GRID}={_CELLS})" if image and method.masks else name for name, method in EXPLAINERS.items()
    ]


def methods(
    texts: Sequence[str],
    logits_fn: LogitsFn,
    variables: Any,
    x: np.ndarray,
    background: np.ndarray | None,
    columns: Sequence[str],
    *,
    most_runs: int,
) -> Methods:
    """The methods that texts name and that apply to a model.

    Args:
      texts: of explainers; "every" stands for all of the registry at their default settings.
      logits_fn: of one example.
      variables: of one model; shapes and types alone are looked at.
      x: one example.
      background: points that are not audited, for the methods that need some.
      columns: of each feature, as in `Named`.
      most_runs: of the model for one explanation; methods that take more are left out.

    Returns:
      `Methods`; what is named outright is tried too, and left out with its reason where it does not apply.

    Raises:
      UsageError: a text that names no explainer.
    """
    named, left_out = [], []
    every = EVERY in texts
    wanted = [text for text in texts if text != EVERY]
    for text in dict.fromkeys([*wanted, *(default_settings(x.shape) if every else [])]):
        one = parse(text)._replace(columns=columns)
        try:
            if not one.counted:  # by tracing it
                (one,) = choose([one], logits_fn, variables, x, background, _quiet, columns).methods
            runs = one.runs(x.shape)
            if runs > most_runs:
                why = f"takes {runs:,} runs of the model for one explanation; {most_runs:,} are allowed"
                left_out.append(LeftOut(name=one.name, why=why))
                continue
            named += choose([one], logits_fn, variables, x, background, _quiet, columns).methods
        except Exception as error:  # whatever a user's model raises under a method
            left_out.append(LeftOut(name=one.name, why=" ".join(str(error).split()) or type(error).__name__))
    if every:
        left_out += [LeftOut(name=name, why=_NO_MAP) for name in EXAMPLE_EXPLAINERS]
    return Methods(named, left_out)


def _quiet(line: str) -> None:
    """Nothing is said of a method that is tried."""
