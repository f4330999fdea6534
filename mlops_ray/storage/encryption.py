"""Proof that a server encrypts what it stores, for stores whose URL says ``sse=``.

pyarrow's filesystem can neither ask for server-side encryption nor show it (looked for in 26.0.1:
the metadata of a stream set Content-Type, Cache-Control and such only). So encryption is set as the
default of the bucket, and this module asks the server for the header that says what it did, by one
signed HEAD request. A store that cannot prove it gets nothing but a probe of one line.

Source: AWS, "Signature Version 4 signing process" (canonical request, string to sign, signing key).
"""

from __future__ import annotations

import configparser
import hashlib
import hmac
import http.client
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote, urlsplit

from mlops_ray.errors import StoreError
from mlops_ray.storage.retry import TransientError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_ray.storage.location import RemoteLocation

__all__ = ["check_encryption"]

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_EMPTY_SHA256: Final = hashlib.sha256(b"").hexdigest()
_HEADER: Final = "x-amz-server-side-encryption"
_TIMEOUT_S: Final = 10.0


class _Credentials(NamedTuple):
    key_id: str
    secret: str
    token: str

    def __repr__(self) -> str:
        return "_Credentials(hidden)"


def check_encryption(location: RemoteLocation, key: str) -> None:
    """Ask the server how an object is encrypted.

    Args:
        location: Where, and which encryption is wanted.
        key: Full key in the bucket.

    Raises:
        StoreError: It is not encrypted as wanted, or there are no credentials to ask with.
        TransientError: The server did not answer; ask again.
    """
    facts = _signed_head(location, key)
    got = facts.get(_HEADER, "no encryption")
    got_key = facts.get(f"{_HEADER}-aws-kms-key-id", "")
    wrong_key = location.kms_key_id and not got_key.endswith(location.kms_key_id)
    if got != location.sse or wrong_key:
        raise StoreError(
            f"the bucket {location.bucket} does not encrypt as the store's URL wants",
            f"{got} {got_key}".strip(),
            f"{location.sse} {location.kms_key_id}".strip(),
            "set the bucket's default encryption (aws s3api put-bucket-encryption); "
            "nothing was written to it but a probe",
        )


def _signed_head(location: RemoteLocation, key: str) -> Mapping[str, str]:
    host, path, is_tls = _address(location, key)
    headers = _signed_headers(host, path, _region(location), _credentials(), datetime.now(UTC))
    kind = http.client.HTTPSConnection if is_tls else http.client.HTTPConnection
    connection = kind(host, timeout=_TIMEOUT_S)
    try:
        connection.request("HEAD", path, headers=headers)
        answer = connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise TransientError(type(error).__name__) from error
    finally:
        connection.close()
    if answer.status == 200:
        return {name.lower(): value for name, value in answer.getheaders()}
    if answer.status in {401, 403}:
        raise StoreError(
            f"the encryption of {location} cannot be proven",
            f"HTTP status {answer.status}",
            hint="check the credentials, and that they may s3:GetObject there",
        )
    raise TransientError(f"HTTP status {answer.status} when asked for the encryption")


def _address(location: RemoteLocation, key: str) -> tuple[str, str, bool]:
    """Host, path and whether it is TLS; path style but for AWS, as pyarrow's client does."""
    path = "/" + quote(key, safe="/-_.~")
    if location.endpoint_override:
        url = urlsplit(location.endpoint_override)
        return url.netloc, f"/{location.bucket}{path}", url.scheme == "https"
    host = f"s3.{_region(location)}.amazonaws.com"
    if "." in location.bucket:  # No certificate fits such a name before the host.
        return host, f"/{location.bucket}{path}", True
    return f"{location.bucket}.{host}", path, True


def _signed_headers(
    host: str, path: str, region: str, credentials: _Credentials, now: datetime
) -> dict[str, str]:
    moment, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    signed = {"host": host, "x-amz-content-sha256": _EMPTY_SHA256, "x-amz-date": moment}
    if credentials.token:
        signed["x-amz-security-token"] = credentials.token
    names = ";".join(signed)  # Already in the order that signing wants.
    lines = [f"{name}:{value}" for name, value in signed.items()]
    request = "\n".join(["HEAD", path, "", *lines, "", names, _EMPTY_SHA256])
    scope = f"{day}/{region}/s3/aws4_request"
    digest = hashlib.sha256(request.encode()).hexdigest()
    key = f"AWS4{credentials.secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    to_sign = f"{_ALGORITHM}\n{moment}\n{scope}\n{digest}"
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    signed["authorization"] = (
        f"{_ALGORITHM} Credential={credentials.key_id}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return signed


def _region(location: RemoteLocation) -> str:
    return (
        location.region
        or os.environ.get("AWS_REGION")
        or os.environ.get("AWS_DEFAULT_REGION")
        or "us-east-1"
    )


def _credentials() -> _Credentials:
    """Keys of the environment, else of the profile's file."""
    get = os.environ.get
    key_id, secret = get("AWS_ACCESS_KEY_ID", ""), get("AWS_SECRET_ACCESS_KEY", "")
    if key_id and secret:
        return _Credentials(key_id, secret, get("AWS_SESSION_TOKEN", ""))
    path = Path(get("AWS_SHARED_CREDENTIALS_FILE") or Path.home() / ".aws" / "credentials")
    profiles = configparser.RawConfigParser()
    try:
        profiles.read(path, encoding="utf-8")
    except configparser.Error:
        profiles.clear()  # Its message would show a line of the file.
    profile = get("AWS_PROFILE", "default")
    if profiles.has_option(profile, "aws_access_key_id"):
        found = dict(profiles.items(profile))
        return _Credentials(
            found["aws_access_key_id"],
            found.get("aws_secret_access_key", ""),
            found.get("aws_session_token", ""),
        )
    raise StoreError(
        "the encryption of the store cannot be proven without keys",
        "neither AWS_ACCESS_KEY_ID nor a profile with keys",
        hint="set them, or leave out sse= and rely on the bucket's default encryption",
    )
