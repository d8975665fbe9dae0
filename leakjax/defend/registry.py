"""Defenses by name, and chains of them as text: clip_norm(1.0)+gaussian_noise(0.1).

A new defense is one file in this folder with `@registered` above its factory: nothing else lists it.
"""

from collections.abc import Callable
from typing import TypeVar

from leakjax import _spec, _validate
from leakjax.defend.defense import Defense, chain
from leakjax.defend.presets import PRESETS

_WHAT = "defense"
_PRESET = "preset:"
# What others call our defenses, for hints alone.
_ALIASES = {
    "clip": "clip_norm",
    "clipping": "clip_norm",
    "gaussian": "gaussian_noise",
    "noise": "gaussian_noise",
    "topk": "keep_top_k",
    "sparsify": "keep_top_k",
}

DEFENSES: _spec.Registry[Callable[..., Defense]] = _spec.Registry(_WHAT, _ALIASES)

Factory = TypeVar("Factory", bound=Callable[..., Defense])


def registered(factory: Factory) -> Factory:
    """Registers the factory below it under its own name, and gives it back as it is."""
    DEFENSES.add(factory.__name__, factory)
    return factory


def parse(text: str) -> Defense:
    """Reads a defense from text, as flags and `Defense.name` hold it.

    Args:
      text: "none"; "preset:NAME" of a chain in `PRESETS`; or calls of the names in DEFENSES or of a user's own
        "package.module:name", joined by "+", of which the first applies first; arguments by position or name:
        "keep_top_k(10)+clip_norm(radius=1, norm=inf)".

    Returns:
      The defense; its `name` is canonical and parses to the same defense.

    Raises:
      UsageError: if the text is anything else (it is never evaluated), a name is unknown or an argument is
        wrong.
    """
    if text.strip() == "none":
        return chain()
    if text.strip().startswith(_PRESET):
        name = text.strip().removeprefix(_PRESET)
        _validate.one_of("preset", name, PRESETS)
        return parse(PRESETS[name])
    return chain(*(_stage(call) for call in _spec.read_chain(_WHAT, text)))


def _stage(call: _spec.Call) -> Defense:
    if call.name == "none":
        raise _validate.fail(_WHAT, str(call), "none stands alone and takes nothing")
    factory = DEFENSES.find(call.name, ["none"])
    options = _spec.bind(_WHAT, call, factory)
    try:
        defense = factory(**options)
    except _validate.UsageError as error:
        raise _validate.fail(_WHAT, str(call), f"{call.name} has {error}") from None
    if not isinstance(defense, Defense):
        raise _validate.fail(_WHAT, str(call), f"must return a Defense, not a {type(defense).__name__}")
    if ":" in call.name and defense.stages is None:  # so that the name reads back
        return defense._replace(name=str(_spec.Call(call.name, (), options)))
    return defense


def describe() -> list[str]:
    """Every defense with its options and their defaults, as --help lists them."""
    return [
        "none",
        f"preset:NAME, of {', '.join(PRESETS)}",
        *(_spec.describe(name, factory) for name, factory in DEFENSES.items()),
    ]
