"""A private temporary folder for one Ray session, which disappears with its process.

Ray keeps sockets, logs and spilled objects in it, and we the authentication token: the folder is
readable by its owner only. A process that was killed cannot clean up, so each start sweeps the
folders whose lock nobody holds any more (a lock is the kernel's; it dies with its process, even
where the same /tmp is mounted in several containers and process ids mean nothing).
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["session_folder"]

_PREFIX: Final = "mlops-ray-"
_LOCK: Final = "in-use"
_LONGEST_PARENT: Final = 24  # Ray's sockets below it must stay under 108 bytes.


@contextmanager
def session_folder(parent: Path | None = None) -> Iterator[Path]:
    """A new folder of mode 0700, removed at the end of the block; abandoned ones are swept first.

    Args:
        parent: Where to make it; by default the system's temporary folder, or /tmp where that
            path is too long for Unix sockets.
    """
    root = parent or _short_temporary_folder()
    _sweep(root)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root))
    try:
        with (folder / "new").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (folder / "new").rename(folder / _LOCK)  # Nobody ever sees it unlocked.
            yield folder
    finally:
        # Ray's last processes may still be writing their logs while they end.
        shutil.rmtree(folder, ignore_errors=True)


def _short_temporary_folder() -> Path:
    folder = tempfile.gettempdir()
    return Path(folder if len(folder) <= _LONGEST_PARENT else "/tmp")  # noqa: S108


def _sweep(root: Path) -> None:
    for lock_file in root.glob(f"{_PREFIX}*/{_LOCK}"):
        # Another user's folder cannot be opened, and another process may sweep it first.
        with suppress(OSError), lock_file.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock_file.parent, ignore_errors=True)
