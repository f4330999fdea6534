"""The paths of an endpoint and the methods they take."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from mlops_ray.serve.http_errors import RefusedError

if TYPE_CHECKING:
    from mlops_ray.serve.identity import Identity

__all__ = ["Route", "find_route"]

RouteKind = Literal["predict", "infer", "server", "live", "ready", "model", "model_ready"]
_MODEL: Final = r"/v2/models/(?P<model>[^/]+)(/versions/(?P<version>[^/]+))?"
_PATHS: Final[tuple[tuple[RouteKind, re.Pattern[str]], ...]] = (
    ("predict", re.compile(r"/predict/(?P<model>[^/]+)")),
    ("server", re.compile(r"/v2")),
    ("live", re.compile(r"/v2/health/live")),
    ("ready", re.compile(r"/v2/health/ready")),
    ("model", re.compile(_MODEL)),
    ("model_ready", re.compile(_MODEL + "/ready")),
    ("infer", re.compile(_MODEL + "/infer")),
)
_POSTED: Final = frozenset({"predict", "infer"})


@dataclass(frozen=True, slots=True)
class Route:
    """What a request asks for.

    Attributes:
        kind: Which of the paths it is.
    """

    kind: RouteKind

    @property
    def takes_body(self) -> bool:
        """Whether the request carries a JSON body."""
        return self.kind in _POSTED


def find_route(method: str, path: str, identity: Identity) -> Route:
    """The route of a request to the endpoint that serves `identity`.

    Raises:
        RefusedError: Status 404 for a path, model or version that is not here, 405 for a method.
    """
    for kind, pattern in _PATHS:
        match = pattern.fullmatch(path)
        if match:
            _check_target(match.groupdict(), identity)
            _check_method(method, kind)
            return Route(kind)
    raise RefusedError(404, "no such path", f"try POST /predict/{identity.model} or GET /v2")


def _check_target(named: dict[str, str | None], identity: Identity) -> None:
    if named.get("model", identity.model) != identity.model:
        raise RefusedError(404, "no such model here", f"this endpoint serves {identity.model!r}")
    if (named.get("version") or str(identity.version)) != str(identity.version):
        raise RefusedError(404, "no such version here", f"it serves version {identity.version}")


def _check_method(method: str, kind: RouteKind) -> None:
    allowed = ("POST",) if kind in _POSTED else ("GET", "HEAD")
    if method not in allowed:
        allow = ", ".join(allowed)
        raise RefusedError(
            405, "method not allowed", f"use {allow}", headers=((b"allow", allow.encode()),)
        )
