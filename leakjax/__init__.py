"""leakjax: what model explanations leak about their training data, measured and hardened.

`audit` measures models, `score` the answers of models elsewhere, told more by the options in `auditing`; everything
else is a submodule: `data`, `models`, `shadow`, `explain`, `influence`, `defend`, `attack`, `monitor`, `evaluate`,
`records`, `monitoring`, `report`. What a caller can mend is a `UsageError`.
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
    monitor,
    monitoring,
    records,
    report,
    shadow,
)
from leakjax._validate import UsageError
from leakjax._version import version
from leakjax.auditing.run import audit
from leakjax.auditing.scored import score
from leakjax.data import Points
from leakjax.shadow import Ensemble

__version__ = version()

__all__ = [
    "Ensemble",
    "Points",
    "UsageError",
    "__version__",
    "attack",
    "audit",
    "auditing",
    "data",
    "defend",
    "evaluate",
    "explain",
    "influence",
    "models",
    "monitor",
    "monitoring",
    "records",
    "report",
    "score",
    "shadow",
]
