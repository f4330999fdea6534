"""Puts and reads of many objects through the fault proxy: is a wrong byte ever accepted?

``python tests/faults/s3_campaign.py --objects 300 --share 0.2 --seed 7`` starts moto and the proxy,
each a process of its own on loopback, and prints one JSON line: how many operations ended well, how
many gave up, how many handed on a wrong object (which must be none), and the longest. With
``--unchecked`` records are taken as they come: a control that has to hand on wrong ones.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from pyarrow import fs

from mlops_ray.errors import BusyError
from mlops_ray.storage import digest
from mlops_ray.storage.bucket import Bucket
from mlops_ray.storage.location import RemoteLocation, parse_location
from mlops_ray.storage.remote_store import RemoteStore

PROXY = Path(__file__).parent / "fault_proxy.py"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}

_readers: dict[int, threading.Thread] = {}


@contextmanager
def s3_server() -> Iterator[int]:
    """A moto server on a port of its own; yields the port once it listens."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    environment = {**os.environ, **CREDENTIALS}
    with _child(command, environment) as process:
        for line in process.stdout:
            found = re.search(r"Running on http://127\.0\.0\.1:(\d+)", line)
            if found:
                break
        else:
            raise RuntimeError("moto ended before it listened")
        drain(process)
        yield int(found[1])


@contextmanager
def fault_proxy(
    upstream: int, share: float = 0.0, seed: int = 0, kinds: str = ""
) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """The proxy in front of a server; yields its port and its process, which prints requests."""
    command = [sys.executable, str(PROXY), "--upstream", str(upstream), "--trace"]
    command += ["--share", str(share), "--seed", str(seed)]
    command += ["--kinds", kinds] if kinds else []
    with _child(command, dict(os.environ)) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline()), process


@contextmanager
def _child(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(timeout=10)
        if process.pid in _readers:
            _readers.pop(process.pid).join()
        process.stdout.close()


def drain(process: subprocess.Popen[str]) -> None:
    """Read what a child prints until it ends, so that it never waits for a reader."""
    assert process.stdout is not None
    thread = threading.Thread(target=deque, args=(process.stdout, 0), daemon=True)
    _readers[process.pid] = thread
    thread.start()


def make_bucket(port: int, bucket: str) -> None:
    """Make a bucket, past every proxy."""
    fs.S3FileSystem(
        endpoint_override=f"127.0.0.1:{port}",
        scheme="http",
        region="us-east-1",
        allow_bucket_creation=True,
    ).create_dir(bucket)


def location(port: int, bucket: str, prefix: str = "store") -> RemoteLocation:
    """The location of a store behind a port."""
    endpoint = f"endpoint_override=http://127.0.0.1:{port}"
    found = parse_location(f"s3://{bucket}/{prefix}?region=us-east-1&{endpoint}")
    assert isinstance(found, RemoteLocation)
    return found


def campaign(place: RemoteLocation, folder: Path, n_objects: int, seed: int) -> dict[str, object]:
    """Put objects and records, read both back with an empty cache, count what came."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    counts: Counter[str] = Counter()
    longest_s = 0.0

    def tried(do: Callable[[], object], wanted: object) -> None:
        nonlocal longest_s
        started = time.monotonic()
        try:
            counts["right" if do() == wanted else "wrong"] += 1
        except BusyError:
            counts["gave_up"] += 1
        longest_s = max(longest_s, time.monotonic() - started)

    for number in range(n_objects):
        writer = RemoteStore(folder / "writer", place)
        reader = RemoteStore(folder / f"reader-{number}", place)
        # Every tenth is sent in several parts.
        data = chance.randbytes(11 << 20 if number % 10 == 9 else chance.randrange(1, 60_000))
        key, name = f"runs/{number}/sealed.json", digest(data)
        tried(partial(writer.put, data), name)
        if not writer.has(name):
            continue
        tried(partial(reader.get, name), data)
        tried(partial(writer.write_record, key, name.encode()), None)
        tried(partial(reader.read_record, key), name.encode())
    return {"seed": seed, "longest_s": round(longest_s, 1), **counts}


def unchecked(bucket: Bucket, key: str) -> bytes | None:
    """Reading a record without a look at its ETag."""
    head = bucket._look(key)
    return None if head is None else bucket._bytes_of(key, head)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--objects", type=int, default=300)
    parser.add_argument("--share", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", default="")
    parser.add_argument("--unchecked", action="store_true")
    given = parser.parse_args()
    os.environ.update(CREDENTIALS)
    if given.unchecked:
        Bucket._read_once = unchecked  # type: ignore[method-assign]
    with s3_server() as server, tempfile.TemporaryDirectory() as folder:
        make_bucket(server, "campaign")
        with fault_proxy(server, given.share, given.seed, given.kinds) as (port, process):
            drain(process)
            started = time.monotonic()
            found = campaign(location(port, "campaign"), Path(folder), given.objects, given.seed)
            found["wall_s"] = round(time.monotonic() - started, 1)
    print(json.dumps(found))  # noqa: T201 - the result


if __name__ == "__main__":
    main()
