"""`data.as_of`: the moment at which the data are taken to be looked at.

It is declared and stands in the spec, so that a run judges by it and not by the clock of the day on
which it is executed again. A row that is later than it cannot have been known then: it is refused,
not left out, since rows that vanish silently are the greater surprise.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from mlops_ray.config.contract import as_time
from mlops_ray.data.column_profile import TimeProfile
from mlops_ray.errors import ColumnError, Where

if TYPE_CHECKING:
    from mlops_ray.data.scan_result import Scan

__all__ = ["check_as_of"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS: Final = {"date": timedelta(days=1), "timestamp": timedelta(microseconds=1)}


def check_as_of(scan: Scan, time: str, as_of: str) -> None:
    """Check that no row of a date or time column is later than `as_of`.

    A column of another type, such as a year, cannot be compared with a moment and is passed over.

    Args:
        scan: Of the data.
        time: The time column.
        as_of: ISO 8601; a day stands for its first moment where the column holds times.

    Raises:
        ColumnError: A row is later; the latest is named.
    """
    limit = as_time(as_of)
    limit = limit if limit.tzinfo else limit.replace(tzinfo=UTC)
    for profile in scan.profiles.values():
        column = profile.columns[time]
        if not isinstance(column, TimeProfile) or column.maximum is None:
            continue
        ticks = (limit - _EPOCH) // _UNITS[column.dtype]
        if column.maximum > ticks:
            raise ColumnError(
                "rows are later than 'as_of'",
                str(column.to_json()["maximum"]),
                f"at most {as_of}",
                "correct 'data.as_of', or leave those rows out of the source",
                Where(key=time),
            )
