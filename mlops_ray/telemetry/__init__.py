"""What a run tells while it runs: progress for people, a log of JSON lines for everything else.

It takes events of stages and trials and hands on lines: on stderr (never on stdout, which belongs
to results), and in the log file of the run.
"""

from mlops_ray.telemetry.log import RunLog, RunLogHandler, quiet_ray_loggers
from mlops_ray.telemetry.progress import (
    LiveProgress,
    LoggedProgress,
    PlainProgress,
    Progress,
    SilentProgress,
    terminal_progress,
)

__all__ = [
    "LiveProgress",
    "LoggedProgress",
    "PlainProgress",
    "Progress",
    "RunLog",
    "RunLogHandler",
    "SilentProgress",
    "quiet_ray_loggers",
    "terminal_progress",
]
