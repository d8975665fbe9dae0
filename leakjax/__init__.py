"""leakjax: what model explanations leak about their training data, measured and hardened.

`audit` measures, told more by the options in `auditing`; everything else is a submodule: `data`, `models`, `shadow`,
`explain`, `influence`, `defend`, `attack`, `evaluate`, `records`, `report`.
"""

from leakjax import (
    attack,
    auditing,
    data,
    defend,
    evaluate,
    explain,
    influence,
    models,
    records,
    report,
    shadow,
)
from leakjax.auditing.run import audit
from leakjax.data import Points
from leakjax.shadow import Ensemble

__all__ = [
    "Ensemble",
    "Points",
    "attack",
    "audit",
    "auditing",
    "data",
    "defend",
    "evaluate",
    "explain",
    "influence",
    "models",
    "records",
    "report",
    "shadow",
]
