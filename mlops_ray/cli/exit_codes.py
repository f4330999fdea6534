"""Which error ends a command with which exit code."""

from __future__ import annotations

from typing import Final

from mlops_ray.errors import (
    BusyError,
    ClusterError,
    ConfigError,
    ConflictError,
    ContainerError,
    ContractError,
    DataError,
    DigestMismatchError,
    GateError,
    ManifestError,
    MlopsRayError,
    ModelError,
    MonitorError,
    NotFoundError,
    NotPermittedError,
    PortInUseError,
    RegistryError,
    ResourceError,
    SearchError,
    ServeError,
    StoreError,
    UnstableModelError,
)

__all__ = [
    "BUG",
    "INTERRUPTED",
    "IO_ERROR",
    "LOOKED_AND_FOUND",
    "OK",
    "REJECTED",
    "USAGE",
    "exit_code",
]

OK: Final = 0
BUG: Final = 1
USAGE: Final = 2
REJECTED: Final = 3
LOOKED_AND_FOUND: Final = 4
IO_ERROR: Final = 74
INTERRUPTED: Final = 130

# The first class that fits decides, so leaves stand before their parents.
_CODES: Final[tuple[tuple[type[MlopsRayError], int], ...]] = (
    (ConfigError, USAGE),
    (ResourceError, USAGE),
    (GateError, REJECTED),
    (SearchError, REJECTED),
    (ContractError, REJECTED),
    (DigestMismatchError, LOOKED_AND_FOUND),
    (PortInUseError, 5),
    (ConflictError, 5),
    (NotFoundError, 6),
    (NotPermittedError, 77),
    (UnstableModelError, 77),
    (DataError, 65),
    (ManifestError, 65),
    (ModelError, 65),
    (MonitorError, 65),
    (ClusterError, 69),
    (ContainerError, 69),
    (ServeError, 69),
    (StoreError, IO_ERROR),
    (RegistryError, IO_ERROR),
    (BusyError, 75),
)


def exit_code(error: MlopsRayError) -> int:
    """The exit code of an error; 1 for one that no row of the table names.

    Example:
        >>> exit_code(ClusterError("no head at 10.0.0.1:6379"))
        69
    """
    return next((code for kind, code in _CODES if isinstance(error, kind)), BUG)
