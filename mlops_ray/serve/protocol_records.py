"""The simple JSON protocol: records in, outputs by name out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mlops_ray.errors import Where
from mlops_ray.serve.http_errors import RefusedError
from mlops_ray.serve.strict_json import parse_json

if TYPE_CHECKING:
    from mlops_ray.models.outputs import Outputs
    from mlops_ray.serve.identity import Identity

__all__ = ["decode_records", "encode_predictions"]

_FORMS = 'a record, a list of records, or {"records": [...]}'


def decode_records(body: bytes) -> list[dict[str, Any]]:
    """The records of a request; their fields are checked by the predictor.

    Raises:
        RefusedError: Status 400, the body is not JSON or none of the three forms.

    Example:
        >>> decode_records(b'{"age": 41}') == decode_records(b'{"records": [{"age": 41}]}')
        True
    """
    value = parse_json(body)
    if isinstance(value, dict):
        is_batch = value.keys() == {"records"} and isinstance(value["records"], list)
        value = value["records"] if is_batch else [value]
    if not isinstance(value, list):
        raise RefusedError(400, f"body must be {_FORMS}")
    for row, record in enumerate(value):
        if not isinstance(record, dict):
            raise RefusedError(
                400, f"record {row} is not an object", f"send {_FORMS}", Where(key=f"[{row}]")
            )
    return value


def encode_predictions(outputs: Outputs, identity: Identity, prediction_id: str) -> bytes:
    """The answer: who predicted, and each output with one entry a record."""
    answer = {
        "model": identity.model,
        "version": identity.version,
        "run_id": identity.run_id,
        "prediction_id": prediction_id,
        "outputs": outputs.to_json(),
    }
    return json.dumps(answer, separators=(",", ":"), allow_nan=False).encode()
