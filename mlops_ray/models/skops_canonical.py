"""Canonical skops files: equal estimators give equal bytes, and only listed types are loaded.

skops names members after memory addresses, repeats those in its schema and stamps the clock into
the archive, so one estimator dumped twice has two digests. Here members and ids are numbered in
the order of the schema, times are fixed and nothing is deflated (compressed bytes depend on the
zlib at hand). Whether two equal *scalars* happen to be one Python object differs from process to
process and means nothing, so each gets a number of its own; shared arrays stay shared.

Types beyond those skops trusts by itself come from a short list in this module, never from the
file. There is no other loader to fall back to.

skops is imported when a file is written or read: it takes 0.6 s, and the workers of a search do
neither.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any, Final

import numpy as np

from mlops_ray.errors import ModelError

__all__ = ["canonical_dumps", "checked_loads"]

_SCHEMA: Final = "schema.json"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # The earliest time a zip archive can hold.
_IDENTITY_FREE: Final = frozenset({"JsonNode", "TypeNode"})
# skops 0.16 with scikit-learn 1.9; reviewed at every update of either.
_TRUSTED: Final = (
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.metrics._dist_metrics.ManhattanDistance64",
    "sklearn.metrics._dist_metrics.MinkowskiDistance64",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.tree._tree.Tree",
)


def canonical_dumps(estimator: object) -> bytes:
    """A fitted scikit-learn estimator as a skops file with one byte string for one content."""
    from skops.io import dumps  # noqa: PLC0415 - see the module

    with zipfile.ZipFile(io.BytesIO(dumps(estimator))) as archive:
        schema = json.loads(archive.read(_SCHEMA))
        content = {name: archive.read(name) for name in archive.namelist() if name != _SCHEMA}
    numbering = _Numbering()
    schema = numbering.renumbered(schema)
    members = {new: _cleaned(new, content[old]) for old, new in numbering.members.items()}
    members[_SCHEMA] = json.dumps(schema, sort_keys=False, separators=(",", ":")).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(_member(name), data)
    return buffer.getvalue()


def checked_loads(data: bytes, wanted: type | tuple[type, ...]) -> Any:  # noqa: ANN401 - no stubs
    """Load a skops file whose digest was checked, refusing types that are not on our list.

    Args:
        data: What `canonical_dumps` wrote.
        wanted: Class the estimator must be an instance of.

    Raises:
        ModelError: The file is damaged, holds an unlisted type or another estimator.
    """
    from skops.io import loads  # noqa: PLC0415 - see the module
    from skops.io.exceptions import UntrustedTypesFoundException  # noqa: PLC0415 - the same

    try:
        estimator = loads(data, trusted=list(_TRUSTED))
    except UntrustedTypesFoundException as error:
        raise ModelError(
            "the estimator file holds types that are not on the list of trusted types", str(error)
        ) from error
    except Exception as error:  # Whatever skops trips over, the file is bad.
        raise ModelError("the estimator file cannot be read", repr(error)[:300]) from error
    if not isinstance(estimator, wanted):
        raise ModelError("the file holds another estimator", type(estimator).__name__)
    return estimator


class _Numbering:
    """Numbers for ids and members, in the order in which the schema names them first."""

    def __init__(self) -> None:
        self.members: dict[str, str] = {}
        self._ids: dict[int, int] = {}
        self._n_ids = 0

    def renumbered(self, node: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(node, list):
            return [self.renumbered(item) for item in node]
        if not isinstance(node, dict):
            return node
        return {key: self._value(node, key, value) for key, value in node.items()}

    def _value(self, node: dict[str, Any], key: str, value: Any) -> Any:  # noqa: ANN401 - JSON
        # A parameter may be called "file" too; only a node of its own loader names members.
        if "__loader__" not in node:
            return self.renumbered(value)
        if key == "__id__":
            return self._id(value, is_shared=node["__loader__"] not in _IDENTITY_FREE)
        if key == "file":
            suffix = value.rpartition(".")[2]
            return self.members.setdefault(value, f"{len(self.members):06d}.{suffix}")
        return self.renumbered(value)

    def _id(self, old: int, *, is_shared: bool) -> int:
        if is_shared and old in self._ids:
            return self._ids[old]
        self._n_ids += 1
        if is_shared:
            self._ids[old] = self._n_ids
        return self._n_ids


def _cleaned(name: str, data: bytes) -> bytes:
    """An array of records with zeros between its fields, where a tree has what memory held."""
    if not name.endswith(".npy"):
        return data
    array = np.load(io.BytesIO(data), allow_pickle=False)
    if array.dtype.names is None:
        return data
    clean = np.zeros(array.shape, array.dtype)
    for field in array.dtype.names:
        clean[field] = array[field]
    buffer = io.BytesIO()
    np.save(buffer, clean, allow_pickle=False)
    return buffer.getvalue()


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.create_system = 3  # Unix, whatever wrote it.
    info.external_attr = 0o644 << 16
    return info
