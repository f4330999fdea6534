"""What keeps garbage collection off the objects of a writer that has no pointer to them yet.

A writer holds a *lease*: a locked file in which it notes every object it puts or relies on, before
it looks whether the object is there. The *gate* is locked shared for a note and exclusively while
garbage is deleted. So a note comes either before a deletion, which then spares the object, or after
it, and then the writer sees what is gone and writes it again. No clock decides anything.

The lock dies with its process, and the lease with the lock. All of this needs a file system with
locks of its own, as local disks have; on NFS a lock ends with the first file that is closed, so
garbage must not be collected there while anybody writes.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import secrets
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from mlops_ray.errors import StoreError
from mlops_ray.storage.fail_point import fail_point

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Lease", "count_leases", "gate", "lease_of_process", "living_journals"]

_FOLDER: Final = "leases"
_GATE: Final = "gate"


class Lease:
    """A journal of objects that must stay; made by `taken` or, for a whole process, on first use.

    A lease can be sent to another process of the same file system: what is noted there counts for
    as long as the process that took it lives and has not given it back.
    """

    def __init__(self, path: Path, descriptor: int | None = None) -> None:
        self.path = path
        self._descriptor = descriptor
        self._owner = os.getpid()
        self._noted: set[str] = set()

    @classmethod
    def taken(cls, root: Path) -> Lease:
        """A new lease on the store at `root`.

        Raises:
            StoreError: The store cannot be written.
        """
        path = root / _FOLDER / secrets.token_hex(8)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Behind the gate, or a collector might find the file between its making and its lock.
            with gate(root, is_exclusive=False):
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                fail_point("lease.taken")
        except OSError as error:
            raise _refusal(root, error) from error
        return cls(path, descriptor)

    def note(self, name: str) -> None:
        """Write down that the object `name` must stay; to be called before looking for it.

        Raises:
            StoreError: The lease was given back, or its process is gone.
        """
        if name in self._noted:
            return
        try:
            with gate(self.path.parent.parent, is_exclusive=False):
                self._append(f"{name}\n".encode())
        except FileNotFoundError as error:
            raise self._has_ended() from error
        except OSError as error:
            raise _refusal(self.path.parent.parent, error) from error
        self._noted.add(name)

    def give_back(self) -> None:
        """End the lease; what no pointer reaches by now is garbage."""
        self._noted.clear()
        if self._descriptor is None or self._owner != os.getpid():
            return
        with suppress(FileNotFoundError):
            self.path.unlink()
        os.close(self._descriptor)
        self._descriptor = None

    def _append(self, line: bytes) -> None:
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND)
        try:
            if _is_dead(descriptor):
                raise self._has_ended()
            os.write(descriptor, line)
            fail_point("lease.noted")
        finally:
            os.close(descriptor)

    def _has_ended(self) -> StoreError:
        return StoreError(
            f"the lease {self.path.name} has ended",
            hint="write before it is given back, or take a new one",
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return Lease, (self.path,)


@contextmanager
def gate(root: Path, *, is_exclusive: bool) -> Iterator[None]:
    """Hold the gate of the store at `root`: shared to note, exclusively to delete."""
    descriptor = os.open(root / _GATE, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if is_exclusive else fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def living_journals(root: Path, *, remove_dead: bool) -> set[str]:
    """What all living leases hold; only right for whoever holds the gate exclusively."""
    held: set[str] = set()
    for path in _leases(root):
        journal = _journal(path)
        if journal is not None:
            held.update(journal)
        elif remove_dead:
            path.unlink(missing_ok=True)
    return held


def count_leases(root: Path) -> tuple[int, int]:
    """Numbers of living and of dead leases."""
    journals = [_journal(path) for path in _leases(root)]
    return sum(j is not None for j in journals), sum(j is None for j in journals)


_of_process: dict[tuple[int, Path], Lease] = {}
_making = threading.Lock()


def lease_of_process(root: Path) -> Lease:
    """The lease that a process holds until it ends, for whoever takes none of his own."""
    key = os.getpid(), root
    with _making:
        if key not in _of_process or not _of_process[key].path.exists():
            lease = _of_process[key] = Lease.taken(root)
            atexit.register(lease.give_back)
        return _of_process[key]


def _leases(root: Path) -> list[Path]:
    return sorted((root / _FOLDER).glob("*"))


def _journal(path: Path) -> list[str] | None:
    """The notes of a living lease; None where its process is gone."""
    try:
        with path.open("rb") as stream:
            if _is_dead(stream.fileno()):
                return None
            return stream.read().decode("ascii", "replace").splitlines()
    except FileNotFoundError:
        return []  # Given back just now, so its objects are reached by a record.


def _is_dead(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _refusal(root: Path, error: OSError) -> StoreError:
    return StoreError(
        f"cannot note what must stay in the store {root}",
        error.strerror or str(error),
        hint="free disk space or choose another store; nothing was written",
    )
