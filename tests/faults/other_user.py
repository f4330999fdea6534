"""Another user of this machine, who is made for a test and removed after it; only root can."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# An interpreter below a folder of root alone, such as /root, is shown to the user without the rest
# of that folder, and to no process but the user's.
_SHOWN = """
set -e
mount --bind "$1" "$3"
mount -t tmpfs -o mode=755 none "$2"
mkdir -p "$1"
mount --bind "$3" "$1"
shift 3
exec "$@"
"""


@dataclass(frozen=True)
class OtherUser:
    """A user without a password, a home or rights.

    Attributes:
        name: Of the user and of the user's only group.
        before: What stands before a command that the user runs.
        folder: Of the user's own; deleted with the user.
    """

    name: str
    before: tuple[str, ...]
    folder: Path

    def takes(self, folder: Path) -> None:
        """Give the user a folder and all below it."""
        subprocess.run(["chown", "-R", f"{self.name}:{self.name}", folder], check=True)  # noqa: S607

    def runs(self, *command: str) -> str:
        """What a command prints that the user runs; with its complaint where it fails."""
        done = subprocess.run(
            [*self.before, *command], cwd=self.folder, capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else f"failed: {done.stderr.strip()}"


@contextmanager
def other_user() -> Iterator[OtherUser]:
    """A user for the length of a block.

    Raises:
        subprocess.CalledProcessError: None can be made or removed.
    """
    name = f"mlops-ray-{os.getpid()}"
    make = ["useradd", "--system", "--user-group", "--no-create-home"]
    with tempfile.TemporaryDirectory(prefix="user-", dir="/tmp") as folder:
        subprocess.run([*make, "--shell", "/usr/sbin/nologin", name], check=True)
        try:
            becomes = ("setpriv", "--reuid", name, "--regid", name, "--clear-groups")
            made = OtherUser(name, (*_shown(), *becomes), Path(folder))
            made.takes(made.folder)
            yield made
        finally:
            subprocess.run(["userdel", name], check=True)  # noqa: S607


def _shown() -> tuple[str, ...]:
    interpreter = Path(sys.base_prefix).resolve()
    private = [str(place) for place in interpreter.parents if not place.stat().st_mode & 0o001]
    if not private:
        return ()
    outermost, anywhere = private[-1], "/mnt"
    return ("unshare", "--mount", "sh", "-c", _SHOWN, "sh", str(interpreter), outermost, anywhere)
