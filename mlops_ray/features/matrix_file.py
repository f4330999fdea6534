"""A matrix at rest: a JSON header, then the raw bytes of features, target and any weights.

The bytes depend on the matrix alone, so their digest is its identity, and reading copies nothing.
Little-endian throughout, as on every machine that Ray runs on.
"""

from __future__ import annotations

import struct
import sys
from typing import Any, Final

import numpy as np

from mlops_ray.errors import ManifestError
from mlops_ray.features.matrix import Matrix
from mlops_ray.manifest.canonical import canonical_bytes, from_canonical

__all__ = ["MATRIX_SCHEMA", "matrix_from_bytes", "matrix_to_bytes"]

MATRIX_SCHEMA: Final = "mlops-ray/matrix/v1"
_LENGTH: Final = struct.Struct("<Q")
_TYPES: Final = {"<f4", "<f8", "<i4"}


def matrix_to_bytes(matrix: Matrix) -> bytes:
    """A matrix as bytes: length of the header, header, features row by row, target, weights.

    Raises:
        ManifestError: The machine is big-endian.
    """
    if sys.byteorder != "little":
        raise ManifestError("matrices are stored little-endian", sys.byteorder, "little")
    content = {
        "schema": MATRIX_SCHEMA,
        "membership": matrix.membership,
        "shape": list(matrix.X.shape),
        "X": matrix.X.dtype.str,
        "y": matrix.y.dtype.str,
    }
    arrays = [matrix.X, matrix.y]
    if matrix.weights is not None:
        content["weights"] = matrix.weights.dtype.str
        arrays.append(matrix.weights)
    header = canonical_bytes(content)
    raw = [np.ascontiguousarray(array).data.cast("B") for array in arrays]
    return b"".join([_LENGTH.pack(len(header)), header, *raw])


def matrix_from_bytes(data: bytes) -> Matrix:
    """The matrix that `matrix_to_bytes` wrote; its arrays are read-only views of `data`.

    Raises:
        ManifestError: The bytes are no matrix of version 1.
    """
    start = _LENGTH.size
    end = start + (_LENGTH.unpack_from(data)[0] if len(data) >= start else 0)
    header = _header(data[start:end])
    n_rows, n_features = header["shape"]
    X = np.frombuffer(data, header["X"], n_rows * n_features, end).reshape(n_rows, n_features)
    y = np.frombuffer(data, header["y"], n_rows, end + X.nbytes)
    weights = None
    if "weights" in header:
        weights = np.frombuffer(data, header["weights"], n_rows, end + X.nbytes + y.nbytes)
    return Matrix(X, y, header["membership"], weights)


def _header(data: bytes) -> dict[str, Any]:
    content = from_canonical(data)
    if not isinstance(content, dict) or content.get("schema") != MATRIX_SCHEMA:
        raise ManifestError("not a matrix this version can read", wanted=MATRIX_SCHEMA)
    types = {content["X"], content["y"], content.get("weights", "<f8")}
    if not types <= _TYPES:
        raise ManifestError("a matrix of unknown types", ", ".join(sorted(types)))
    return content
