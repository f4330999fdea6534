"""Looks for secrets in code before it is kept: a bundle is copied, shipped and exported.

The library's detectors of named formats and of assignments to names like ``password`` are used.
Those that judge by entropy are not: they take digests and identifiers for secrets.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Finding", "secrets_in"]

_PLUGINS: Final = (
    "ArtifactoryDetector",
    "AWSKeyDetector",
    "AzureStorageKeyDetector",
    "BasicAuthDetector",
    "CloudantDetector",
    "DiscordBotTokenDetector",
    "GitHubTokenDetector",
    "GitLabTokenDetector",
    "IbmCloudIamDetector",
    "IbmCosHmacDetector",
    "JwtTokenDetector",
    "KeywordDetector",
    "MailchimpDetector",
    "NpmDetector",
    "OpenAIDetector",
    "PrivateKeyDetector",
    "PypiTokenDetector",
    "SendGridDetector",
    "SlackDetector",
    "SoftlayerDetector",
    "SquareOAuthDetector",
    "StripeDetector",
    "TelegramBotTokenDetector",
    "TwilioKeyDetector",
)
# None that asks a service whether a secret is valid: nothing is sent anywhere.
_FILTERS: Final = (
    "allowlist.is_line_allowlisted",
    "heuristic.is_indirect_reference",
    "heuristic.is_not_alphanumeric_string",
    "heuristic.is_prefixed_with_dollar_sign",
    "heuristic.is_sequential_string",
    "heuristic.is_templated_secret",
)


class Finding(NamedTuple):
    """Where something looks like a secret, and of which kind; never the secret."""

    path: str
    line: int
    kind: str


def secrets_in(files: Mapping[str, bytes]) -> list[Finding]:
    """What looks like a secret in the content of files, sorted by place.

    Lines with ``# pragma: allowlist secret`` are passed over; binary files are not read.
    """
    if not files:
        return []
    # Its import takes longer than most scans, and only a run needs it.
    from detect_secrets.settings import transient_settings  # noqa: PLC0415

    settings = {
        "plugins_used": [{"name": name} for name in _PLUGINS],
        "filters_used": [{"path": f"detect_secrets.filters.{name}"} for name in _FILTERS],
    }
    with transient_settings(settings), tempfile.TemporaryDirectory() as scratch:
        formats = _formats()
        texts = {p: d.decode("utf-8", "replace") for p, d in files.items() if b"\0" not in d}
        found = {
            Finding(path, line, kind)
            for path, text in texts.items()
            if any(pattern.search(text) for pattern in formats)
            for line, kind in _scan(Path(scratch), path, text)
        }
    return sorted(found)


def _formats() -> list[re.Pattern[str]]:
    """What the detectors look for in a line: a text without any of it is not looked at by lines."""
    from detect_secrets.plugins.keyword import DENYLIST  # noqa: PLC0415
    from detect_secrets.settings import get_plugins  # noqa: PLC0415

    named = [pattern for plugin in get_plugins() for pattern in getattr(plugin, "denylist", ())]
    return [re.compile("|".join(DENYLIST), re.IGNORECASE), *named]


def _scan(scratch: Path, path: str, text: str) -> Iterator[tuple[int, str]]:
    from detect_secrets.core.scan import scan_file  # noqa: PLC0415

    # The library reads files; the bytes that were captured are scanned, not what lies there now.
    copy = scratch / f"code{Path(path).suffix}"
    copy.write_text(text, "utf-8", newline="")
    for secret in scan_file(str(copy)):
        yield secret.line_number, secret.type
