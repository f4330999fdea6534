"""Who answers a request, and the ids by which the answer can be traced."""

from __future__ import annotations

import re
import secrets
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["REQUEST_ID_HEADER", "Endpoint", "Identity", "PredictionId", "request_id_of"]

REQUEST_ID_HEADER: Final = b"x-request-id"
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._:+/=@-]{1,128}")
_PREDICTION_ID: Final = re.compile(r"v([1-9][0-9]*)-g([1-9][0-9]*)-([0-9a-f]{24})")


@dataclass(frozen=True, slots=True)
class Identity:
    """The model version behind an endpoint.

    Attributes:
        model: Name of the model.
        version: Number of the version.
        run_id: Run that made it.
        bundle: Digest of its bundle.
        generation: How often the model has been deployed; `Registry.record_deployment` counts.
    """

    model: str
    version: int
    run_id: str
    bundle: str
    generation: int

    def headers(self, prediction_id: str) -> list[tuple[bytes, bytes]]:
        """The ``x-mlops-*`` headers of one answer."""
        facts = {
            "model": self.model,
            "version": str(self.version),
            "run": self.run_id,
            "bundle": self.bundle,
            "prediction": prediction_id,
        }
        return [(f"x-mlops-{name}".encode(), value.encode()) for name, value in facts.items()]

    def new_prediction_id(self) -> str:
        """An id that nobody can guess and that names version and generation by itself."""
        return f"v{self.version}-g{self.generation}-{secrets.token_hex(12)}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model version answers.

    Attributes:
        url: Scheme, host and port, without a slash at the end.
        identity: Who answers there.
    """

    url: str
    identity: Identity

    @property
    def predict_url(self) -> str:
        """Where records are posted."""
        return f"{self.url}/predict/{self.identity.model}"


@dataclass(frozen=True, slots=True)
class PredictionId:
    """What a prediction id says without any log.

    Attributes:
        version: Version that answered.
        generation: Deployment that answered.
        nonce: What tells it from the others.
    """

    version: int
    generation: int
    nonce: str

    @classmethod
    def parse(cls, text: str) -> PredictionId | None:
        """Read an id; None where it is not one.

        Example:
            >>> PredictionId.parse("v7-g3-0123456789abcdef01234567").generation
            3
        """
        match = _PREDICTION_ID.fullmatch(text)
        return cls(int(match[1]), int(match[2]), match[3]) if match else None


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The client's ``x-request-id`` if it is short and plain, otherwise a new one.

    Example:
        >>> request_id_of([(b"x-request-id", b"order-17")])
        'order-17'
    """
    for name, value in headers:
        if name.lower() == REQUEST_ID_HEADER and _REQUEST_ID.fullmatch(value):
            return value.decode("ascii")
    return str(uuid.uuid4())
