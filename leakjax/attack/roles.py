"""Who is attacked, who stands in the role of a target, and whose membership is known in each case.

Targets are attacked in groups. What is said of a group's targets rests on no membership of any of them: neither the
statistics of a point nor the weights, which are fitted on calibrators, shadows in the role of a target. What is said
of a calibrator rests on no membership of the group and none of its own.
"""

from typing import Any, NamedTuple

import numpy as np

from leakjax import _validate

# So many groups, whatever the number of models: one model in eight is then missing from the statistics of its group.
GROUPS = 8
CALIBRATORS = 8
# Below this no attack has a shadow that holds a point and one that does not, but for one point in eight.
LEAST_MODELS = 4


class Pairs(NamedTuple):
    """Pairs of a scored model and a set of models whose membership is known, as compiled programs take them.

    The targets of a group have one set, so that there are fewer sets than pairs.

    Attributes:
      known: bool [sets, models].
      of: int [pairs], the set of each pair.
      scored: int [pairs], the model of each pair.
    """

    known: Any
    of: Any
    scored: Any


class Roles(NamedTuple):
    """Pairs of a scored model and the models whose membership is known when it is scored.

    Attributes:
      scored: int [pairs], the model of each pair: the targets in their order, then the calibrators group by group.
      known: bool [pairs, models], whose membership may be used.
      group: int [pairs], the group of targets that each pair serves.
      targets: how many of the pairs, the first ones, are targets.
    """

    scored: np.ndarray
    known: np.ndarray
    group: np.ndarray
    targets: int

    @property
    def groups(self) -> int:
        """How many groups of targets there are."""
        return int(self.group.max()) + 1

    @property
    def pairs(self) -> Pairs:
        """All pairs."""
        known, of = np.unique(self.known, axis=0, return_inverse=True)
        return Pairs(known, of.reshape(-1), self.scored)

    def of(self, group: int) -> tuple[np.ndarray, np.ndarray]:
        """The positions of a group's targets and of its calibrators among the pairs."""
        mine = np.flatnonzero(self.group == group)
        return mine[mine < self.targets], mine[mine >= self.targets]


def roles(models: int, targets: np.ndarray) -> Roles:
    """The roles of an attack on `targets`, chosen from the sizes alone.

    Args:
      models: how many there are, targets and shadows together.
      targets: int [targets], indices of the attacked models, each once.

    Returns:
      `Roles`.

    Raises:
      UsageError: too few models, or targets that are not distinct indices of models.
    """
    targets = np.asarray(targets, int)
    _validate.at_least("models", models, LEAST_MODELS)
    distinct = len(np.unique(targets)) == len(targets) > 0
    if not (distinct and targets.min() >= 0 and targets.max() < models):
        raise _validate.fail(
            "targets", targets.tolist(), f"must be distinct indices of models, 0 to {models - 1}"
        )
    parts = np.array_split(np.arange(len(targets)), min(GROUPS, len(targets)))
    group = np.concatenate([np.full(len(part), number) for number, part in enumerate(parts)])
    known = np.ones((len(targets), models), bool)
    scored, blocks, groups = [targets], [known], [group]
    for number, part in enumerate(parts):
        held = np.ones(models, bool)
        held[targets[part]] = False
        known[part] = held
        # The models that follow the group, so that calibrators differ from group to group.
        after = (targets[part[-1]] + 1 + np.arange(models)) % models
        calibrators = after[held[after]][:CALIBRATORS]
        scored.append(calibrators)
        groups.append(np.full(len(calibrators), number))
        blocks.append(held & (np.arange(models) != calibrators[:, None]))
    return Roles(np.concatenate(scored), np.concatenate(blocks), np.concatenate(groups), len(targets))


def enough(membership: np.ndarray, known: np.ndarray, least: int = 2) -> np.ndarray:
    """Whether a score rests on enough in- and out-models.

    Args:
      membership: bool [models, points].
      known: bool [pairs, models], as in `Roles`.
      least: of each kind.

    Returns:
      bool [pairs, points].
    """
    inside = membership.astype(np.float32)
    weights = known.astype(np.float32)
    return np.minimum(weights @ inside, weights @ (1 - inside)) >= least
