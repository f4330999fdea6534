"""Reading a request body within a size and a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from mlops_ray.serve.http_errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive

__all__ = ["ClientGoneError", "read_body"]


class ClientGoneError(Exception):
    """The client closed the connection before its request was complete."""


async def read_body(
    headers: Mapping[bytes, bytes], receive: Receive, max_bytes: int, timeout_s: float
) -> bytes:
    """The whole body; received bytes are counted, whatever the client announced.

    Raises:
        RefusedError: Status 413 for a body that is too large, 408 for one that is too slow.
        ClientGoneError: The client is gone.
    """
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced[:20]) > max_bytes:
        raise _too_large(max_bytes)
    try:
        async with asyncio.timeout(timeout_s):
            return await _received(receive, max_bytes)
    except TimeoutError:
        raise RefusedError(408, f"the body did not arrive within {timeout_s:g} s") from None


async def _received(receive: Receive, max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    n_bytes = 0
    while True:
        message: Mapping[str, Any] = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunk = message.get("body", b"")
        n_bytes += len(chunk)
        if n_bytes > max_bytes:
            raise _too_large(max_bytes)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _too_large(max_bytes: int) -> RefusedError:
    return RefusedError(413, f"the body is larger than {max_bytes} bytes", "send fewer rows")
