"""Every error the package raises on purpose.

MlopsRayError
    ConfigError
        InvalidConfigError
    ResourceError
    DataError
        SourceError
        ColumnError
        RecordError
        ContractError
    ManifestError
        DigestMismatchError
    StoreError
    SearchError
    ModelError
        UnstableModelError
    RegistryError
        NotFoundError
        ConflictError
        NotPermittedError
    GateError
    ServeError
        PortInUseError
    ClusterError
    ContainerError
    MonitorError
    BusyError

Each error answers the same five questions: *what* went wrong, what was *got*, what is *wanted*,
the way out (*hint*) and *where*. They cross process boundaries as Ray task errors, so every field
is a plain positional argument handed to ``super().__init__``; a ``pickle`` round trip keeps all of
them (``tests/test_errors.py`` checks every class). HTTP statuses and exit codes are not here: the
layers that speak HTTP or to a shell map classes to numbers once.
"""

from __future__ import annotations

from typing import ClassVar, Final, NamedTuple

__all__ = [
    "BusyError",
    "ClusterError",
    "ColumnError",
    "ConfigError",
    "ConfigProblem",
    "ConflictError",
    "ContainerError",
    "ContractError",
    "DataError",
    "DigestMismatchError",
    "GateError",
    "InvalidConfigError",
    "ManifestError",
    "MlopsRayError",
    "ModelError",
    "MonitorError",
    "NotFoundError",
    "NotPermittedError",
    "PortInUseError",
    "RecordError",
    "RegistryError",
    "ResourceError",
    "SearchError",
    "ServeError",
    "SourceError",
    "StoreError",
    "UnstableModelError",
    "Where",
]

_MOST_CHARACTERS: Final = 500  # Of what is wrong and of what was got, in a sentence.


class Where(NamedTuple):
    """Place of a mistake; fields that do not apply are left at their defaults.

    Attributes:
        file: Path as the user gave it.
        line: Line, counted from 1; 0 where there is none.
        column: Character in the line, counted from 1; 0 where there is none.
        key: Dotted key of a config, or the name of a table's column or of a request's field.
    """

    file: str = ""
    line: int = 0
    column: int = 0
    key: str = ""

    def __str__(self) -> str:
        place = ":".join([self.file, *(str(n) for n in (self.line, self.column) if n)])
        return ": ".join(part for part in (place, self.key) if part)


class ConfigProblem(NamedTuple):
    """One of the mistakes that an `InvalidConfigError` lists."""

    what: str
    got: str = ""
    wanted: str = ""
    hint: str = ""
    where: Where = Where()

    def __str__(self) -> str:
        return _sentence(*self)


def _sentence(what: str, got: str, wanted: str, hint: str, where: Where) -> str:
    place = f"{where}: " if any(where) else ""
    facts = ", ".join(
        f"{label} {value}" for label, value in (("got", _cut(got)), ("wanted", wanted)) if value
    )
    return place + _cut(what) + (f": {facts}" if facts else "") + (f"; {hint}" if hint else "")


def _cut(text: str) -> str:
    """Whatever somebody wrote into a file may be repeated, but not at any length."""
    if len(text) <= _MOST_CHARACTERS:
        return text
    return f"{text[:_MOST_CHARACTERS]}... ({len(text)} characters)"


class MlopsRayError(Exception):
    """Base of all errors raised on purpose by `mlops_ray`.

    Attributes:
        code: Stable name of the kind of error, for programs.
        what: The thing that is wrong, lower case, without a full stop.
        got: What was found, already formatted; empty where the sentence says it.
        wanted: What would have been right; empty where the sentence says it.
        hint: The way out, as an instruction.
        where: File, line, column and key, as far as they apply.

    Example:
        >>> print(MlopsRayError("port 8000 is taken", "pid 17", hint="use --port 0"))
        port 8000 is taken: got pid 17; use --port 0
    """

    code: ClassVar[str] = "error"

    def __init__(
        self,
        what: str,
        got: str = "",
        wanted: str = "",
        hint: str = "",
        where: Where | None = None,
    ) -> None:
        super().__init__(what, got, wanted, hint, where)
        self.what = what
        self.got = got
        self.wanted = wanted
        self.hint = hint
        self.where = where or Where()

    def __str__(self) -> str:
        return _sentence(self.what, self.got, self.wanted, self.hint, self.where)


class ConfigError(MlopsRayError):
    """A pipeline file, an option or an environment variable cannot be used."""

    code = "config"


class InvalidConfigError(ConfigError):
    """A pipeline file has mistakes; all of them are listed.

    Attributes:
        problems: The mistakes in the order of the file; the five common fields are the first's.
    """

    code = "invalid_config"

    def __init__(self, problems: tuple[ConfigProblem, ...]) -> None:
        super().__init__(*problems[0])
        self.args = (problems,)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class ResourceError(MlopsRayError):
    """The machine or the cluster cannot give what the pipeline asks for."""

    code = "resources"


class DataError(MlopsRayError):
    """Input data are missing, unreadable or break the contract."""

    code = "data"


class SourceError(DataError):
    """A data source has no files, unreadable files or files that disagree."""

    code = "source"


class ColumnError(DataError, ValueError):
    """A column of the input is absent, of another type, constant, all null or out of range."""

    code = "column"


class RecordError(DataError, ValueError):
    """A record sent for prediction does not fit the model's signature."""

    code = "bad_input"


class ContractError(DataError):
    """Data break a rule of the declared contract; a run of them is kept as `rejected`."""

    code = "contract"


class ManifestError(MlopsRayError):
    """A manifest is torn, of an unknown version or refers to what is not there."""

    code = "manifest"


class DigestMismatchError(ManifestError):
    """Stored bytes are not those their digest names."""

    code = "digest_mismatch"


class StoreError(MlopsRayError):
    """The object store cannot be read or written."""

    code = "store"


class SearchError(MlopsRayError):
    """No trial of a search gave a valid result, or a trial cannot be run."""

    code = "search"


class ModelError(MlopsRayError):
    """An estimator or a bundle cannot be built, saved or loaded."""

    code = "model"


class UnstableModelError(ModelError):
    """A model's answer to a row depends on the rows around it, so it is refused for serving."""

    code = "unstable_model"


class RegistryError(MlopsRayError):
    """The registry refuses an operation."""

    code = "registry"


class NotFoundError(RegistryError, LookupError):
    """A run, model, version or alias does not exist."""

    code = "not_found"


class ConflictError(RegistryError):
    """Somebody else changed the same thing first, or it is already in use."""

    code = "conflict"


class NotPermittedError(RegistryError, PermissionError):
    """The actor or the gates do not allow the operation."""

    code = "not_permitted"


class GateError(MlopsRayError):
    """A gate did not pass; the run is kept as `rejected`."""

    code = "gate"


class ServeError(MlopsRayError):
    """A deployment cannot be started, reached or stopped."""

    code = "serve"


class PortInUseError(ServeError, OSError):
    """The port asked for is held by another process."""

    code = "port_in_use"


class ClusterError(MlopsRayError):
    """A Ray cluster cannot be started or joined."""

    code = "cluster"


class ContainerError(MlopsRayError):
    """A container engine is not there, or does not work."""

    code = "container"


class MonitorError(MlopsRayError):
    """A monitoring computation cannot be carried out."""

    code = "monitor"


class BusyError(MlopsRayError):
    """A lock is held by another process for too long; trying again later may succeed."""

    code = "busy"
