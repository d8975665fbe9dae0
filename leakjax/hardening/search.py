"""A multi-objective search over policies, chains and settings: leak against loss of utility, on shadows only."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.defend import Defense, identity
from leakjax.evaluate import utility_quoted
from leakjax.hardening import cheap_attack
from leakjax.hardening.settings import Family, Setting, defense_of, families
from leakjax.hardening.useful import figures, some_of
from leakjax.hardening.world import World, released

# Utility is compared on the explanations of so many models and points.
_MODELS, _POINTS = 8, 96
# So many settings of one family run in one call, the last of them repeated where there are fewer. What does not depend
# on a setting, the models' answers above all, is computed once; as many are attacked at once as hold so many values.
_BATCH, _VALUES = 8, 2**24
_POPULATION = 40
# Every family is tried at these settings before the sampler chooses: all values or a quarter of them, cosine 0.98.
_FIRST = ({"share": 1.5, "angle": 0.2}, {"share": 0.25, "angle": 0.2})
MOST_LOST = 0.03
PLAIN = identity()


class Tried(NamedTuple):
    """One setting and what it gives.

    Attributes:
      policy: whose output is explained.
      family: of the chain.
      setting: its numbers.
      excess: what the explanation adds to the label, share of members at 1 % false alarms, under the cheap attack.
      lost: share of the quoted figure of utility; 1 where the plain map has none.
      mask_correlation: mean over the same explanations.
    """

    policy: str
    family: Family
    setting: Setting
    excess: float
    lost: float
    mask_correlation: float

    @property
    def defense(self) -> Defense:
        """The chain."""
        return defense_of(self.family, self.setting)


@functools.lru_cache(maxsize=64)
def _program(logits_fn: Any, figure: str, family: Family) -> Callable[..., tuple[jax.Array, ...]]:
    """Compiles what settings of a family give; one program serves all explainers of one figure and shape."""

    # Arrays are arguments: as constants of the program they would be folded while it is compiled.
    @jax.jit
    def run(arrays: World, share: jax.Array, cosine: jax.Array) -> tuple[jax.Array, ...]:
        own = arrays._replace(logits_fn=logits_fn, figure=figure)
        few = some_of(own, _MODELS, _POINTS)
        plain = figures(few, figure).mean(axis=0)

        def leak(setting: Setting) -> jax.Array:
            maps = released(own, defense_of(family, setting))
            return cheap_attack.attack(maps, own.x, own.correct, own.membership).excess

        def loss(setting: Setting) -> tuple[jax.Array, jax.Array]:
            shown = few._replace(maps=released(few, defense_of(family, setting)))
            lost = utility_quoted.loss(plain, figures(shown, figure).mean(axis=0)).lost
            return lost, figures(shown, "mask_correlation").mean()

        settings = Setting(share, cosine)
        together = min(len(share), max(1, _VALUES // own.maps.size))
        return jax.lax.map(leak, settings, batch_size=together), *jax.vmap(loss)(settings)

    return run


def evaluator(world: World, family: Family) -> Callable[[jax.Array, jax.Array], tuple[jax.Array, ...]]:
    """Compiles what settings of a family give: (share [n], cosine [n]) -> excess, lost, mask correlation, each [n]."""
    program = _program(world.logits_fn, world.figure, family)
    arrays = world._replace(logits_fn=None, figure=None)
    return lambda share, cosine: program(arrays, share, cosine)


def search(
    worlds: Mapping[str, World],
    *,
    trials: int,
    seed: int,
    say: Callable[[str], None] = lambda line: None,
) -> list[Tried]:
    """Tries settings, more where the front is.

    Args:
      worlds: explanations of shadows by the policy under which they were made; no target is among them.
      trials: how many settings.
      seed: of the sampler; the same seed tries the same settings.
      say: called with a line now and then.

    Returns:
      All that were tried, in order.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    first = next(iter(worlds.values()))
    by_name = {family.name: family for family in families(first.maps.shape[2:], first.x.shape[1:])}
    study = optuna.create_study(
        directions=["minimize", "minimize"],
        sampler=optuna.samplers.NSGAIISampler(population_size=_POPULATION, seed=seed),
    )
    for policy in worlds:
        for name in by_name:
            for setting in _FIRST:
                study.enqueue_trial({"policy": policy, "family": name, **setting})
    done = 0
    while done < trials:
        asked = [study.ask() for _ in range(min(_POPULATION, trials - done))]
        groups: dict[tuple[str, str], list[Any]] = {}
        for trial in asked:
            kind = (
                trial.suggest_categorical("policy", list(worlds)),
                trial.suggest_categorical("family", list(by_name)),
            )
            # Above 1 all values are kept, which is tried as often as any share.
            trial.suggest_float("share", 0.05, 1.5)
            # Evenly in the angle, whose square the lost utility follows.
            trial.suggest_float("angle", 0.0, 0.8)
            groups.setdefault(kind, []).append(trial)
        for (policy, name), group in groups.items():
            run = evaluator(worlds[policy], by_name[name])
            for start in range(0, len(group), _BATCH):
                _tell(study, group[start : start + _BATCH], run)
        done += len(asked)
        say(f"{done} of {trials} settings")
    return [_tried(trial, by_name) for trial in study.get_trials() if trial.values]


