"""Features that hold another value in every row: exact, by a second look where counts overflow."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mlops_ray.data.column_profile import CategoryProfile, NumberProfile, merge_columns
from mlops_ray.data.repeated_keys import KeyLook, find_repeated_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.data.scan import ScanPlan
    from mlops_ray.data.scan_result import Scan
    from mlops_ray.data.unit import Unit
    from mlops_ray.data.unit_map import UnitMap

__all__ = ["find_ids"]

_MIN_ROWS: Final = 50  # Fewer rows may differ by chance.


def find_ids(found: Scan, plan: ScanPlan, units: Sequence[Unit], unit_map: UnitMap) -> Scan:
    """What was found, with the features that tell every row apart.

    A column is read again only where no unit holds a value twice, and there are too many values to
    have been counted.

    Args:
        found: What the pass found.
        plan: The one it had.
        units: Its units.
        unit_map: Runs what is left to do.
    """
    if found.n_rows < _MIN_ROWS:
        return found
    ids = [name for name in sorted(found.maybe_ids) if _is_id(name, found, plan, units, unit_map)]
    return replace(found, ids=tuple(ids))


def _is_id(
    name: str, found: Scan, plan: ScanPlan, units: Sequence[Unit], unit_map: UnitMap
) -> bool:
    column = merge_columns([profile.columns[name] for profile in found.profiles.values()])
    if column.n_null or not isinstance(column, CategoryProfile | NumberProfile):
        return False
    if not column.counts.is_overflow:
        return column.counts.n_distinct == column.n_rows
    look = KeyLook(plan.schema, (name,), plan.check, None, "")
    return not find_repeated_keys(look, units, found.n_rows, unit_map).n_rows
