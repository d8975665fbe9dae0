"""The audit of feature attributions, where all stages meet: `leakjax.audit`, and what it may be told."""

from leakjax.auditing.options import Attacker, Budget, Run

__all__ = ["Attacker", "Budget", "Run"]
