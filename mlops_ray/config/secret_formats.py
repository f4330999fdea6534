"""How secrets look: named formats, and the values of variables whose names say what they hold.

The formats are those by which a token is known wherever it stands in a text, whatever the name of
the variable; `secret_scan` adds the detectors of a library, and kinds have its names where it has
one. What keeps false findings rare: a placeholder such as ``{token}`` or ``$TOKEN`` is none, a
token has letters and digits, and it does not begin in the middle of a word.

Source: the services' own pages on the form of their tokens; gitleaks, "config/gitleaks.toml", 2024.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Span", "environment_secrets", "redacted", "shown", "spans"]


class Span(NamedTuple):
    """Where in a text something looks like a secret, and of which kind; never the secret."""

    kind: str
    start: int
    end: int


class _Format(NamedTuple):
    """A kind of secret.

    Attributes:
        kind: Its name.
        marks: Lower-case texts of which a secret holds one: most files hold none, and are done.
        pattern: By which it is known.
    """

    kind: str
    marks: tuple[str, ...]
    pattern: re.Pattern[str]


_START: Final = r"(?<![\w-])"
_RANDOM: Final = r"(?=[A-Za-z_.~+/-]*\d)(?=[\d_.~+/-]*[A-Za-z])"  # Letters and digits ahead.
_LITERAL: Final = r"(?![{$<%*])"  # No placeholder ahead.
_NAMES: Final = (
    "token", "secret", "password", "passwd", "passphrase", "pwd", "credential",
    "apikey", "api_key", "accesskey", "access_key", "authkey", "auth_key", "private_key",
)  # fmt: skip
_NAME: Final = "|".join(_NAMES)
_ROWS: Final = (
    ("OpenAI Token", "sk-", rf"{_START}sk-(?:proj|svcacct|admin|live|test|or-v1)-[\w-]{{16,}}"),
    ("OpenAI Token", "sk-", rf"{_START}sk-(?:[a-z0-9]+-)?{_RANDOM}\w{{16,}}"),
    ("Anthropic Token", "sk-ant-", rf"{_START}sk-ant-[\w-]{{16,}}"),
    ("AWS Access Key", "akia asia abia acca", r"\b(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}\b"),
    ("Google API Key", "aiza", rf"{_START}AIza[\w-]{{35}}(?![\w-])"),
    ("Google API Key", "gocspx- ya29.", rf"{_START}(?:GOCSPX-|ya29\.)[\w-]{{20,}}"),
    (
        "Azure Storage Account access key",
        "accountkey= sharedaccesskey=",
        r"(?:AccountKey|SharedAccessKey)=[\w+/]{40,}={0,2}",
    ),
    ("Azure Client Secret", "q~", r"(?<![\w~.-])[\w~.-]{3}\dQ~[\w~.-]{31,34}(?![\w~.-])"),
    ("GitHub Token", "ghp_ gho_ ghu_ ghs_ ghr_", r"\bgh[pousr]_[A-Za-z0-9]{30,}"),
    ("GitHub Token", "github_pat_", r"\bgithub_pat_\w{22,}"),
    ("GitLab Token", "gl", rf"{_START}gl(?:pat|dt|ft|soat|rt|ptt|cbt|agent|oas)-[\w-]{{20,}}"),
    ("Hugging Face Token", "hf_", r"\bhf_[A-Za-z0-9]{30,}"),
    ("Slack Token", "xox xapp-", rf"{_START}(?:xox[abeoprs]|xapp)-{_RANDOM}[A-Za-z0-9-]{{10,}}"),
    ("Slack Token", "hooks.slack.com", r"hooks\.slack\.com/services/T\w+/B\w+/\w+"),
    ("Stripe Access Key", "k_live_ k_test_", r"\b[rs]k_(?:live|test)_[0-9a-zA-Z]{16,}"),
    ("Stripe Access Key", "whsec_", r"\bwhsec_[0-9a-zA-Z]{24,}"),
    ("NPM tokens", "npm_", r"\bnpm_[A-Za-z0-9]{36}"),
    ("Databricks Token", "dapi", r"\bdapi[0-9a-f]{32}"),
    ("Vault Token", "hvs. hvb.", rf"{_START}hv[sb]\.[\w-]{{24,}}"),
    ("Groq Token", "gsk_", r"\bgsk_[A-Za-z0-9]{40,}"),
    ("JSON Web Token", ".eyj", rf"{_START}eyJ[\w-]{{8,}}\.eyJ[\w-]{{8,}}\.[\w-]{{8,}}"),
    ("Authorization Header", "bearer", rf"(?i)\bbearer\s+{_RANDOM}[\w.~+/-]{{12,}}=*"),
    (
        "Authorization Header",
        "authorization",
        rf"(?i)\bauthorization[\"']?\s*[:=,]\s*[\"']?(?:basic|token|bearer)\s+{_LITERAL}"
        r"[\w.~+/-]{8,}=*",
    ),
    (
        "Private Key",
        "private",
        r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----(?:[^-]*-----END[^-]*-----)?",
    ),
    (
        "Basic Auth Credentials",
        "@",
        rf"(?<=:)/+[^\s/:@\"'`<>{{}}$]*:{_LITERAL}[^\s/\"'`<>{{}}]+@(?=[\w\[{{$])",
    ),
    ("Basic Auth Credentials", "@", rf"(?<=:)//{_RANDOM}[\w-]{{20,}}@(?=\w)"),
    (
        "Token in a URL",
        "? &",
        r"(?i)[?&](?:access_token|auth_token|token|api_?key|sig|signature|client_secret|secret"
        rf"|password|passwd|pwd|x-amz-signature|x-amz-security-token)={_LITERAL}{_RANDOM}"
        r"[\w.~+/%-]{8,}",
    ),
    (
        "Database Password",
        "password= pwd=",
        r"(?i)\b(?:host|server|user|uid|user id|dbname|database|data source)=[^\"'\n]*?"
        rf"\b(?:password|pwd)={_LITERAL}[^\s;\"'{{}}]{{6,}}",
    ),
    (
        "Secret Keyword",  # Beside the library's: a token, in brackets, a call's second argument.
        " ".join(_NAMES),
        rf"(?i)(?:{_NAME})\w{{0,20}}(?:[\"']\]?\s*[:=,]|\s*:?=)=?\s*[\[(]*\s*[rb]?"
        rf"[\"']{_LITERAL}(?=\w){_RANDOM}[\w.~+/-]{{16,}}=*[\"']",
    ),
)
_FORMATS: Final = tuple(
    _Format(kind, tuple(marks.split()), re.compile(pattern)) for kind, marks, pattern in _ROWS
)

_NAMES_A_SECRET: Final = re.compile(rf"{_NAME}|(?:^|_)(?:pw|pass|key)$", re.IGNORECASE)
# Such variables tell where a secret lies, what it is called, or that there is one.
_NAMES_NO_VALUE: Final = re.compile(
    r"_(?:PATH|FILE|DIR|HOME|URL|URI|ID|NAME|MODE|TYPE|USER|ENV|SOCK|PROVIDERS?)$", re.IGNORECASE
)
_LEAST_CHARACTERS: Final = 8
_WORD: Final = re.compile(r"(?:[A-Za-z]+(?:[_ -][A-Za-z]+){0,3})?")


def spans(text: str) -> Iterator[Span]:
    """Everything in a text that has a named format or is the value of a secret variable.

    Example:
        >>> [span.kind for span in spans("Client('hf_" + "a1" * 17 + "')")]
        ['Hugging Face Token']
    """
    for name, value in environment_secrets().items():
        for found in re.finditer(re.escape(value), text):
            yield Span(f"value of {name}", *found.span())
    lowered = text.lower()
    for kind, marks, pattern in _FORMATS:
        if any(mark in lowered for mark in marks):
            for found in pattern.finditer(text):
                yield Span(kind, *found.span())


def environment_secrets() -> dict[str, str]:
    """Values of this process's variables whose names say that they hold a secret, by name.

    Short values and plain words are left out: they would be found everywhere.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if _NAMES_A_SECRET.search(name) and not _NAMES_NO_VALUE.search(name) and _is_random(value)
    }


