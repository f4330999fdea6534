"""Data: takes the files that a pipeline names, hands on schema, fingerprint, split and profile.

One pass over the units of the input gives everything later stages need to know of the rows; all
of its partial results add up exactly, so that its outcome depends on the rows alone. Ray appears
in `data.ray_map` only, which is not imported here.
"""

from mlops_ray.data.profile import Profile
from mlops_ray.data.scan import ScanPlan, scan
from mlops_ray.data.scan_result import Scan
from mlops_ray.data.schema import LogicalType, Schema
from mlops_ray.data.source import FoundFile, InputFile, find_files
from mlops_ray.data.split import SPLITS, SplitName, SplitRows, assign_split
from mlops_ray.data.unit import Unit, list_units
from mlops_ray.data.unit_map import UnitMap, map_in_process
from mlops_ray.data.unit_rows import read_unit
from mlops_ray.data.unit_schema import read_schema

__all__ = [
    "SPLITS",
    "FoundFile",
    "InputFile",
    "LogicalType",
    "Profile",
    "Scan",
    "ScanPlan",
    "Schema",
    "SplitName",
    "SplitRows",
    "Unit",
    "UnitMap",
    "assign_split",
    "find_files",
    "list_units",
    "map_in_process",
    "read_schema",
    "read_unit",
    "scan",
]
