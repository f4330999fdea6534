"""Made-up records for a bundle's golden examples, drawn from the training profile.

Real rows could be personal data and would stay in the bundle for ever. These records walk through
each column's quantiles and categories, and include a null where nulls are answered and a category
that training never saw, so that the replay at every load covers more than a few typical rows would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mlops_ray.data.profile import CategoryProfile, NumberProfile, TimeProfile
from mlops_ray.errors import RecordError

if TYPE_CHECKING:
    from mlops_ray.data.profile import ColumnProfile, Profile
    from mlops_ray.features import CompiledTransform
    from mlops_ray.models.signature import InputField, Signature

__all__ = ["golden_records"]

_QUANTILES: Final = (0.5, 0.0, 1.0, 0.1, 0.25, 0.75, 0.9, 0.4)
_LARGEST_INT64: Final = 2**63 - 1
_N_NULLS: Final = 1  # One last record with a null in every column that answers nulls.


def golden_records(
    signature: Signature, profile: Profile, transform: CompiledTransform
) -> list[dict[str, Any]]:
    """Records that fit the signature, the same for the same profile.

    Args:
        signature: Inputs of the model.
        profile: Statistics of the training rows.
        transform: Of the model; records that a declared policy refuses are left out.
    """
    records = [
        {field.name: _value(field, profile.columns[field.name], at) for field in signature.inputs}
        for at in range(len(_QUANTILES) + _N_NULLS)
    ]
    last = records[-1]
    records[-1] = {
        field.name: None if field.nullable else last[field.name] for field in signature.inputs
    }
    return [record for record in records if _is_taken(transform, record)]


def _is_taken(transform: CompiledTransform, record: dict[str, Any]) -> bool:
    try:
        transform.from_records([record])
    except RecordError:
        return False
    return True


def _value(field: InputField, column: ColumnProfile, at: int) -> Any:  # noqa: ANN401 - a cell
    if field.dtype == "string" and at == len(_QUANTILES) - 1:
        return "~ a category that training never saw"
    if isinstance(column, CategoryProfile):
        ranked = sorted(column.counts.counts.items(), key=lambda item: (-item[1], item[0]))
        return ranked[at % len(ranked)][0] if ranked else None  # Too many values to be counted.
    if isinstance(column, NumberProfile):
        value = column.quantile(_QUANTILES[at % len(_QUANTILES)])
        # As a float the largest int64 is 2^63, one more than the type holds.
        return min(round(value), _LARGEST_INT64) if field.dtype == "int64" else value
    if isinstance(column, TimeProfile):
        return _time(column, _QUANTILES[at % len(_QUANTILES)])
    return None


def _time(column: TimeProfile, share: float) -> str | None:
    """A time between the first and the last, in ISO 8601."""
    if column.minimum is None or column.maximum is None:
        return None
    at = column.minimum + round(share * (column.maximum - column.minimum))
    return str(np.datetime64(at, "D" if column.dtype == "date" else "us"))
