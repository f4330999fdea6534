"""What stands before Ray Serve's proxy: it bounds requests and gives Serve's refusals our form.

Ray Serve reads a whole body into memory however large or slow it is, lets every client switch
timeouts off by a header, fails on headers that are not UTF-8, echoes any ``x-request-id``, says
"503" in plain text, and closes with a bare 500 when a replica dies under a request. Serve takes
ASGI middleware for its proxy from an import path in the environment: `environment` names this one.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, Final

from starlette.middleware import Middleware

from mlops_ray.serve.app import Limits
from mlops_ray.serve.body import ClientGoneError, read_body
from mlops_ray.serve.http_errors import Reply, error_reply, reply_to
from mlops_ray.serve.identity import REQUEST_ID_HEADER, request_id_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["IngressGuard", "environment", "middlewares"]

_MAX_BODY_VARIABLE: Final = "MLOPS_RAY_MAX_BODY_BYTES"
_SERVE_PATHS: Final = frozenset({"/-/healthz", "/-/routes"})  # Ray Serve's own.
_STRIPPED: Final = frozenset(
    {
        b"x-request-timeout-seconds",
        b"x-request-disconnect-disabled",
        b"serve_multiplexed_model_id",
        b"serve-multiplexed-model-id",
        REQUEST_ID_HEADER,  # Put back in a form that is safe to echo.
    }
)
# Serve's own answers -> what they mean to a client. 408 is Serve's word for its own timeout.
_REFUSALS: Final[dict[int, tuple[int, str]]] = {
    404: (503, "no model is deployed here at the moment"),
    408: (504, "no answer in time"),
    429: (429, "too many requests are waiting"),
    503: (503, "too many requests are waiting, or no replica is ready"),
}
_LOST: Final = (503, "the replica was lost while it answered; try again")
_log: Final = logging.getLogger(__name__)


def environment(max_body_bytes: int) -> dict[str, str]:
    """Variables that make Ray Serve's processes put the guard before their proxy."""
    return {
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": f"{__name__}:{middlewares.__name__}",
        _MAX_BODY_VARIABLE: str(max_body_bytes),
    }


def middlewares() -> list[Middleware]:
    """What Ray Serve calls in the proxy's process."""
    default = Limits().max_body_bytes
    limits = Limits(max_body_bytes=int(os.environ.get(_MAX_BODY_VARIABLE, default)))
    return [Middleware(IngressGuard, limits=limits)]


class IngressGuard:
    """ASGI middleware around Ray Serve's proxy.

    Args:
        app: The proxy.
        limits: Size and time of a body.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on once its body is here, and its answer back in our form."""
        if scope["type"] != "http" or scope["path"] in _SERVE_PATHS:
            await self._app(scope, receive, send)
            return
        request_id = request_id_of(scope["headers"])
        relay = _Relay(send, request_id, is_v2=scope["path"].startswith("/v2"))
        headers = {name.lower(): value for name, value in scope["headers"]}
        limits = self._limits
        try:
            body = await read_body(headers, receive, limits.max_body_bytes, limits.body_timeout_s)
            guarded = {**scope, "headers": _safe(scope["headers"], request_id)}
            await self._app(guarded, _replay(body, receive), relay.send)
            await relay.finish()
        except ClientGoneError:
            return
        except Exception as error:  # noqa: BLE001 - the last frame of our own code
            await relay.fail(error)


class _Relay:
    """Passes an answer of the application on, and replaces a refusal of Ray Serve."""

    def __init__(self, send: Send, request_id: str, *, is_v2: bool) -> None:
        self._send = send
        self._request_id = request_id
        self._is_v2 = is_v2
        self._has_started = False
        self._refusal: Message | None = None

    async def send(self, message: Message) -> None:
        """Take one message from the proxy."""
        if message["type"] == "http.response.start":
            names = {name.lower() for name, _ in message["headers"]}
            if b"x-mlops-model" not in names:
                self._refusal = message
                return
            await self._start(message["status"], message["headers"])
        elif self._refusal is None:
            await self._send(message)

    async def finish(self) -> None:
        """Answer in the proxy's place where it refused, or said nothing at all."""
        if self._has_started:
            return
        status = self._refusal["status"] if self._refusal else 0
        status, text = _REFUSALS.get(status, _LOST)
        kept = [h for h in self._headers() if h[0].lower() == b"retry-after"]
        reply = error_reply(status, text, self._request_id, is_v2=self._is_v2, headers=tuple(kept))
        await self._reply(reply)

    async def fail(self, error: Exception) -> None:
        """Answer a request that was refused here, or that broke the proxy."""
        if self._has_started:
            _log.error("request %s failed", self._request_id, exc_info=error)
            return
        await self._reply(reply_to(error, self._request_id, is_v2=self._is_v2))

    def _headers(self) -> list[tuple[bytes, bytes]]:
        return list(self._refusal["headers"]) if self._refusal else []

    async def _reply(self, reply: Reply) -> None:
        length = str(len(reply.body)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await self._start(reply.status, [*headers, *reply.headers])
        await self._send({"type": "http.response.body", "body": reply.body})

    async def _start(self, status: int, headers: Any) -> None:  # noqa: ANN401 - pairs of any kind
        self._has_started = True
        kept = [(name, value) for name, value in headers if name.lower() != REQUEST_ID_HEADER]
        kept.append((REQUEST_ID_HEADER, self._request_id.encode()))
        await self._send({"type": "http.response.start", "status": status, "headers": kept})


def _safe(headers: list[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
    kept = [
        (name, value)
        for name, value in headers
        if name.lower() not in _STRIPPED and _is_utf8(name) and _is_utf8(value)
    ]
    return [*kept, (REQUEST_ID_HEADER, request_id.encode())]


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body in one message, then whatever else the client does, such as going away."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed
