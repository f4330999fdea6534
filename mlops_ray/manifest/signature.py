"""DSSE envelopes: a payload, its type, and signatures over both.

What is signed is not the payload alone but its pre-authentication encoding, so that a payload of
one type can never pass for one of another.

Source: "DSSE: Dead Simple Signing Envelope", protocol and envelope 1.0, secure-systems-lab, 2021.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_ray.errors import ManifestError
from mlops_ray.manifest.canonical import canonical_bytes

if TYPE_CHECKING:
    from mlops_ray.manifest.signing_key import PublicKey, SigningKey

__all__ = ["Signed", "pae", "parse_signed", "sign"]


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed.

    Example:
        >>> pae("http://example.com/HelloWorld", b"hello world")
        b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    kind = payload_type.encode()
    return b" ".join([b"DSSEv1", b"%d" % len(kind), kind, b"%d" % len(payload), payload])


@dataclass(frozen=True, slots=True)
class Signed:
    """A payload with one signature.

    Attributes:
        payload: What was signed.
        payload_type: How to read it.
        key_id: Whose signature it says it is; a hint that proves nothing.
        signature: The signature.
    """

    payload: bytes
    payload_type: str
    key_id: str
    signature: bytes

    def is_signed_by(self, key: PublicKey) -> bool:
        """Whether the owner of `key` signed payload and type."""
        return key.is_signed(self.signature, pae(self.payload_type, self.payload))

    def to_bytes(self) -> bytes:
        """The DSSE JSON envelope."""
        return canonical_bytes(
            {
                "payload": base64.b64encode(self.payload).decode(),
                "payloadType": self.payload_type,
                "signatures": [
                    {"keyid": self.key_id, "sig": base64.b64encode(self.signature).decode()}
                ],
            }
        )


def sign(payload: bytes, payload_type: str, key: SigningKey) -> Signed:
    """Sign a payload; the same payload and key give the same bytes."""
    return Signed(payload, payload_type, key.public.key_id, key.sign(pae(payload_type, payload)))


def parse_signed(data: bytes) -> Signed:
    """Read a DSSE JSON envelope with one signature.

    Raises:
        ManifestError: It is none, or it has several signatures.
    """
    try:
        content = json.loads(data)
        (entry,) = content["signatures"]
        return Signed(
            payload=_decoded(content["payload"]),
            payload_type=_text(content["payloadType"]),
            key_id=_text(entry["keyid"]),
            signature=_decoded(entry["sig"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ManifestError("not a DSSE envelope with one signature", str(error)) from error


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} instead of a text")
    return value


def _decoded(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Either alphabet of base64; a form that encoding would not give is refused."""
    text = _text(value).replace("-", "+").replace("_", "/")
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise binascii.Error("another base64 than of these bytes")
    return data
