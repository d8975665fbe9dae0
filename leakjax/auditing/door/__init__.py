"""The door of the audit: what a caller hands in is checked, each thing by a function of its own, before anything runs.

Every fault is one `UsageError` that names the argument, its value, the rule and the way out.
"""

from leakjax.auditing.door.arguments import check_key, check_options, check_targets, listed, whole_numbers
from leakjax.auditing.door.calls import calling, check_takes, name_of
from leakjax.auditing.door.explanations import check_defense, check_explainer
from leakjax.auditing.door.models import check_attackable, check_ensemble, check_models, check_untrained
from leakjax.auditing.door.outputs import check_logits
from leakjax.auditing.door.points import check_background, checked_points

__all__ = [
    "calling",
    "check_attackable",
    "check_background",
    "check_defense",
    "check_ensemble",
    "check_explainer",
    "check_key",
    "check_logits",
    "check_models",
    "check_options",
    "check_takes",
    "check_targets",
    "check_untrained",
    "checked_points",
    "listed",
    "name_of",
    "whole_numbers",
]
