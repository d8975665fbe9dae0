"""How many numbers an audit keeps of each point and model, from the sizes alone."""

from collections.abc import Sequence

from leakjax.attack.categorical import STRENGTHS, Counts
from leakjax.attack.features import FEATURES
from leakjax.attack.filters import FILTERS
from leakjax.attack.map_signals import MAP_SIGNALS
from leakjax.attack.roles import CALIBRATORS, GROUPS
from leakjax.attack.seen import FEW_CLASSES, codes_of_kind
from leakjax.attack.statistics import Statistics
from leakjax.oracle import prediction_part

# Of a scalar signal, and per pair: two of the statistics are of the point alone.
_OF_SIGNAL = len(Statistics._fields) - 2
_OF_MAP = 2 * len(FILTERS)
_TOGETHER = 2  # signals that a map and a label say only together
# Of one neighbour's prediction its first signals: the log-odds of the true and of the predicted class.
OF_NEIGHBOUR = 2


def pairs(models: int, targets: int) -> int:
    """How many pairs of a scored model and those whose membership is known there are; see `roles.Roles`."""
    return targets + min(GROUPS, targets) * min(CALIBRATORS, models - 1)


def of_prediction(release: str, classes: int) -> tuple[int, int]:
    """Numbers that one release leaves of a prediction.

    Args:
      release: its name.
      classes: of the model.

    Returns:
      Those of each point and pair while the answers are reduced, and of each point and target as features.
    """
    part = prediction_part(release)
    signals = {
        "none": 0,
        "label": 0,
        "confidence": 4,
        "top": 2 + min(part.number, classes),
        "vector": 4 + (classes if classes <= FEW_CLASSES else 1),
    }[part.kind]
    maps = int(part.kind in ("label", "confidence", "vector"))
    return _of(signals, maps, len(codes_of_kind(part, classes)))


def of_neighbours(release: str, classes: int, count: int) -> int:
    """Features of each point and target that so many further queries near it give. Args: as of `of_prediction`."""
    return _of(OF_NEIGHBOUR * count + 1, 0, count * len(codes_of_kind(prediction_part(release), classes)))[1]


def of_explanation(maps: int, classes: int) -> tuple[int, int]:
    """Numbers that one explanation under one defense leaves; Args: maps: of each point. Returns: as `of_prediction`."""
    others = 0 if maps == 1 else 4 * (maps - 1 if classes <= FEW_CLASSES else 1)
    return _of(len(MAP_SIGNALS) + others + _TOGETHER, 1 + (maps > 1), 0)


def numbers(
    models: int, targets: int, releases: Sequence[str], classes: int, defenses: int, maps: int = 1
) -> int:
    """Numbers of each point that are held at once, when the maps of an explainer have been reduced and are attacked.

    Args:
      models: of the ensemble.
      targets: how many of them are attacked.
      releases: names.
      classes: of the model.
      defenses: how many each explainer is released through.
      maps: how many an explanation holds.
    """
    shown = [of_prediction(release, classes) for release in releases]
    reduced, features = (sum(column) for column in zip(*shown, strict=True))
    of_map, learned = of_explanation(maps, classes)
    # Chunks are put together in one piece, beside which they stand until it is made.
    of_pairs = reduced + of_map * (defenses + 1)
    of_targets = features + 2 * (learned + max(column for _, column in shown))
    return of_pairs * pairs(models, targets) + of_targets * targets


def _of(signals: int, maps: int, codes: int) -> tuple[int, int]:
    reduced = signals * _OF_SIGNAL + maps * _OF_MAP + codes * len(Counts._fields)
    return reduced, signals * len(FEATURES) + maps * _OF_MAP + codes * (1 + len(STRENGTHS))
