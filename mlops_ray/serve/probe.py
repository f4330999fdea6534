"""Asking an endpoint over HTTP whether it is the one that was meant."""

from __future__ import annotations

import time
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from mlops_ray.errors import ServeError
from mlops_ray.serve.identity import PredictionId

if TYPE_CHECKING:
    from mlops_ray.serve.identity import Endpoint

__all__ = ["await_answer"]

_POLL_S: Final = 0.1
_TIMEOUT_S: Final = 5.0


def await_answer(endpoint: Endpoint, timeout_s: float) -> None:
    """Wait until the endpoint answers over HTTP as the deployment it should be.

    Raises:
        ServeError: Somebody else answers there, or nobody does, until the time is over.
    """
    deadline = time.monotonic() + timeout_s
    while (got := _answer(endpoint)) != _wanted(endpoint):
        if time.monotonic() > deadline:
            raise ServeError(
                f"{endpoint.url} does not answer as {endpoint.identity.model}",
                got,
                _wanted(endpoint),
                "Ray Serve may run on this cluster with another host or port: "
                "give those, or 'serve shutdown' first",
            )
        time.sleep(_POLL_S)


def _wanted(endpoint: Endpoint) -> str:
    identity = endpoint.identity
    return f"bundle {identity.bundle}, generation {identity.generation}"


def _answer(endpoint: Endpoint) -> str:
    place = urlsplit(endpoint.url)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/v2/health/ready")
        response = connection.getresponse()
    except (OSError, HTTPException) as error:
        return f"no answer ({error})"
    finally:
        connection.close()
    prediction = PredictionId.parse(response.headers.get("x-mlops-prediction", ""))
    if response.status != 200 or prediction is None:
        return f"HTTP {response.status}"
    bundle = response.headers.get("x-mlops-bundle", "")
    return f"bundle {bundle}, generation {prediction.generation}"
