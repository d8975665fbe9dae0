"""Defenses: transforms over one attribution array, with their exact sensitivity and what they spend of privacy."""

from leakjax import _spec
from leakjax.defend.accounting import privacy_spent, releases_allowed
from leakjax.defend.applied import apply, harden
from leakjax.defend.clip import clip_norm, clip_values
from leakjax.defend.coarsen import coarsen, coarsen_segments, upsample
from leakjax.defend.deepleak import deepleak
from leakjax.defend.defense import Defense, Noise, chain, identity, lift
from leakjax.defend.domain import Domain
from leakjax.defend.finite import noisy_top_k, randomized_response, threshold_mechanism
from leakjax.defend.grid import quantize, round_to, sign
from leakjax.defend.mask import random_mask
from leakjax.defend.mechanisms import gaussian_mechanism, laplace_mechanism
from leakjax.defend.neighbours import ANY, Neighbours, lipschitz, within
from leakjax.defend.noise import cosine_noise, gaussian_noise, laplace_noise
from leakjax.defend.normalize import normalize
from leakjax.defend.pointwise import absolute, drop_below, rectify, scale
from leakjax.defend.privunit import privunit
from leakjax.defend.project import project_out
from leakjax.defend.registry import DEFENSES, parse, registered
from leakjax.defend.sensitivity import Sensitivity, diameter, sensitivity
from leakjax.defend.sparsify import keep_top_k, keep_top_share
from leakjax.defend.stand_ins import centres, mean_row, private_centres, shuffled
from leakjax.defend.sticky import Sticky

__all__ = [
    "ANY", "DEFENSES", "Defense", "Domain", "Neighbours", "Noise", "Sensitivity", "Sticky", "absolute",
    "apply", "centres", "chain", "clip_norm", "clip_values", "coarsen", "coarsen_segments", "cosine_noise",
    "deepleak", "diameter", "drop_below", "gaussian_mechanism", "gaussian_noise", "harden", "identity",
    "keep_top_k", "keep_top_share", "laplace_mechanism", "laplace_noise", "lift", "lipschitz", "mean_row",
    "noisy_top_k", "normalize", "parse", "privacy_spent", "private_centres", "privunit", "project_out",
    "quantize", "random_mask", "randomized_response", "rectify", "registered", "releases_allowed",
    "round_to", "scale", "sensitivity", "shuffled", "sign", "threshold_mechanism", "upsample", "within",
]  # fmt: skip

_spec.discover(__name__)
