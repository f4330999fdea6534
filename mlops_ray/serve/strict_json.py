"""JSON as the standard has it: no NaN, no infinity, no repeated keys, no bombs."""

from __future__ import annotations

import json
import math
from typing import Any, Final

from mlops_ray.serve.http_errors import RefusedError

__all__ = ["parse_json"]

_MAX_DIGITS: Final = 300  # Below the largest float, so that no later conversion overflows.


class _InvalidError(ValueError):
    """A value that Python's parser would let pass."""


def parse_json(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """The value of a request body.

    Raises:
        RefusedError: Status 400; the message says where, and never quotes the body.

    Example:
        >>> parse_json(b'{"age": 41}')
        {'age': 41}
    """
    try:
        return _decode(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _refused(f"body is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise _refused(f"invalid JSON at character {error.pos}") from None
    except RecursionError:
        raise _refused("JSON is nested too deeply") from None
    except _InvalidError as error:
        raise _refused(str(error)) from None


def _refused(what: str) -> RefusedError:
    return RefusedError(400, what)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _InvalidError("a JSON object has the same key twice")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _InvalidError("a number is too large for 64 bits")
    return value


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise _InvalidError("an integer has too many digits")
    return int(text)


def _no_constant(_name: str) -> Any:  # noqa: ANN401 - never returns
    raise _InvalidError("NaN and infinities are not JSON: use null for missing")


_decode: Final = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_float=_finite,
    parse_int=_integer,
    parse_constant=_no_constant,
).decode
