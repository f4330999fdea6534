"""Looks for secrets in what would be kept: code, the values of a pipeline file, arguments.

Beside the formats of `secret_formats`, a library's detectors of named formats and of assignments to
names like ``password`` are used. Those that judge by entropy are not: they take digests and
identifiers for secrets. Nothing is written and nothing is sent anywhere.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mlops_ray.config.secret_formats import spans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["Finding", "kinds_in_values", "secrets_in"]

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
_BYTE_ORDER_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_ALLOWED: Final = re.compile(r"pragma: ?(?:allow|white)list[ -]secret", re.IGNORECASE)
_VALUES: Final = "values.yaml"  # A name that makes the library read what is not in quotes, too.


class Finding(NamedTuple):
    """Where something looks like a secret, and of which kind; never the secret."""

    path: str
    line: int
    kind: str


def secrets_in(files: Mapping[str, bytes]) -> list[Finding]:
    """What looks like a secret in the content of files, sorted by place.

    Lines with ``# pragma: allowlist secret`` are passed over. Of binary files only the named
    formats are looked for.
    """
    if not files:
        return []
    with _library() as library:
        return sorted(
            Finding(path, line, kind)
            for path, data in files.items()
            for line, kind in _found(library, path, *_decoded(data))
        )


def kinds_in_values(values: Sequence[tuple[str, str]]) -> dict[int, str]:
    """Kind of secret that values with their names look like, by position; no line is allowed.

    Example:
        >>> kinds_in_values([("owner", "census team"), ("password", "hunter2" + "-Kq83ZmVx")])
        {1: 'Secret Keyword'}
    """
    lines = [f"{name}: {' '.join(text.split())}" if name else text for name, text in values]
    found: dict[int, str] = {}
    if next(spans("\n".join(lines)), None) is not None:  # One look at all is cheap.
        found = {index: span.kind for index, line in enumerate(lines) for span in spans(line)}
    with _library() as library:
        for number, kind in library.findings(_VALUES, lines):
            found.setdefault(number - 1, kind)
    return dict(sorted(found.items()))


def _decoded(data: bytes) -> tuple[str, bool]:
    """The text of a file, and whether it is one: UTF-16 is full of zero bytes and still text."""
    if data.startswith(_BYTE_ORDER_MARKS):
        return data.decode("utf-16", "replace"), True
    return data.decode("utf-8", "replace"), b"\0" not in data


def _found(library: _Library, path: str, text: str, is_text: bool) -> set[tuple[int, str]]:
    lines = text.split("\n")
    found = set()
    for kind, start, end in spans(text):
        first, last = text.count("\n", 0, start), text.count("\n", 0, end)
        if not any(_ALLOWED.search(line) for line in lines[first : last + 1]):
            found.add((first + 1, kind))
    return found | set(library.findings(path, lines, _is_passed_over)) if is_text else found


class _Library(NamedTuple):
    """The library's detectors, and what a line has to hold for one of them to find anything."""

    detectors: Sequence[Any]
    hints: Sequence[re.Pattern[str]]

    def findings(
        self, path: str, lines: Sequence[str], skip: Callable[[str], bool] = lambda _: False
    ) -> Iterator[tuple[int, str]]:
        """Line number, from 1, and kind."""
        text = "\n".join(lines)
        if not any(hint.search(text) for hint in self.hints):
            return
        for number, line in enumerate(lines, 1):
            if not skip(line):
                for detector in self.detectors:
                    found = detector.analyze_line(filename=path, line=line, line_number=number)
                    yield from ((number, hit.type) for hit in found if _is_secret(hit.secret_value))


@contextmanager
def _library() -> Iterator[_Library]:
    # Its import takes longer than most scans, and only what is kept needs it.
    from detect_secrets.plugins.keyword import DENYLIST  # noqa: PLC0415
    from detect_secrets.settings import get_plugins, transient_settings  # noqa: PLC0415

    # No filters: the one that asks a service whether a secret is valid is among them.
    settings = {"plugins_used": [{"name": name} for name in _PLUGINS], "filters_used": []}
    with transient_settings(settings):
        detectors = get_plugins()
        named = [hint for detector in detectors for hint in getattr(detector, "denylist", ())]
        yield _Library(detectors, [re.compile("|".join(DENYLIST), re.IGNORECASE), *named])


def _is_passed_over(line: str) -> bool:
    """Whether a line of code is allowed, or calls for a secret instead of holding it."""
    from detect_secrets.filters.heuristic import is_indirect_reference  # noqa: PLC0415

    return _ALLOWED.search(line) is not None or is_indirect_reference(line)


def _is_secret(value: str | None) -> bool:
    from detect_secrets.filters import heuristic  # noqa: PLC0415

    return value is not None and not (
        heuristic.is_not_alphanumeric_string(value)
        or heuristic.is_prefixed_with_dollar_sign(value)
        or heuristic.is_sequential_string(value)
        or heuristic.is_templated_secret(value)
    )
