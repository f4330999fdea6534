"""A PostgreSQL server of the tests' own: in a temporary folder, on a free port of loopback."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["PASSWORD", "binaries", "running"]

PASSWORD = "planted-Sesam-4711"  # noqa: S105 - of a server that lives for seconds
_USER = "analyst"
_DEADLINE_S = 60.0


def binaries() -> Path | None:
    """Folder of ``postgres`` and ``initdb``; Debian keeps them off the PATH."""
    on_path = shutil.which("postgres")
    found = [Path(on_path).resolve().parent] if on_path else []
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((f for f in found if (f / "postgres").exists() and (f / "initdb").exists()), None)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[str]:
    """The SQLAlchemy URL of a fresh server, which ends with the block."""
    owner = _owner()
    with tempfile.TemporaryDirectory(prefix="mlops-ray-pg-", ignore_cleanup_errors=True) as name:
        base = Path(name)
        (base / "password").write_text(PASSWORD)
        for path in (base, base / "password"):
            shutil.chown(path, *owner) if owner else None
        as_owner = {"user": owner[0], "group": owner[1]} if owner else {}
        environment = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "HOME": name, "TZ": "UTC"}
        data = base / "data"
        subprocess.run(
            [folder / "initdb", "-D", data, "-U", _USER, "-A", "scram-sha-256", "-N", "-E", "UTF8",
             f"--pwfile={base / 'password'}"],
            check=True, capture_output=True, env=environment, cwd=name, **as_owner,
        )  # fmt: skip
        port = _free_port()
        server = subprocess.Popen(
            [folder / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", name,
             "-c", "fsync=off"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, cwd=name,
            **as_owner,
        )  # fmt: skip
        try:
            _wait(server, base / f".s.PGSQL.{port}")
            yield f"postgresql+psycopg://{_USER}:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGINT)  # Closes connections that are open.
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _owner() -> tuple[int, int] | None:
    """Whom the server runs as, since it refuses to run as root; None for this user."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    return None


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _wait(server: subprocess.Popen[bytes], listening: Path) -> None:
    given_up_s = time.monotonic() + _DEADLINE_S
    while not listening.exists():
        if server.poll() is not None or time.monotonic() > given_up_s:
            msg = f"PostgreSQL did not start (exit {server.poll()})"
            raise RuntimeError(msg)
        time.sleep(0.05)
