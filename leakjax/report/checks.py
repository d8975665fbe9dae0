"""The controls of an audit in plain words: what each is, and what it means if it fails."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from leakjax.evaluate.document import Control


class Plain(NamedTuple):
    """A control as its reader knows it.

    Attributes:
      name: in a few words.
      failed: what it means if it fails, a sentence.
    """

    name: str
    failed: str


_LEAKY = "the audit finds leaks where there can be none, and its numbers are too high"
_BLIND = "the audit overlooks leaks that are there, and its numbers are too low"

CONTROLS: Mapping[str, Plain] = MappingProxyType(
    {
        "untrained": Plain(
            "networks that saw no data", f"If it fails, {_LEAKY}: something but training tells members."
        ),
        "permuted_membership": Plain(
            "wrong lists of members", f"If it fails, {_LEAKY}: the attack profits from the lists."
        ),
        "input_only": Plain(
            "records alone, without a model",
            "If it fails, members differ from others before any model is trained: they were not drawn at "
            "random.",
        ),
        "inclusion_count": Plain(
            "how often other models hold a record",
            "If it fails, who is a member follows from who was drawn elsewhere: memberships are not "
            "independent.",
        ),
        "placebo": Plain(
            "explanations of another model", f"If it fails, {_LEAKY}: noise counts as an explanation's leak."
        ),
        "dressed": Plain(
            "the prediction in the form of an explanation",
            "If it fails, the attack on predictions overlooks something, and explanations are blamed for it.",
        ),
        "planted": Plain("a planted leak of known size", f"If it fails, {_BLIND}, or the other way round."),
        "score_sign": Plain(
            "planted leaks up and down", f"If it fails, {_BLIND}: the attack looks one way only."
        ),
        "hardened": Plain(
            "hardened beside plain explanations",
            f"If it fails, {_BLIND}: hardening cannot add what was not there.",
        ),
    }
)


def plain(control: Control) -> Plain:
    """A control in plain words; one that is not known here keeps its name."""
    return CONTROLS.get(
        control.name, Plain(control.name.replace("_", " "), "If it fails, do not rely on the numbers.")
    )
