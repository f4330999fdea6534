"""The demo behind `make demo`: the commands a newcomer would type, run one after the other.

Every step is a real command in a process of its own; the store is fresh each time, so that every
stage really executes.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
import urllib.parse
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from mlops_ray.cli.output import say

__all__ = ["main"]

_CONFIG: Final = "configs/breast_cancer.yaml"
_HTTP_TIMEOUT_S: Final = 30.0
_STOP_TIMEOUT_S: Final = 30.0


def main() -> int:
    """Run the pipeline, serve the model, ask it once, and say what to try next."""
    started = time.monotonic()
    folder = Path(".mlops_ray") / "demo" / datetime.now(UTC).strftime("%Y%m%dt%H%M%S.%f")
    places = ["--store", str(folder / "store"), "--registry", str(folder / "registry.db")]
    run = _run_to_json(["run", _CONFIG, *places])
    reference = f"{run['model']['name']}@{run['model']['version']}"
    answer = _ask_served_model(reference, places)
    _report(run, reference, answer, places)
    say(f"demo took {time.monotonic() - started:.0f} s")
    return 0


def _command(arguments: list[str]) -> list[str]:
    say(f"\n$ mlops-ray {' '.join(arguments)}")
    return [sys.executable, "-m", "mlops_ray", *arguments, "--json"]


def _run_to_json(arguments: list[str]) -> dict[str, Any]:
    done = subprocess.run(_command(arguments), stdout=subprocess.PIPE, check=False)  # noqa: S603
    if done.returncode:
        say(f"the command ended with exit code {done.returncode}")
        raise SystemExit(done.returncode)
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def _ask_served_model(reference: str, places: list[str]) -> str:
    """Serve in the foreground as a user would, post one record, stop it with Ctrl-C's signal."""
    command = _command(["serve", reference, "--port", "0", *places])
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:  # noqa: S603 - our own command
        try:
            return _ask(_first_line(server.stdout))
        finally:
            server.terminate()
            server.wait(timeout=_STOP_TIMEOUT_S)


def _first_line(stream: IO[bytes] | None) -> dict[str, Any]:
    line = stream.readline() if stream else b""
    if not line:
        say("the endpoint did not start")
        raise SystemExit(1)
    content: dict[str, Any] = json.loads(line)
    return content


def _ask(endpoint: dict[str, Any]) -> str:
    """One real HTTP exchange, as text: status line, headers, body."""
    address = urllib.parse.urlsplit(endpoint["url"])
    connection = http.client.HTTPConnection(
        address.hostname or "", address.port, timeout=_HTTP_TIMEOUT_S
    )
    path = f"/predict/{endpoint['model']}"
    say(f"\n$ curl -i {endpoint['url']}{path} -H 'content-type: application/json' -d '{{...}}'")
    connection.request(
        "POST", path, endpoint["example"].encode(), {"content-type": "application/json"}
    )
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    lines = [f"HTTP/1.1 {response.status} {response.reason}"]
    lines += [f"{name}: {value}" for name, value in response.getheaders()]
    if response.status != http.client.OK:
        say("\n".join([*lines, "", body]))
        raise SystemExit(1)
    return "\n".join([*lines, "", body])


def _report(run: dict[str, Any], reference: str, answer: str, places: list[str]) -> None:
    say(answer)
    executed = [stage["name"] for stage in run["stages"] if stage["cache"] == "miss"]
    metrics = ", ".join(f"{name} {value:.4f}" for name, value in sorted(run["metrics"].items()))
    say(f"\nrun        {run['run_id']} ({run['wall_s']:.1f} s, {run['trials']['finished']} trials)")
    say(f"stages     {len(executed)} executed: {' '.join(executed)}")
    say(f"test       {metrics}")
    say(f"registered {reference}, bundle {run['model']['bundle']}")
    say(f"result_id  {run['result_id']}")
    where = " ".join(places)
    say("\ntry next:")
    say(f"  {_prefix()}mlops-ray verify {run['run_id']} {' '.join(places[:2])}")
    say(f"  {_prefix()}mlops-ray models promote {reference} champion {' '.join(places[2:])}")
    say(f"  {_prefix()}mlops-ray serve {reference} {where}")


def _prefix() -> str:
    """``.venv/bin/`` where that is how this demo was started, so that the lines can be pasted."""
    return (
        f"{os.path.relpath(Path(sys.executable).parent)}/" if sys.prefix != sys.base_prefix else ""
    )


if __name__ == "__main__":
    sys.exit(main())
