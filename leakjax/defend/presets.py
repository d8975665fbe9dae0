"""Recommended chains by the name of an explainer, as `experiments.harden` found them, for text "preset:NAME"."""

from collections.abc import Mapping
from types import MappingProxyType

PRESETS: Mapping[str, str] = MappingProxyType({})
