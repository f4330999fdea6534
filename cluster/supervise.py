"""Starts a head of Ray, and again whenever it has ended. `cluster/head` calls it; see README.md.

    python cluster/supervise.py DIR COMMAND...

COMMAND is `ray start --head --block`, which ends once a process of the head has failed. What is
left then, in this session of the kernel, is ended first, for ports are the same the next time. The
file `up` lies in DIR while the head takes jobs. Only the standard library is needed.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Final

_TRIES: Final = int(os.environ.get("HEAD_TRIES", "6"))  # Ends in a row that came quickly.
_QUICK_S: Final = 10.0
_FIRST_WAIT_S: Final = 1.0
_LONGEST_WAIT_S: Final = 30.0
_START_S: Final = 120.0
_LOOK_EVERY_S: Final = 0.5
_LAST_WORDS_S: Final = 2.0
_ANSWER_S: Final = 5.0
# `ray start` says nothing of one that ends with 0 or by SIGTERM, without which there is no head.
_VITAL: Final = frozenset({"gcs_server", "raylet"})
_REDIS: Final = re.compile(r"(?:rediss?://)?\[?(?P<host>[^,\]]+)\]?:(?P<port>\d+)(?:,.*)?")


def main() -> None:
    """Keep the head alive, until it ends quickly too often or if it does not start at first."""
    folder, command = Path(sys.argv[1]), sys.argv[2:]
    n_quick, was_up = 0, False
    while True:
        _wait_for_redis(os.environ.get("RAY_REDIS_ADDRESS"))
        reason, up_s = _one_life(folder, command)
        _end_others()
        was_up = was_up or up_s > 0
        n_quick = n_quick + 1 if up_s < _QUICK_S else 0
        if not was_up or n_quick >= _TRIES:
            _say(f"{reason}: given up, {n_quick} quick ends in a row")
            sys.exit(1)
        wait_s = min(_FIRST_WAIT_S * 2 ** max(n_quick - 1, 0), _LONGEST_WAIT_S)
        _say(f"{reason}: started again in {wait_s:g} s")
        time.sleep(wait_s)


def _one_life(folder: Path, command: list[str]) -> tuple[str, float]:
    """Start the head and wait for its end; why it ended, and how long it took jobs."""
    started = time.monotonic()
    up_since, seen = None, frozenset[str]()
    head = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - from `cluster/head`
    try:
        while not (reason := _reason_to_end(head, seen)):
            seen |= _VITAL & set(_others().values())
            now = time.monotonic()
            if up_since is None and seen == _VITAL and _takes_jobs(folder):
                up_since = now
                (folder / "up").touch()
                _say(f"the head takes jobs after {now - started:.1f} s")
            elif up_since is None and now > started + _START_S:
                return f"the head took no jobs within {_START_S:g} s", 0.0
        return reason, time.monotonic() - (up_since or time.monotonic())
    finally:
        (folder / "up").unlink(missing_ok=True)
        head.kill()
        head.wait()


def _reason_to_end(head: subprocess.Popen[bytes], seen: frozenset[str]) -> str:
    """Look a moment later why this head is no use any more; empty where it is."""
    gone = "" if _has_ended(head, _LOOK_EVERY_S) else " and ".join(seen - set(_others().values()))
    # What fails is told by `ray start`, with its last words.
    if gone and not _has_ended(head, _LAST_WORDS_S):
        return f"{gone} ended"
    return "" if head.returncode is None else f"the head ended with {head.returncode}"


def _has_ended(head: subprocess.Popen[bytes], within_s: float) -> bool:
    with suppress(subprocess.TimeoutExpired):
        head.wait(within_s)
    return head.returncode is not None


def _takes_jobs(folder: Path) -> bool:
    """Whether the jobs API answers with our token."""
    variables = (folder / "env").read_text(encoding="utf-8")
    url = re.findall(r"^export RAY_ADDRESS=(http:.*)$", variables, re.MULTILINE)[0]
    token = (folder / "auth_token").read_text(encoding="ascii")
    headers = {"Authorization": f"Bearer {token}"}
    try:
        request = urllib.request.Request(f"{url}/api/jobs/", headers=headers)  # noqa: S310 - http
        urllib.request.urlopen(request, timeout=_ANSWER_S).close()  # noqa: S310 - http
    except OSError:
        return False
    return True


def _end_others() -> None:
    """End what the head has left in this session, and nothing else."""
    while others := _others():
        for pid in others:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _others() -> dict[int, str]:
    """The other processes of this session that run, and their names."""
    own, found = os.getpid(), {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # Ended meanwhile.
            before, _, after = path.read_text(errors="replace").rpartition(")")
            pid, _, name = before.partition(" (")
            state, _, _, session, *_ = after.split()
            if int(session) == own != int(pid) and state not in "ZX":
                found[int(pid)] = name
    return found


def _wait_for_redis(address: str | None) -> None:
    """Wait until Redis answers, if the head keeps its state there; Ray cannot start without."""
    said = ""
    while address and (trouble := _trouble_of_redis(address)):
        if trouble != said:
            _say(f"waits for Redis: {trouble}")
        said = trouble
        time.sleep(_LOOK_EVERY_S)
    if said:
        _say("Redis answers")


def _trouble_of_redis(address: str) -> str:
    """Why Redis cannot be used yet; empty where it answers, if only that it wants a password."""
    form = _REDIS.fullmatch(address)
    if form is None:
        return "RAY_REDIS_ADDRESS has not the form HOST:PORT"
    try:
        where = form["host"], int(form["port"])
        with socket.create_connection(where, _ANSWER_S) as connection:
            if address.startswith("rediss:"):  # TLS: Ray has the certificates.
                return ""
            connection.sendall(b"PING\r\n")
            answer = connection.recv(64)
    except OSError as error:
        return str(error.strerror or error)
    is_ready = answer.startswith((b"+PONG", b"-NOAUTH"))
    return "" if is_ready else f"it says {answer.decode('ascii', 'replace').strip()!r}"


def _say(text: str) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    print(f"{now} supervisor: {text}", flush=True)  # noqa: T201 - the log


if __name__ == "__main__":
    main()
