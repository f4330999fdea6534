"""The registry's database: SQLite in WAL mode, writers in line, readers never blocked.

A transaction that reads and then writes takes the write lock when it begins: begun deferred, most
of several writers fail with "database is locked" however long they wait (measured: 279 of 320).
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError
from sqlalchemy.pool import NullPool

from mlops_ray.errors import BusyError, ConfigError, RegistryError
from mlops_ray.registry.tables import (
    APPEND_ONLY_TRIGGERS,
    SCHEMA_VERSION,
    feature_sets,
    metadata,
    schema_version,
)
from mlops_ray.storage import fail_point

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Database"]

_BUSY_TIMEOUT_S: Final = 30.0
_IS_WRITE: Final = "mlops_ray_write"
_HINT: Final = "name the file of a registry, or a new one, with --registry or MLOPS_RAY_REGISTRY"


class Database:
    """Transactions on the registry's tables; file and tables are made by the first write.

    Args:
        location: Path of an SQLite file, or an SQLAlchemy URL of one.
        busy_timeout_s: How long a transaction waits for another writer.

    Raises:
        ConfigError: The URL is not one, or names a database that is not supported.
    """

    def __init__(self, location: str | Path, busy_timeout_s: float = _BUSY_TIMEOUT_S) -> None:
        self.path = _path_of(location)
        self._busy_timeout_s = busy_timeout_s
        self._engine = _engine(self.path, busy_timeout_s)
        self._is_ready = False

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database; an empty one where there is no file.

        Raises:
            RegistryError: The file is no registry, or one of a newer version of this package.
        """
        if not self._is_ready and self._is_absent():
            with _nothing().connect() as connection:
                yield connection
            return
        self._prepare()
        with self._translated(), self._engine.connect() as connection:
            yield connection

    def _is_absent(self) -> bool:
        try:
            self.path.stat()
        except FileNotFoundError:
            return True
        except OSError:  # Opening it tells what is wrong.
            return False
        return False

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that holds the write lock from its first statement on.

        Raises:
            BusyError: Another process holds the lock for longer than the timeout.
            RegistryError: The file is no registry, or one of a newer version of this package.
        """
        self._prepare()
        writer = self._engine.execution_options(**{_IS_WRITE: True})
        with self._translated(), writer.begin() as connection:
            fail_point("registry.begun")
            yield connection
            fail_point("registry.written")
        fail_point("registry.committed")

    def _prepare(self) -> None:
        if self._is_ready:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Switching to WAL does not honour the busy timeout, so the first users take turns.
            lock = FileLock(f"{self.path}.lock", timeout=self._busy_timeout_s)
            with self._translated(), lock, self._engine.connect() as connection:
                _create_or_check(connection, self.path)
        except Timeout as error:
            raise BusyError(f"registry {self.path} is being made by another process") from error
        except OSError as error:
            raise RegistryError(
                f"registry {self.path} cannot be opened", str(error.strerror or error), hint=_HINT
            ) from error
        self._is_ready = True

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            if "locked" in str(error.orig) or "busy" in str(error.orig):
                raise BusyError(
                    f"registry {self.path} is locked by another process",
                    hint="try again in a moment",
                ) from error
            raise self._refusal(error) from error
        except DatabaseError as error:
            raise self._refusal(error) from error

    def _refusal(self, error: DatabaseError) -> RegistryError:
        return RegistryError(f"registry {self.path} cannot be used", str(error.orig), hint=_HINT)


def _path_of(location: str | Path) -> Path:
    if isinstance(location, Path) or "://" not in location:
        return Path(location).absolute()
    try:
        url = make_url(location)
    except (ArgumentError, ValueError):  # Whose text may quote a password.
        raise ConfigError("not a registry", wanted="a path or an SQLAlchemy URL") from None
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        raise ConfigError(
            "this kind of registry is not supported yet",
            url.get_backend_name(),
            "an SQLite file",
            "give a path, or sqlite:///relative.db, or sqlite:////absolute.db",
        )
    if url.host or url.username or url.password:
        raise ConfigError(
            "the registry's URL has a host, a user or a password",
            wanted="sqlite:///relative.db, or sqlite:////absolute.db",
        )
    return Path(url.database).absolute()


def _engine(path: Path, busy_timeout_s: float) -> Engine:
    # No pool: a registry is asked rarely, and a connection must not cross a fork.
    engine = create_engine(
        f"sqlite:///{path}", poolclass=NullPool, connect_args={"timeout": busy_timeout_s}
    )
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _nothing() -> Engine:
    """A registry in memory that nobody has written to."""
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    return engine


def _configure(connection: Any, _record: object) -> None:  # noqa: ANN401 - DBAPI connection
    connection.isolation_level = None  # The driver would begin on its own, and deferred.
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin(connection: Connection) -> None:
    is_write = connection.get_execution_options().get(_IS_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN DEFERRED")


def _create_or_check(connection: Connection, path: Path) -> None:
    if not inspect(connection).has_table(schema_version.name):
        fail_point("registry.empty")
        connection.rollback()
        dbapi_connection: Any = connection.connection.driver_connection
        dbapi_connection.execute("PRAGMA journal_mode=WAL")
        _create(connection)
        connection.execute(insert(schema_version).values(version=SCHEMA_VERSION))
        fail_point("registry.made")
        connection.commit()
        return
    found = connection.execute(select(schema_version.c.version)).scalar_one()
    if found > SCHEMA_VERSION:
        raise RegistryError(
            f"registry {path} was written by a newer mlops_ray",
            f"schema {found}",
            f"schema {SCHEMA_VERSION} or older",
            "upgrade mlops_ray",
        )
    if not inspect(connection).has_table(feature_sets.name):
        connection.rollback()
        _create(connection)
        connection.commit()


def _create(connection: Connection) -> None:
    """Make the tables and triggers that are not there."""
    metadata.create_all(connection)
    for trigger in APPEND_ONLY_TRIGGERS:
        connection.execute(text(trigger))
