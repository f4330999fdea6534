"""Where a store lies: a local folder, or a prefix of an S3 bucket named by a URL.

``s3://bucket/prefix?region=eu-central-1&endpoint_override=https://host:9000&sse=aws:kms&kms_key_id=K``

A URL is written into shell histories, process lists and logs, so credentials are refused in it:
they come from the environment or the profile, as every AWS tool reads them. For the same reason no
message repeats the URL that was given, only names of its parts.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from mlops_ray.errors import ConfigError

__all__ = [
    "Encryption",
    "LocalLocation",
    "RemoteLocation",
    "S3Url",
    "parse_location",
    "split_s3_url",
]

Encryption = Literal["AES256", "aws:kms"]

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX_PART: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.=-]+")
_PLAIN: Final = {
    "region": re.compile(r"[a-z0-9-]{1,40}"),
    "kms_key_id": re.compile(r"[A-Za-z0-9:/_-]{1,2048}"),
    "sse": re.compile(r"AES256|aws:kms"),
    "endpoint_override": re.compile(
        r"https?://[A-Za-z0-9.-]+(:\d{1,5})?|https?://\[[0-9a-f:]+\](:\d{1,5})?"
    ),
}
_SECRET: Final = re.compile("key|secret|token|password|credential", re.IGNORECASE)
_CREDENTIALS_HINT: Final = (
    "remove them and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; "
    "a key that was in a URL is known to logs and should be replaced"
)
_FORM: Final = "s3://bucket/prefix[?region=..&endpoint_override=..&sse=..&kms_key_id=..]"


@dataclass(frozen=True, slots=True)
class LocalLocation:
    """A folder.

    Attributes:
        root: Its absolute path.
    """

    root: Path

    def __str__(self) -> str:
        return str(self.root)

    @property
    def url(self) -> str:
        """What `parse_location` makes this location of."""
        return str(self.root)


@dataclass(frozen=True, slots=True)
class RemoteLocation:
    """A prefix of an S3 bucket.

    Attributes:
        bucket: Name of the bucket.
        prefix: Key prefix without slashes at its ends; empty for the whole bucket.
        region: Region of the bucket; empty where the environment or the profile says it.
        endpoint_override: URL of another server that speaks S3; empty for AWS.
        sse: Encryption at rest that every write must prove; None to leave it to the bucket.
        kms_key_id: Key that must have been used, for ``aws:kms``; empty for any.
    """

    bucket: str
    prefix: str = ""
    region: str = ""
    endpoint_override: str = ""
    sse: Encryption | None = None
    kms_key_id: str = ""

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    @property
    def url(self) -> str:
        """What `parse_location` makes this location of."""
        names = ("region", "endpoint_override", "sse", "kms_key_id")
        options = {name: value for name in names if (value := getattr(self, name))}
        return f"{self}?{urlencode(options)}" if options else str(self)

    @property
    def cache_name(self) -> str:
        """Twelve hex digits that tell this place from others, for the folder of its cache."""
        place = f"{self.endpoint_override}\n{self}"
        return hashlib.sha256(place.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class S3Url:
    """The parts of an ``s3://`` URL; none of them is secret.

    Attributes:
        bucket: Name of the bucket.
        path: What follows it, without a slash at its start.
        options: What stands after the question mark.
    """

    bucket: str
    path: str
    options: dict[str, str]


def split_s3_url(text: str, what: str) -> S3Url:
    """The parts of an ``s3://`` URL.

    Args:
        text: The URL.
        what: Whose URL it is, for messages that must not repeat it.

    Raises:
        ConfigError: It holds credentials, names no bucket or has an option that is not known.

    Example:
        >>> split_s3_url("s3://sales/2018/*.parquet?region=eu-central-1", "source").path
        '2018/*.parquet'
    """
    parts = _split(text, what)
    return S3Url(_bucket(parts, what), parts.path.lstrip("/"), _options(parts, what))


def parse_location(text: str | Path) -> LocalLocation | RemoteLocation:
    """The location that a path or a URL names.

    Raises:
        ConfigError: A URL of another scheme, with credentials, or with a part that is not known.

    Example:
        >>> print(parse_location("s3://models/churn?region=eu-central-1"))
        s3://models/churn
    """
    scheme = _SCHEME.match(text) if isinstance(text, str) else None
    if scheme is None:
        return LocalLocation(Path(text).absolute())
    if scheme[1] != "s3":
        raise ConfigError(
            "a store cannot lie there", f"{scheme[1]}://", f"a folder, or {_FORM}", "see --store"
        )
    found = split_s3_url(str(text), "store")
    options = found.options
    return RemoteLocation(
        bucket=found.bucket,
        prefix=_prefix(found.path),
        region=options.get("region", ""),
        endpoint_override=options.get("endpoint_override", ""),
        sse=cast("Encryption | None", options.get("sse")),
        kms_key_id=options.get("kms_key_id", ""),
    )


def _split(text: str, what: str) -> SplitResult:
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ConfigError(f"the {what}'s URL cannot be read", wanted=_FORM) from None
    if "@" in parts.netloc:
        raise ConfigError(f"the {what}'s URL holds credentials before @", hint=_CREDENTIALS_HINT)
    if parts.fragment:
        raise ConfigError(f"the {what}'s URL has a part after #", wanted=_FORM)
    return parts


def _bucket(parts: SplitResult, what: str) -> str:
    if not _BUCKET.fullmatch(parts.netloc):
        raise ConfigError(
            f"the {what}'s URL names no bucket",
            wanted="3 to 63 lower-case letters, digits, dots and hyphens after s3://",
        )
    return parts.netloc


def _prefix(path: str) -> str:
    prefix = path.strip("/")
    if prefix and not all(_PREFIX_PART.fullmatch(part) for part in prefix.split("/")):
        raise ConfigError(
            "the prefix of the store's URL cannot be used",
            wanted="parts of letters, digits, _ . = - between single slashes",
        )
    return prefix


def _options(parts: SplitResult, what: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for key, value in parse_qsl(parts.query, keep_blank_values=True):
        if key != "kms_key_id" and _SECRET.search(key):
            raise ConfigError(f"the {what}'s URL holds credentials after ?", hint=_CREDENTIALS_HINT)
        if key not in _PLAIN or key in options:
            raise ConfigError(
                f"the {what}'s URL has an option that is unknown or twice there", wanted=_FORM
            )
        if not _PLAIN[key].fullmatch(value):
            raise ConfigError(
                f"the {what}'s URL has a value of {key} that cannot be used", wanted=_FORM
            )
        options[key] = value
    if "kms_key_id" in options and options.get("sse") != "aws:kms":
        raise ConfigError(f"the {what}'s URL names kms_key_id without sse=aws:kms", wanted=_FORM)
    return options
