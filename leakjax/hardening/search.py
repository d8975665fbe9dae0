"""A multi-objective search over chains and settings: the leak against the loss of utility, on shadows only."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from leakjax.defend import Defense, Domain
from leakjax.evaluate import utility_quoted
from leakjax.hardening import cheap_attack
from leakjax.hardening.settings import Family, Setting, defense_of, families

# Utility is measured on the explanations of so many models and points.
UTILITY_MODELS, UTILITY_POINTS = 8, 48
_BATCH = 8


class World(NamedTuple):
    """Explanations of one method by shadows, and what an attacker and an owner need beside them.

    Attributes:
      maps: [models, points, ...].
      x: [points, ...].
      correct: bool [models, points], whether the released label is right.
      membership: bool [models, points].
      variables: of the shadows, leaves [models, ...].
      logits_fn: of one model and one example.
      explained: int [points], the explained class, fixed by the query.
      figure: the quoted figure of utility, a name in `utility_quoted.FIGURES`.
      key: of noise.
    """

    maps: jax.Array
    x: jax.Array
    correct: jax.Array
    membership: jax.Array
    variables: Any
    logits_fn: Any
    explained: jax.Array
    figure: Any
    key: jax.Array


class Tried(NamedTuple):
    """One setting and what it gives.

    Attributes:
      family: of the chain.
      setting: its numbers.
      excess: what the explanation adds to the label, share of members at 1 % false alarms, under the cheap attack.
      lost: share of the quoted figure of utility.
      mask_correlation: mean over the same explanations.
    """

    family: Family
    setting: Setting
    excess: float
    lost: float
    mask_correlation: float

    def chain(self, shape: tuple[int, ...]) -> Defense:
        """The defense, for attributions of a shape."""
        return defense_of(self.family, self.setting, shape)


def part(world: World, *, models: Any = slice(None), points: Any = slice(None)) -> World:
    """Some of the models and points of a world.

    Args:
      world: the whole.
      models: which, as an index.
      points: which, as an index.
    """
    return world._replace(
        maps=world.maps[models][:, points],
        x=world.x[points],
        correct=world.correct[models][:, points],
        membership=world.membership[models][:, points],
        variables=jax.tree.map(lambda leaf: leaf[models], world.variables),
        explained=world.explained[points],
    )


def released(world: World, family: Family, setting: Setting, rows: Any = slice(None)) -> jax.Array:
    """What a chain releases of the maps of some models, each with noise of its own: [models, points, ...].

    Args:
      world: the explanations.
      family: of the chain.
      setting: its numbers, which may be traced.
      rows: which models; all of them by default.
    """
    maps = world.maps[rows]
    shape = maps.shape[2:]
    defense = defense_of(family, setting, shape)
    models = jnp.arange(len(world.maps))[rows]

    def one(model: jax.Array, point: jax.Array, plain: jax.Array, x: jax.Array) -> jax.Array:
        key = jax.random.fold_in(jax.random.fold_in(world.key, model), point)
        return defense.apply(plain, Domain(shape), key=key, x=x)

    over_points = jax.vmap(one, in_axes=(None, 0, 0, 0))
    return jax.vmap(over_points, in_axes=(0, None, 0, None))(models, jnp.arange(len(world.x)), maps, world.x)


def usefulness(world: World, maps: jax.Array, figure: str) -> jax.Array:
    """A figure of utility of the maps of the first models at the first points, on the models themselves.

    Args:
      world: the explanations.
      maps: [models, points, ...], of all of its models.
      figure: a name in `utility_quoted.FIGURES`.

    Returns:
      [models, points].
    """
    models, points = min(UTILITY_MODELS, len(maps)), min(UTILITY_POINTS, maps.shape[1])
    own = jax.tree.map(lambda leaf: leaf[:models], world.variables)

    def one(
        variables: Any, x: jax.Array, attribution: jax.Array, target: jax.Array, key: jax.Array
    ) -> jax.Array:
        def f(x: jax.Array) -> jax.Array:
            chances = jax.nn.log_softmax(world.logits_fn(variables, x))
            return jnp.sum(jnp.where(jnp.arange(len(chances)) == target, jnp.exp(chances), 0))

        def logit(x: jax.Array) -> jax.Array:
            logits = world.logits_fn(variables, x)
            return jnp.sum(jnp.where(jnp.arange(len(logits)) == target, logits, 0))

        of = logit if figure == "local_correlation" else f
        return utility_quoted.FIGURES[figure](of, x, attribution, key=key)

    keys = jax.random.split(jax.random.fold_in(world.key, 1), points)
    over_points = jax.vmap(one, in_axes=(None, 0, 0, 0, 0))
    over_models = jax.vmap(over_points, in_axes=(0, None, 0, None, None))
    return over_models(own, world.x[:points], maps[:models, :points], world.explained[:points], keys)


def evaluator(world: World, family: Family) -> Callable[[jax.Array, jax.Array], tuple[jax.Array, ...]]:
    """Compiles what settings of a family give: (share [n], cosine [n]) -> excess, lost, mask correlation, each [n]."""
    # Arrays are arguments: as constants of the program they would be folded while it is compiled.
    arrays = world._replace(logits_fn=None, figure=None)

    @jax.jit
    def run(arrays: World, share: jax.Array, cosine: jax.Array) -> tuple[jax.Array, ...]:
        own = arrays._replace(logits_fn=world.logits_fn, figure=world.figure)
        plain = usefulness(own, own.maps, own.figure).ravel()

        def one(setting: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, ...]:
            maps = released(own, family, Setting(*setting))
            excess = cheap_attack.attack(maps, own.x, own.correct, own.membership).excess
            lost = utility_quoted.loss(plain, usefulness(own, maps, own.figure).ravel()).lost
            return excess, lost, usefulness(own, maps, "mask_correlation").mean()

        return jax.lax.map(one, (share, cosine))

    return lambda share, cosine: run(arrays, share, cosine)


def search(
    world: World,
    *,
    trials: int,
    seed: int,
    storage: Any = None,
    say: Callable[[str], None] = lambda line: None,
) -> list[Tried]:
    """Tries settings, more where the front is.

    Args:
      world: explanations of shadows; no target is among them.
      trials: how many settings.
      seed: of the sampler.
      storage: an optuna storage that keeps trials, so that a search goes on where it stopped; None: in memory.
      say: called with a line now and then.

    Returns:
      All that were tried, in order.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    choices = families(world.maps.shape[2:])
    names = [family.name for family in choices]
    study = optuna.create_study(
        study_name="harden",
        directions=["minimize", "minimize"],
        sampler=optuna.samplers.NSGAIISampler(population_size=40, seed=seed),
        storage=storage,
        load_if_exists=True,
    )
    programs: dict[str, Callable[..., tuple[jax.Array, ...]]] = {}
    while (done := len(study.get_trials(states=[optuna.trial.TrialState.COMPLETE]))) < trials:
        asked = [study.ask() for _ in range(5 * _BATCH)]
        by_family: dict[str, list[Any]] = {}
        for trial in asked:
            by_family.setdefault(trial.suggest_categorical("family", names), []).append(trial)
        for name, group in by_family.items():
            if name not in programs:
                programs[name] = evaluator(world, choices[names.index(name)])
            for start in range(0, len(group), _BATCH):
                part = group[start : start + _BATCH]
                share = [trial.suggest_float("share", 0.05, 1.0) for trial in part]
                # Evenly in the angle, whose square the lost utility follows.
                cosine = [float(np.cos(trial.suggest_float("angle", 0.0, 0.8))) for trial in part]
                fill = [1.0] * (_BATCH - len(part))
                found = programs[name](jnp.array(share + fill), jnp.array(cosine + fill))
                for i, trial in enumerate(part):
                    excess, lost, mask = (float(np.asarray(values)[i]) for values in found)
                    trial.set_user_attr("mask_correlation", mask)
                    worth = lost if np.isfinite(lost) else 1.0
                    study.tell(trial, (excess, worth))
        say(f"{done + len(asked)} of {trials} settings")
    return [_tried(trial, choices, names) for trial in study.get_trials() if trial.values][:trials]


def _tried(trial: Any, choices: Sequence[Family], names: Sequence[str]) -> Tried:
    setting = Setting(trial.params["share"], float(np.cos(trial.params["angle"])))
    family = choices[names.index(trial.params["family"])]
    excess, lost = trial.values
    return Tried(family, setting, excess, lost, trial.user_attrs["mask_correlation"])


def front(tried: Sequence[Tried]) -> list[Tried]:
    """The settings that no other beats in both leak and loss, by rising loss."""
    best: list[Tried] = []
    for one in sorted(tried, key=lambda one: (one.lost, one.excess)):
        if not best or one.excess < best[-1].excess:
            best.append(one)
    return best


def recommended(tried: Sequence[Tried], *, most_lost: float = 0.03) -> Tried:
    """The setting of the front that leaks least among those that lose at most so much; the least lossy where none does.

    Args:
      tried: at least one.
      most_lost: share of the quoted figure.
    """
    best = front(tried)
    allowed = [one for one in best if one.lost <= most_lost]
    return allowed[-1] if allowed else best[0]
