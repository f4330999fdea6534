"""From error classes to HTTP statuses, once, and the bounded bodies that say so.

No body quotes the request: what a client sent may be personal, huge or hostile.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any, Final

from mlops_ray.errors import BusyError, MlopsRayError, NotFoundError, RecordError, ServeError, Where

__all__ = [
    "MAX_ERROR_BYTES",
    "RETRY_AFTER_S",
    "RefusedError",
    "Reply",
    "error_reply",
    "reply_to",
    "status_of",
]

MAX_ERROR_BYTES: Final = 1024
RETRY_AFTER_S: Final = 1
_STATUS: Final[tuple[tuple[type[MlopsRayError], int], ...]] = (
    (RecordError, 400),
    (NotFoundError, 404),
    (BusyError, 503),
)
_CODES: Final = {
    400: "bad_input",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "slow_request",
    413: "too_large",
    415: "unsupported_media_type",
    429: "overloaded",
    500: "internal",
    503: "unavailable",
    504: "timeout",
}
_LIMITS: Final = (800, 400, 100, 20)  # Characters; the last fits even if all are escaped.
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer before the headers that every answer has.

    Attributes:
        status: HTTP status.
        body: JSON bytes.
        headers: Headers of this answer only, names in lower case.
    """

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


class RefusedError(ServeError):
    """A request is refused with a status of its own.

    Attributes:
        status: HTTP status, 4xx or 5xx.
        headers: Headers that the answer carries, such as ``allow``.
    """

    code = "refused"

    def __init__(
        self,
        status: int,
        what: str,
        hint: str = "",
        where: Where | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(what, "", "", hint, where)
        self.args = (status, what, hint, where, headers)
        self.status = status
        self.headers = headers


def status_of(error: Exception) -> int:
    """The HTTP status of an error; 500 for everything that is not the client's doing."""
    if isinstance(error, RefusedError):
        return error.status
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def reply_to(error: Exception, request_id: str, *, is_v2: bool) -> Reply:
    """The answer to a request that failed; an unforeseen error is logged and not explained."""
    status = status_of(error)
    headers = error.headers if isinstance(error, RefusedError) else ()
    if status == 500:
        _log.error("request %s failed", request_id, exc_info=error)
        return error_reply(500, "internal error", request_id, is_v2=is_v2)
    where = error.where if isinstance(error, MlopsRayError) else Where()
    return error_reply(status, str(error), request_id, is_v2=is_v2, where=where, headers=headers)


def error_reply(
    status: int,
    message: str,
    request_id: str,
    *,
    is_v2: bool,
    where: Where = Where(),  # noqa: B008 - immutable
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> Reply:
    """An error of at most `MAX_ERROR_BYTES`, in the form of the protocol that was spoken.

    Example:
        >>> error_reply(404, "no such path", "r-1", is_v2=True).body
        b'{"error":"no such path"}'
    """
    names = {name for name, _ in headers}
    if status == 503 and b"retry-after" not in names:
        headers = (*headers, (b"retry-after", str(RETRY_AFTER_S).encode()))
    if status in {408, 413} and b"connection" not in names:
        headers = (*headers, (b"connection", b"close"))  # The rest of the body is not read.
    bodies = (_body(status, message, where, request_id, limit, is_v2=is_v2) for limit in _LIMITS)
    return Reply(status, next(b for b in bodies if len(b) <= MAX_ERROR_BYTES), headers)


def _body(
    status: int, message: str, where: Where, request_id: str, limit: int, *, is_v2: bool
) -> bytes:
    text = _clipped(message, limit)
    error: Any = text
    if not is_v2:
        place = {"field": _clipped(where.key, limit // 4)} if where.key else None
        code = _CODES.get(status, "error")
        error = {"code": code, "message": text, "where": place, "request_id": request_id}
    return json.dumps({"error": error}, separators=(",", ":")).encode()


def _clipped(text: str, limit: int) -> str:
    plain = "".join(c if c.isprintable() else " " for c in text[:limit])
    return plain + ("..." if len(text) > limit else "")
