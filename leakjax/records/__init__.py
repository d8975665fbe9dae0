"""Record-based explanations: which training records they give away, and which defenses stop that.

A service that names the training records an answer rests on, an attacker who sees its answers alone:

    service = serve(x, y, l2=1.0)                            # leakjax.influence: the model, itself without each record
    asked = offer(service, RecordPart(k=1), key=key)         # what the attacker may see
    found = reconstruct(asked, key=key).found                # Algorithm 1 of Shokri, Strobel and Zick
    own = self_explanations(service, RecordPart(k=5), key=key)
    self_revealing(own, 5).mean()                            # training records in their own explanation

The study of `python -m experiments.records` is made of units of work that are kept one by one:

    plan = plan_for("adult", draws=3, parts=("draws",))
    units = units_of(plan, lambda scaling: load_task(plan, scaling=scaling))
    measured = run_units(units, folder)
    report = report_of(plan, measured, environment)          # typed; `leakjax.report.records.publish` writes it
"""

from leakjax.records.answer import Answer
from leakjax.records.baselines import distinct_revealed, draw_queries, static_batches
from leakjax.records.compare import Training, compare_linear, compare_network
from leakjax.records.defenses import Row, Target, compare_defenses
from leakjax.records.descent import Descent, descend
from leakjax.records.document import RecordsReport
from leakjax.records.encode import Task
from leakjax.records.graph import Graph, Traversal, coverage, summarise, traverse
from leakjax.records.network import Effort, attack_network, network_oracle
from leakjax.records.oracle import RecordOracle, offer
from leakjax.records.part import Explanation, RecordPart, explain
from leakjax.records.plan import Plan, plan_for
from leakjax.records.prototypes import private_prototypes, substitute
from leakjax.records.results import report_of
from leakjax.records.revealing import Share, self_explanations, self_revealing, share, shares_by_group
from leakjax.records.run import Measured, run_units
from leakjax.records.subspace import Reconstruction, reconstruct
from leakjax.records.tasks import load_task
from leakjax.records.units import Unit, units_of

__all__ = [
    "Answer",
    "Descent",
    "Effort",
    "Explanation",
    "Graph",
    "Measured",
    "Plan",
    "Reconstruction",
    "RecordOracle",
    "RecordPart",
    "RecordsReport",
    "Row",
    "Share",
    "Target",
    "Task",
    "Training",
    "Traversal",
    "Unit",
    "attack_network",
    "compare_defenses",
    "compare_linear",
    "compare_network",
    "coverage",
    "descend",
    "distinct_revealed",
    "draw_queries",
    "explain",
    "load_task",
    "network_oracle",
    "offer",
    "plan_for",
    "private_prototypes",
    "reconstruct",
    "report_of",
    "run_units",
    "self_explanations",
    "self_revealing",
    "share",
    "shares_by_group",
    "static_batches",
    "substitute",
    "summarise",
    "traverse",
    "units_of",
]
