"""What is beyond its age, and its removal: `planned` says it (a dry run), `remove_all` does it.

What is there, how old it is and whose it is comes from listings and records, never from memory: whoever looks, and
whenever, finds the same. A run that runs, and an output that has no age, are never removed; where nobody can tell, it
stays, and the plan says so.
"""

from triptych.retention.planning import Finding, RetentionPlan, What, planned
from triptych.retention.removal import Failure, remove_all
from triptych.retention.running_runs import AirflowRuns, CannotTellError, NoAirflow

__all__ = [
    "AirflowRuns",
    "CannotTellError",
    "Failure",
    "Finding",
    "NoAirflow",
    "RetentionPlan",
    "What",
    "planned",
    "remove_all",
]
