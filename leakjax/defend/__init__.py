"""Defenses: transforms over one attribution array, with their exact sensitivity."""

from leakjax import _spec
from leakjax.defend.clip import clip_norm, clip_values
from leakjax.defend.defense import Defense, apply, chain, harden, identity, lift
from leakjax.defend.domain import Domain
from leakjax.defend.noise import gaussian_noise
from leakjax.defend.registry import DEFENSES, parse, registered
from leakjax.defend.sensitivity import Sensitivity, diameter, sensitivity
from leakjax.defend.sparsify import keep_top_k

__all__ = [
    "DEFENSES",
    "Defense",
    "Domain",
    "Sensitivity",
    "apply",
    "chain",
    "clip_norm",
    "clip_values",
    "diameter",
    "gaussian_noise",
    "harden",
    "identity",
    "keep_top_k",
    "lift",
    "parse",
    "registered",
    "sensitivity",
]

_spec.discover(__name__)
