"""Trying a remote operation again: with jitter, a bounded number of times, within a bounded time.

The pause before try n is drawn evenly from 0 to ``min(5 s, 0.1 s x 2^n)``, so that many clients
which failed together do not come back together.

Source: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 ("full jitter").
"""

from __future__ import annotations

import os
import random
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from mlops_ray.errors import BusyError, ConfigError, MlopsRayError, NotPermittedError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TransientError", "give_up_after_s", "missing_bucket", "persistently"]

_T = TypeVar("_T")
_VARIABLE: Final = "MLOPS_RAY_REMOTE_TIMEOUT_S"
_DEFAULT_S: Final = 60.0
_MAX_TRIES: Final = 12
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0
# Large objects get more time: a megabyte a second is what the slowest usable line carries.
_SLOWEST_BYTES_PER_S: Final = 1e6

_AWS_ERROR: Final = re.compile(r"AWS Error ([A-Z_]+)(?: \(HTTP status (\d+)\))?")
_DENIED: Final = {
    "ACCESS_DENIED",
    "EXPIRED_TOKEN",
    "INVALID_ACCESS_KEY_ID",
    "INVALID_CLIENT_TOKEN_ID",
    "INVALID_SIGNATURE",
    "MISSING_AUTHENTICATION_TOKEN",
    "OPT_IN_REQUIRED",
    "SIGNATURE_DOES_NOT_MATCH",
    "UNRECOGNIZED_CLIENT",
}
_WORTH_A_RETRY: Final = {"408", "425", "429"}


@dataclass(eq=False)
class TransientError(Exception):
    """What came back is not what should lie there, so it is asked for once more.

    Attributes:
        what: What was seen, for the message if it never gets better.
        cause: The client's error, where it was one.
    """

    what: str
    cause: OSError | None = None


def give_up_after_s(size_bytes: int = 0) -> float:
    """How long one operation may take, from the environment or 60 s; more for many bytes.

    Raises:
        ConfigError: The environment holds no positive number of seconds.
    """
    text = os.environ.get(_VARIABLE, "") or str(_DEFAULT_S)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86_400:
        raise ConfigError(f"{_VARIABLE} cannot be used", repr(text[:40]), "seconds above 0")
    return seconds + size_bytes / _SLOWEST_BYTES_PER_S


def persistently(do: Callable[[], _T], what: str, place: str, size_bytes: int = 0) -> _T:
    """What `do` returns at the first try that succeeds.

    The time is looked at between tries; a try that stands still is ended by the timeouts of the
    client below, so the whole takes the time allowed plus at most one try.

    Args:
        do: May be called again after it failed half way.
        what: The operation, for messages, such as "read object sha256:..".
        place: The store, for messages.
        size_bytes: Bytes to move.

    Raises:
        BusyError: No try succeeded.
        NotPermittedError: The credentials are refused; not tried again.
        StoreError: The bucket is not there, or the request cannot succeed; not tried again.
    """
    limit_s = give_up_after_s(size_bytes)
    started, reason = time.monotonic(), ""
    for n_tries in range(1, _MAX_TRIES + 1):
        try:
            return do()
        except (TransientError, OSError) as error:
            if isinstance(error, MlopsRayError):  # `NotPermittedError` is an `OSError` as well.
                raise
            _refuse_lasting(error, what, place)
            reason = _reason(error)
        pause_s = random.uniform(0, min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**n_tries))  # noqa: S311
        if time.monotonic() - started + pause_s > limit_s:
            break
        time.sleep(pause_s)
    raise BusyError(
        f"cannot {what} in {place}",
        f"{n_tries} failed tries in {time.monotonic() - started:.0f} s, the last: {reason}",
        hint=f"see that the server is up and can be reached, then run the same command again; "
        f"nothing that is stored was harmed; {_VARIABLE} above {limit_s:.0f} waits longer",
    )


def _refuse_lasting(error: TransientError | OSError, what: str, place: str) -> None:
    """Raise for what a second try cannot change."""
    found = _AWS_ERROR.search(_words(error))
    code, status = (found[1], found[2] or "") if found else ("", "")
    if code in _DENIED or status == "403":
        raise NotPermittedError(
            f"not permitted to {what} in {place}",
            code,
            hint="check AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and that they "
            "may s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject there",
        ) from None
    if code == "NO_SUCH_BUCKET":
        raise missing_bucket(place) from None
    if status.startswith(("3", "4")) and status not in _WORTH_A_RETRY:
        raise StoreError(
            f"cannot {what} in {place}",
            f"HTTP status {status}",
            hint="check the region and the endpoint in the store's URL",
        ) from None


def missing_bucket(place: str) -> StoreError:
    """The error for a bucket that is not there."""
    return StoreError(
        f"there is no bucket of {place}",
        hint="make the bucket, or check the name, region and endpoint in the store's URL",
    )


def _words(error: TransientError | OSError) -> str:
    return str(error.cause or "") if isinstance(error, TransientError) else str(error)


def _reason(error: TransientError | OSError) -> str:
    """The kind of failure alone; a server's own words could hold anything."""
    if isinstance(error, TransientError) and error.cause is None:
        return error.what
    text = _words(error)
    found = _AWS_ERROR.search(text)
    network = re.search(r"curlCode: \d+, ([A-Za-z' ]+)", text)
    parts = [found[1] if found else type(error).__name__]
    if found and found[2]:
        parts.append(f"HTTP status {found[2]}")
    if network:
        parts.append(network[1].strip())
    return ", ".join(parts)
