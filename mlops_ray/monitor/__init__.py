"""Is the world still the one a model was trained on? Verdicts from profiles, without rows.

It takes the profile of the training rows, which the manifest holds, and the profile of live rows;
it hands on a report with a verdict a column and one verdict over all. It never imports Ray.
"""

from mlops_ray.monitor.drift import ColumnDrift, DriftReport, check_drift

__all__ = ["ColumnDrift", "DriftReport", "check_drift"]
