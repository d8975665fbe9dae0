"""What services do to their explanations, or to their training, in every part of a study: one table, and one figure."""

from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, NamedTuple

from leakjax.defend import Sticky

AVERAGED = 4  # times that an attacker asks where answers are noisy


class Guard(NamedTuple):
    """What a service does to its explanations.

    Attributes:
      defense: of every map, a text or a `Defense`.
      policy: fields of `Service`.
      repeats: how often an attacker asks who may ask again.
      class_mean: whether the mean map of the explained class is shown in place of a query's own.
      predicted: whether the predicted class is explained, whatever class is asked for.
    """

    defense: Any = "none"
    policy: Mapping[str, Any] = MappingProxyType({})
    repeats: int = 1
    class_mean: bool = False
    predicted: bool = False


PLAIN = Guard()
SEGMENTS, WHICH = "segments of 2 x 2", "which 6 are largest, and their signs"
NOISE, STICKY = "clipped, noise of 0.1", "clipped, sticky noise of 0.1"
PRESET = "preset:saliency"  # what `experiments.harden` recommends
CONFIDENT, CLASS_MEAN = "only above 99 % confidence", "mean map of the class"
POLICY = "predicted class alone"
NOISY = "clip_norm(1.0)+gaussian_noise(0.1)"
# Of maps as large as their input.
GUARDS = {
    "none": PLAIN,
    "round_to(2)": Guard("round_to(2)"),
    "sign": Guard("sign"),
    "keep_top_k(6)": Guard("keep_top_k(6)"),
    WHICH: Guard("keep_top_k(6)+sign"),
    SEGMENTS: Guard("coarsen(2)+upsample(2)"),
    NOISE: Guard(NOISY, repeats=AVERAGED),
    # A measurement: its secret need not be one.
    STICKY: Guard(NOISY, {"sticky": Sticky(b"not secret at all", 0.05)}),
    PRESET: Guard(PRESET, repeats=AVERAGED),
    CONFIDENT: Guard(policy={"least_confidence": 0.99}),
    CLASS_MEAN: Guard(class_mean=True),
    POLICY: Guard(predicted=True),
}


class Training(NamedTuple):
    """How else target models are trained: options of their network, and fields of `TrainConfig`."""

    options: Mapping[str, Any]
    changes: Mapping[str, Any]


TRAININGS = {
    "trained with weight decay of 0.001": Training({}, {"weight_decay": 1e-3}),
    "trained with dropout of 0.5": Training({"dropout": 0.5}, {}),
}
PRIVATE = "trained by DP-SGD, noise multiplier 1"
if find_spec("jax_privacy") is not None:  # the extra "private"
    TRAININGS[PRIVATE] = Training({}, {"noise_multiplier": 1.0})

# Why a guard does not meet an attack.
AS_NOISE = "an input is answered once: as noise"
AS_LABEL = "says the class, as the prediction does"
AS_PLAIN = "the predicted class is explained anyway"
NO_IMAGE = "the input is no image"
ODD = "2 does not divide the sides of an input"
NO_EXTRA = "needs the extra `private`"


def fitting(left_out: Mapping[str, str]) -> dict[str, Guard]:
    """The guards that an attack meets, `left_out` being those that it does not, each with the reason."""
    return {name: guard for name, guard in GUARDS.items() if name not in left_out}


def reasons(left_out: Mapping[str, str], *, even: bool = True) -> dict[str, str]:
    """Why guards, and trainings that need what is not installed, do not meet an attack.

    Args:
      left_out: what the attack says itself.
      even: whether the sides of inputs are, so that segments fit them.
    """
    missing = {} if PRIVATE in TRAININGS else {PRIVATE: NO_EXTRA}
    return ({} if even else {SEGMENTS: ODD}) | dict(left_out) | missing
