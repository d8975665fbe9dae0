"""The chains that are searched: a family fixes the stages, a setting their numbers, which may be traced."""

from typing import NamedTuple

from leakjax import _validate, defend
from leakjax.defend.domain import Number


class Family(NamedTuple):
    """The stages of a chain, without their numbers.

    Attributes:
      project: directions that are projected out first, as `project_out` names them; "" for none.
      window: side of the windows whose means are released; 1 for none.
      signs: whether signs alone are released, of what a setting keeps.
      ties: whether what is projected out, and noise, keep what a map repeats.
      dimensions: the share of a map's dimensions that is projected out at most.
    """

    project: str
    window: int
    signs: bool
    ties: bool = False
    dimensions: float = 1.0

    @property
    def name(self) -> str:
        """As figures and tables write it."""
        parts = [
            self.project and f"project {self.project}",
            self.ties and "within ties",
            self.dimensions < 1 and f"at most {self.dimensions:g}",
            self.window > 1 and f"window {self.window}",
            "signs" if self.signs else "values",
        ]
        return ", ".join(part for part in parts if part)


class Setting(NamedTuple):
    """The numbers of a chain.

    Attributes:
      share: of the values that are kept, (0, 1]; 1 for all.
      cosine: mean cosine that the noise leaves, (0, 1]; 1 for none.
    """

    share: Number
    cosine: Number


def averaged(setting: Setting, repeats: int) -> Setting:
    """What an attacker has who asks again and again and takes the mean of the answers, each with noise of its own.

    The mean of independent Gaussian releases of one map has the law of one release with so much less noise; a release
    that answers a query once and for all (`leakjax.defend.Sticky`) leaves nothing to average.

    Args:
      setting: of one answer.
      repeats: how many answers, at least 1.

    Returns:
      The setting of their mean.

    Raises:
      UsageError: fewer than one answer.
    """
    _validate.at_least("repeats", repeats, 1)
    noise = (1 / setting.cosine**2 - 1) / repeats
    return setting._replace(cosine=(1 + noise) ** -0.5)


def families(shape: tuple[int, ...], query: tuple[int, ...]) -> list[Family]:
    """The families that are tried on attributions of a shape, those of the presets among them.

    No chain projects and coarsens: to coarsen first would open the leak again (`leakjax.defend.project_out` says why),
    and the other order is not tried. Maps of another shape than the query's cannot be projected.

    Args:
      shape: of one attribution.
      query: shape of what is explained.
    """
    windows = [
        side
        for side in (2, 4)
        if len(shape) > 1 and all(length % side == 0 and length >= 4 * side for length in shape[:2])
    ]
    found = [Family("", 1, signs) for signs in (False, True)]
    if shape == query:
        found += [Family("one,x", 1, signs) for signs in (False, True)]
        found += [
            Family("x,one", 1, False, dimensions=0.02),
            Family("one,x,x2,positive", 1, False, ties=True, dimensions=0.06),
        ]
    return found + [Family("", window, False) for window in windows]


def defense_of(family: Family, setting: Setting) -> defend.Defense:
    """The chain of a family at a setting.

    Args:
      family: its stages.
      setting: its numbers, which may be traced.

    Returns:
      A chain whose releases have length 1 before noise, so that one noise fits all maps.
    """
    parts: list[defend.Defense] = []
    if family.project:
        parts.append(defend.project_out(family.project, ties=family.ties, share=family.dimensions))
    if family.window > 1:
        parts.append(defend.coarsen(family.window))
    if not (_validate.is_concrete(setting.share) and setting.share == 1):
        parts.append(defend.keep_top_share(setting.share))
    if family.signs:
        parts.append(defend.sign())
    parts.append(defend.normalize())
    if not (_validate.is_concrete(setting.cosine) and setting.cosine == 1):
        parts.append(defend.cosine_noise(setting.cosine, ties=family.ties))
    return defend.chain(*parts)
