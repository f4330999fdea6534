"""One tensor of the Open Inference Protocol as one column of values.

Only JSON tensors: a feature is a vector of shape [n] or [n, 1]. Declared types are honoured, so an
FP32 element is rounded to 32 bits before it is widened again.

Source: KServe, "Open Inference Protocol", rest/inference_rest.md, section "Tensor Data".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mlops_ray.errors import Where
from mlops_ray.serve.http_errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_ray.models.signature import InputField

__all__ = ["BINARY_HINT", "DATATYPES", "decode_column", "refused"]

BINARY_HINT: Final = (
    "the binary tensor extension is not supported: send JSON tensors, with tritonclient "
    "set_data_from_numpy(array, binary_data=False)"
)
# dtype of the signature -> datatype that the metadata names.
DATATYPES: Final = {
    "float64": "FP64",
    "int64": "INT64",
    "bool": "BOOL",
    "string": "BYTES",
    "timestamp": "BYTES",  # In ISO 8601, as in JSON.
    "date": "BYTES",
}
_INTEGERS: Final = tuple(f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))
_ACCEPTED: Final[dict[str, tuple[str, ...]]] = {
    "float64": ("FP64", "FP32", "FP16", *_INTEGERS),
    "int64": _INTEGERS,
    "bool": ("BOOL",),
    "string": ("BYTES",),
    "timestamp": ("BYTES",),
    "date": ("BYTES",),
}
_ELEMENTS: Final[dict[str, tuple[frozenset[type], str]]] = {
    "FP": (frozenset({int, float}), "a number"),
    "IN": (frozenset({int}), "an integer"),
    "UI": (frozenset({int}), "an integer"),
    "BO": (frozenset({bool}), "true or false"),
    "BY": (frozenset({str}), "a string"),
}
_ROUNDED: Final[dict[str, type[np.floating[Any]]]] = {"FP32": np.float32, "FP16": np.float16}


def refused(what: str, key: str, hint: str = "") -> RefusedError:
    """A refusal with status 400 that names a member of the request or an input of the model."""
    return RefusedError(400, what, hint, Where(key=key))


def decode_column(tensor: Mapping[str, Any], field: InputField) -> list[Any]:
    """The values of one input tensor, None where it holds null.

    Args:
        tensor: Member of ``inputs``; its name was matched to `field`.
        field: The model's input.

    Raises:
        RefusedError: Status 400, or 415 for binary data; the message names the input.
    """
    datatype = tensor.get("datatype")
    accepted = _ACCEPTED[field.dtype]
    if not isinstance(datatype, str) or datatype not in accepted:
        raise refused(f"datatype must be {' or '.join(accepted[:2])}", field.name)
    data = _flat(tensor, field.name)
    _check_elements(data, datatype, field.name)
    if datatype.startswith("FP"):
        return _as_floats(data, datatype, field.name)
    if "INT" in datatype:
        _check_range(data, datatype, field.name)
    return data


def _flat(tensor: Mapping[str, Any], name: str) -> list[Any]:
    n_rows, rank = _rows(tensor.get("shape"), name)
    parameters = tensor.get("parameters")
    if isinstance(parameters, dict) and "binary_data_size" in parameters:
        raise RefusedError(415, BINARY_HINT, where=Where(key=name))
    data = tensor.get("data")
    if not isinstance(data, list):
        raise refused("'data' must be a list", name)
    if rank == 2 and data and all(isinstance(x, list) and len(x) == 1 for x in data):
        data = [row[0] for row in data]
    if len(data) != n_rows:
        raise refused(f"'data' has {len(data)} elements, the shape says {n_rows}", name)
    return data


def _rows(shape: Any, name: str) -> tuple[int, int]:  # noqa: ANN401 - any JSON value
    is_list = isinstance(shape, list) and all(type(size) is int for size in shape)
    if not is_list or not 1 <= len(shape) <= 2 or shape[0] < 0 or shape[1:] not in ([], [1]):
        raise refused("'shape' must be [n] or [n, 1]", name)
    return shape[0], len(shape)


def _check_elements(data: list[Any], datatype: str, name: str) -> None:
    kinds, wanted = _ELEMENTS[datatype[:2]]
    if set(map(type, data)) <= kinds | {type(None)}:
        return
    index = next(i for i, x in enumerate(data) if x is not None and type(x) not in kinds)
    raise refused(f"element {index} of a {datatype} tensor must be {wanted} or null", name)


def _check_range(data: list[Any], datatype: str, name: str) -> None:
    limits = np.iinfo(datatype.lower())
    low, high = int(limits.min), min(int(limits.max), 2**63 - 1)
    for index, value in enumerate(data):
        if value is not None and not low <= value <= high:
            raise refused(f"element {index} is out of range for {datatype}", name)


def _as_floats(data: list[Any], datatype: str, name: str) -> list[Any]:
    rounded = _ROUNDED.get(datatype)
    if rounded is None:
        return [None if value is None else float(value) for value in data]
    with np.errstate(over="ignore"):
        values = np.array([0.0 if x is None else float(x) for x in data]).astype(rounded)
    if not np.isfinite(values).all():
        index = int(np.flatnonzero(~np.isfinite(values))[0])
        raise refused(f"element {index} is out of range for {datatype}", name)
    widened = values.astype(np.float64).tolist()
    return [None if x is None else y for x, y in zip(data, widened, strict=True)]
