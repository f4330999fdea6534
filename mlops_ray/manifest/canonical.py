"""Canonical JSON: one byte string for one value, and the digest that is its identity.

RFC 8785 fixes key order and number form. It cannot hold NaN, infinities or integers beyond 2^53-1:
the first two become ``{"$float": "nan"}``, the last decimal strings. Every document names its kind
in a ``schema`` member, so documents of two kinds can never share a digest, and the digest of a
document is also its name in the object store.

Source: A. Rundgren et al., "JSON Canonicalization Scheme (JCS)", RFC 8785, 2020.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

import rfc8785

from mlops_ray.errors import ManifestError
from mlops_ray.storage import digest

__all__ = ["canonical_bytes", "digest_json", "from_canonical"]

_MAX_INTEGER: Final = 2**53 - 1
_FLOAT_TAG: Final = "$float"
_TAGGED: Final = ("nan", "inf", "-inf")


def canonical_bytes(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """The RFC 8785 form of a JSON value, UTF-8.

    Raises:
        ManifestError: The value holds something that is not JSON.

    Example:
        >>> canonical_bytes({"b": 1.0, "a": float("nan"), "c": 2**60})
        b'{"a":{"$float":"nan"},"b":1,"c":"1152921504606846976"}'
    """
    what = "value has no canonical JSON form"
    try:
        return rfc8785.dumps(_tagged(value))
    except UnicodeError:  # Of a key; its words would hold the text.
        raise ManifestError(what, "half of a surrogate pair", "text that has UTF-8") from None
    except RecursionError:
        raise ManifestError(what, "it holds itself, or is nested too deeply") from None
    except ValueError as error:  # Also of an integer of more digits than Python writes.
        raise ManifestError(what, str(error)) from error


def digest_json(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Digest of a value's canonical bytes; equal values have equal digests, 1 and 1.0 too."""
    return digest(canonical_bytes(value))


def from_canonical(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """The value of canonical bytes, with tagged floats restored.

    Raises:
        ManifestError: The bytes are not JSON.
    """
    try:
        return json.loads(data, object_hook=_untagged, parse_int=_number, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise ManifestError("stored document is not JSON", str(error)) from error


def _tagged(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        if _is_tag(value):
            raise ValueError(f"a member {_FLOAT_TAG!r} alone, which means a float")
        return {key: _tagged(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_tagged(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT_TAG: repr(float(value))}  # Numpy's own say more than the number.
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _MAX_INTEGER:
        return str(int(value))
    return value


def _number(digits: str) -> int | float:
    # A large integer was written as a string, so a large number here was a float.
    value = int(digits)
    return value if abs(value) <= _MAX_INTEGER else float(digits)


def _untagged(value: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    return float(value[_FLOAT_TAG]) if _is_tag(value) else value


def _is_tag(value: dict[Any, Any]) -> bool:
    """A member of this name may also be a column's or a category's: only a tag's text counts."""
    return value.keys() == {_FLOAT_TAG} and value[_FLOAT_TAG] in _TAGGED


def _no_number(word: str) -> Any:  # noqa: ANN401 - never returns
    raise ValueError(f"{word} is no JSON")
