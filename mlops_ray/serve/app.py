"""The endpoint as an ASGI application, with or without Ray around it.

Decoding, predicting and encoding run in one worker thread, so that the event loop goes on answering
health checks and refusals, and so that a request's own timeout can fire while the model computes.
"""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final, TypeVar

from mlops_ray.serve.body import ClientGoneError, read_body
from mlops_ray.serve.http_errors import RefusedError, Reply, reply_to
from mlops_ray.serve.identity import REQUEST_ID_HEADER, request_id_of
from mlops_ray.serve.protocol_records import decode_records, encode_predictions
from mlops_ray.serve.protocol_v2 import decode_infer, encode_infer, model_metadata
from mlops_ray.serve.route import Route, find_route
from mlops_ray.serve.v2_tensor import BINARY_HINT

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

    from mlops_ray.models.predictor import Predictor
    from mlops_ray.serve.identity import Identity

__all__ = ["EndpointApp", "Limits"]

_T = TypeVar("_T")
_JSON: Final = (b"content-type", b"application/json")


@dataclass(frozen=True, slots=True)
class Limits:
    """When a request is cut off.

    Attributes:
        timeout_s: From the complete body to the answer; 504 after it.
        max_body_bytes: Largest body; 413 above it.
        body_timeout_s: From the headers to the complete body; 408 after it.
    """

    timeout_s: float = 5.0
    max_body_bytes: int = 4 * 2**20
    body_timeout_s: float = 10.0


class EndpointApp:
    """ASGI application that answers for one model version.

    Args:
        predictor: The model; it is asked from one thread at a time.
        identity: Who answers.
        limits: When a request is cut off.
        sends_request_id: Whether answers carry ``x-request-id``. Ray Serve's proxy adds that header
            itself, from the one it puts into the request, so behind it the application does not.
    """

    def __init__(
        self,
        predictor: Predictor,
        identity: Identity,
        limits: Limits = Limits(),
        *,
        sends_request_id: bool = True,
    ) -> None:
        self._predictor = predictor
        self._identity = identity
        self._limits = limits
        self._sends_request_id = sends_request_id
        self._worker = ThreadPoolExecutor(1, "predict")
        self._is_closing = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or take part in the server's start and stop."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1003, "reason": "HTTP only"})

    async def check_model(self) -> None:
        """Replay the golden examples behind the requests that are being answered.

        Raises:
            MlopsRayError: The model answers otherwise than it did when it was built.
        """
        await self._in_worker(self._predictor.replay_golden)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            event = (await receive())["type"]
            await send({"type": f"{event}.complete"})
            if event == "lifespan.shutdown":
                self._is_closing = True
                self._worker.shutdown(wait=False, cancel_futures=True)
                return

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = request_id_of(scope["headers"])
        prediction_id = self._identity.new_prediction_id()
        try:
            reply = await self._reply(scope, receive, prediction_id)
        except ClientGoneError:
            return
        except Exception as error:  # noqa: BLE001 - the last frame of our own code
            is_v2 = scope["path"].startswith("/v2")
            reply = reply_to(error, request_id, is_v2=is_v2)
        headers = [_JSON, (b"content-length", str(len(reply.body)).encode()), *reply.headers]
        headers += self._identity.headers(prediction_id)
        if self._sends_request_id:
            headers.append((REQUEST_ID_HEADER, request_id.encode()))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else reply.body
        await send({"type": "http.response.body", "body": body})

    async def _reply(self, scope: Scope, receive: Receive, prediction_id: str) -> Reply:
        route = find_route(scope["method"], scope["path"], self._identity)
        if not route.takes_body:
            return self._fact(route)
        headers = {name.lower(): value for name, value in scope["headers"]}
        _check_media_type(headers)
        limits = self._limits
        body = await read_body(headers, receive, limits.max_body_bytes, limits.body_timeout_s)
        self._check_open()
        protocol = self._predict if route.kind == "predict" else self._infer
        try:
            async with asyncio.timeout(limits.timeout_s):
                return Reply(200, await self._in_worker(lambda: protocol(body, prediction_id)))
        except TimeoutError:
            raise RefusedError(504, f"no answer within {limits.timeout_s:g} s") from None

    def _fact(self, route: Route) -> Reply:
        if route.kind in {"ready", "model_ready"}:
            self._check_open()
        facts: dict[str, Any] = {
            "server": {"name": "mlops-ray", "version": _package_version(), "extensions": []},
            "live": {"live": True},
            "ready": {"live": True, "ready": True},
            "model_ready": {"name": self._identity.model, "ready": True},
        }
        if route.kind == "model":
            fact = model_metadata(self._predictor.signature, self._identity)
        else:
            fact = facts[route.kind]
        return Reply(200, json.dumps(fact, separators=(",", ":")).encode())

    def _predict(self, body: bytes, prediction_id: str) -> bytes:
        outputs = self._predictor.predict_records(decode_records(body))
        return encode_predictions(outputs, self._identity, prediction_id)

    def _infer(self, body: bytes, _prediction_id: str) -> bytes:
        signature = self._predictor.signature
        request = decode_infer(body, signature)
        outputs = self._predictor.predict_columns(request.columns)
        return encode_infer(outputs, request, signature, self._identity)

    def _check_open(self) -> None:
        if self._is_closing:
            raise RefusedError(503, "the endpoint is shutting down")

    async def _in_worker(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)


def _check_media_type(headers: dict[bytes, bytes]) -> None:
    if b"inference-header-content-length" in headers:
        raise RefusedError(415, BINARY_HINT)
    encoding = headers.get(b"content-encoding", b"identity").strip().lower()
    if encoding not in {b"", b"identity"}:
        raise RefusedError(415, "compressed bodies are not supported", "send the JSON as it is")
    media_type, *_ = headers.get(b"content-type", b"application/json").partition(b";")
    if media_type.strip().lower() not in {b"", b"application/json"}:
        raise RefusedError(415, "the body must be JSON", "send content-type: application/json")


def _package_version() -> str:
    try:
        return version("mlops-ray")
    except PackageNotFoundError:  # Shipped as Ray py_modules, so without its metadata.
        return "unknown"