def redacted(text: str) -> str:
    """A text for people or for a log, with whatever looks like a secret replaced by its kind.

    The last line of defence: messages are written so that they hold none.

    Example:
        >>> redacted("no answer from https://shop:" + "a1b2@db/x")
        'no answer from https:<Basic Auth Credentials>db/x'
    """
    kept, end = [], 0
    for span in sorted(spans(text), key=lambda found: (found.start, -found.end)):
        if span.start >= end:
            kept += [text[end : span.start], f"<{span.kind}>"]
        end = max(end, span.end)
    return "".join([*kept, text[end:]])


def shown(value: object) -> str:
    """A value in a message: numbers and plain words as they are, of anything else its kind.

    Nobody can tell a password from another text that is no word; place and wanted kind are enough.

    Example:
        >>> shown("binray"), shown(0.5), shown("hunter2"), shown(["a"])
        ("'binray'", '0.5', 'text (7 characters)', 'list')
    """
    if isinstance(value, str) and not _WORD.fullmatch(value):
        return f"text ({len(value)} characters)"
    return repr(value) if isinstance(value, str | int | float | None) else type(value).__name__


def _is_random(value: str) -> bool:
    """Whether a value has eight characters of more than one sort, and is no path."""
    sorts = (str.islower, str.isupper, str.isdigit)
    n_sorts = sum(any(is_of(char) for char in value) for is_of in sorts)
    return len(value) >= _LEAST_CHARACTERS and n_sorts > 1 and value[0] not in "/~."