def _tell(study: Any, some: Sequence[Any], run: Callable[..., tuple[jax.Array, ...]]) -> None:
    """Evaluates some trials of one family and tells the study what they give."""
    settings = [_setting(trial) for trial in some]
    share, cosine = [one.share for one in settings], [one.cosine for one in settings]
    fill = _BATCH - len(some)
    found = run(jnp.array(share + share[-1:] * fill), jnp.array(cosine + cosine[-1:] * fill))
    excess, lost, mask = (np.asarray(values, float) for values in found)
    for i, trial in enumerate(some):
        trial.set_user_attr("mask_correlation", float(mask[i]))
        study.tell(trial, (float(excess[i]), float(lost[i]) if np.isfinite(lost[i]) else 1.0))


def _setting(trial: Any) -> Setting:
    """The numbers of a trial, with as many digits as a preset is written with."""
    share = min(1.0, trial.params["share"])
    return Setting(round(share, 2), round(math.cos(trial.params["angle"]), 3))


def _tried(trial: Any, by_name: Mapping[str, Family]) -> Tried:
    family, mask = by_name[trial.params["family"]], trial.user_attrs["mask_correlation"]
    excess, lost = trial.values
    return Tried(trial.params["policy"], family, _setting(trial), excess, lost, mask)


def front(tried: Sequence[Tried]) -> list[Tried]:
    """The settings that no other beats in both leak and loss, by rising loss."""
    best: list[Tried] = []
    for one in sorted(tried, key=lambda one: (one.lost, one.excess)):
        if not best or one.excess < best[-1].excess:
            best.append(one)
    return best


def recommended(tried: Sequence[Tried], *, most_lost: float = MOST_LOST) -> Tried:
    """The setting of the front that leaks least among those that lose at most so much; the least lossy where none does.

    Args:
      tried: at least one.
      most_lost: share of the quoted figure.
    """
    best = front(tried)
    allowed = [one for one in best if one.lost <= most_lost]
    return allowed[-1] if allowed else best[0]


def along(tried: Sequence[Tried], count: int) -> list[Tried]:
    """At most so many settings of the front, evenly spaced, its ends among them.

    Args:
      tried: at least one.
      count: how many, at least 1.
    """
    best = front(tried)
    places = np.unique(np.round(np.linspace(0, len(best) - 1, min(count, len(best)))).astype(int))
    return [best[place] for place in places]


def plain(one: Tried) -> list[Any]:
    """What was tried as JSON values, for a stage that is kept."""
    return [one.policy, list(one.family), list(one.setting), one.excess, one.lost, one.mask_correlation]


def read(values: Sequence[Any]) -> Tried:
    """The inverse of `plain`."""
    policy, family, setting, *found = values
    return Tried(policy, Family(*family), Setting(*setting), *found)
