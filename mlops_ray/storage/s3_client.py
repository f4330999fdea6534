"""pyarrow's S3 filesystem, set up once a process, and what it says about one key.

This module is imported only when a remote store is used, so that local commands do not pay for it.
The client finds the credentials itself: environment, profile, then the machine's role.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pyarrow import fs

from mlops_ray.storage.retry import TransientError, give_up_after_s

__all__ = ["Head", "client", "find_file", "has_bucket", "list_files", "look"]

_CONNECT_TIMEOUT_S: Final = 5.0
# A server that sends nothing for so long is given up; the SDK calls it a transfer below 1 byte/s.
_SILENCE_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Head:
    """What a server says about a key.

    Attributes:
        size_bytes: Size.
        modified_s: When it was written, by the server's clock, in seconds since 1970.
        etag: MD5 in hex where the bytes came by one PUT and no KMS is used; else anything.
    """

    size_bytes: int
    modified_s: float
    etag: str = ""


@functools.cache
def client(region: str, endpoint_override: str) -> fs.S3FileSystem:
    """The one client of a process for an endpoint.

    A second one could not be made while the first waits for a server: they share a lock.
    """
    scheme, _, host = endpoint_override.rpartition("://")
    silence_s = min(_SILENCE_TIMEOUT_S, give_up_after_s() / 3)
    return fs.S3FileSystem(
        region=region or None,
        endpoint_override=host or None,
        scheme=scheme or "https",
        connect_timeout=min(_CONNECT_TIMEOUT_S, silence_s),
        request_timeout=silence_s,
        background_writes=False,
        allow_delayed_open=True,  # One PUT for a small object instead of three requests.
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=2),
    )


def look(filesystem: fs.S3FileSystem, path: str) -> Head | None:
    """One HEAD request; None where there is no such key."""
    try:
        with filesystem.open_input_stream(path) as stream:
            facts = stream.metadata()
    except FileNotFoundError:
        return None
    try:
        size_bytes = int(facts["Content-Length"])
        modified = datetime.fromisoformat(facts["Last-Modified"].decode())
    except (KeyError, ValueError) as error:
        raise TransientError("an answer without size or time") from error
    return Head(size_bytes, modified.timestamp(), facts.get("ETag", b"").decode().strip('"'))


def list_files(filesystem: fs.S3FileSystem, path: str) -> list[tuple[str, Head]]:
    """Paths of all files below a folder, sorted, with size and time."""
    found = filesystem.get_file_info(fs.FileSelector(path, recursive=True, allow_not_found=True))
    files = [info for info in found if info.type == fs.FileType.File]
    return sorted((info.path, Head(info.size, info.mtime_ns / 1e9)) for info in files)


def find_file(filesystem: fs.S3FileSystem, path: str) -> Head | None:
    """Size and time of a path that is a file; None where there is none or it is a folder."""
    info = filesystem.get_file_info(path)
    return Head(info.size, info.mtime_ns / 1e9) if info.type == fs.FileType.File else None


def has_bucket(filesystem: fs.S3FileSystem, bucket: str) -> bool:
    """Whether the bucket is there."""
    return bool(filesystem.get_file_info(bucket).type != fs.FileType.NotFound)
