"""How much do monitors of a live service catch, how late, and what had the attack reached by then?

    plan = quick()
    report = run_study(plan, load(plan), environment={})
    leakjax.report.monitoring.publish(report, "runs/monitor-digits")

Detectors are those of `leakjax.monitor`, fitted to the owner's records; thresholds are set on benign accounts and
tested on others before any attack is scored.
"""

from leakjax.monitoring.document import MonitorReport
from leakjax.monitoring.plan import Plan, quick
from leakjax.monitoring.run import run_study
from leakjax.monitoring.world import load

__all__ = ["MonitorReport", "Plan", "load", "quick", "run_study"]
