"""Guards of a live service: monitors that watch its queries, and what is done when one alarms.

A monitor is two pure functions over a state of fixed size. `monitors_for` makes all of them for some benign records,
`highest_scores` and `set_threshold` set where one begins to alarm, and `guard` puts them before a service:

    watching = monitor.set_threshold(families, monitor.highest_scores(families, benign_streams), rate=0.01)
    guarded = monitor.guard(explain, [watching], on_alarm="refuse")
    guarded(x, account="user 17")

No monitor stops an attack that needs fewer queries than benign accounts ask, or queries that are records: only the
release itself does.
"""

from leakjax.monitor.actions import ACTIONS, ANSWERED, one_digit
from leakjax.monitor.distances import distance_distribution
from leakjax.monitor.entropy import entropy
from leakjax.monitor.families import families, shared_budget
from leakjax.monitor.guard import Guard, Guarded, guard
from leakjax.monitor.hashing import coarse_hashing
from leakjax.monitor.monitor import Monitor, run, state_bytes
from leakjax.monitor.off_distribution import off_distribution
from leakjax.monitor.steps import successive_steps
from leakjax.monitor.streams import alarms_at, highest_scores, scores_of
from leakjax.monitor.threshold import set_threshold, threshold, thresholds_together
from leakjax.monitor.together import any_of, family_radius, monitors_for

__all__ = [
    "ACTIONS",
    "ANSWERED",
    "Guard",
    "Guarded",
    "Monitor",
    "alarms_at",
    "any_of",
    "coarse_hashing",
    "distance_distribution",
    "entropy",
    "families",
    "family_radius",
    "guard",
    "highest_scores",
    "monitors_for",
    "off_distribution",
    "one_digit",
    "run",
    "scores_of",
    "set_threshold",
    "shared_budget",
    "state_bytes",
    "successive_steps",
    "threshold",
    "thresholds_together",
]
