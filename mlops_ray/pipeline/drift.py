"""Drift of a table against the training profile in a registered version's manifest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlops_ray.data.profile import Profile
from mlops_ray.data.ray_map import RayDataMap
from mlops_ray.data.scan import ALL, ScanPlan, scan
from mlops_ray.data.source import find_files
from mlops_ray.data.unit import list_units
from mlops_ray.data.unit_schema import read_schema
from mlops_ray.errors import SourceError
from mlops_ray.manifest import Result, Spec, from_canonical
from mlops_ray.monitor.drift import DriftReport, check_drift
from mlops_ray.pipeline.run import run_of_version
from mlops_ray.runtime.cluster import connect
from mlops_ray.telemetry import quiet_ray_loggers

if TYPE_CHECKING:
    from mlops_ray.registry import ModelVersion
    from mlops_ray.storage import ObjectStore, Workspace

__all__ = ["drift_of_table"]


def drift_of_table(
    workspace: Workspace,
    version: ModelVersion,
    data: str,
    *,
    num_cpus: int | None = None,
    address: str | None = None,
) -> DriftReport:
    """Compare a table's feature columns with the training profile in the version's manifest.

    Raises:
        SourceError: There are no files, or they cannot be read.
    """
    run = run_of_version(workspace, version)
    baseline = _baseline(workspace.store, run.spec, run.result)
    files = find_files(data, Path.cwd())
    declared = run.spec.features
    wanted = list(dict.fromkeys(column for feature in declared for column in feature.columns))
    schema = {name: dtype for name, dtype in read_schema(files).items() if name in wanted}
    quiet_ray_loggers()
    with connect(address, num_cpus):
        live = scan(list_units(files), ScanPlan(schema, None), RayDataMap()).profiles[ALL]
    return check_drift(baseline, live, run.spec.monitor.drift, wanted)


def _baseline(store: ObjectStore, spec: Spec, result: Result | None) -> Profile:
    if result is None:
        raise SourceError(f"the run of {spec.name} has no training profile")
    return Profile.from_json(from_canonical(store.get(result.baseline)))
