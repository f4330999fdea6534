"""Names of files: which patterns match them, and which of them are never captured."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

__all__ = ["is_importable", "is_private", "is_skipped_folder", "matches"]

_PRIVATE: Final = (
    ".env",
    ".env.*",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    ".netrc",
    "_netrc",
    ".pgpass",
    ".pypirc",
    ".npmrc",
    ".htpasswd",
    ".git-credentials",
    ".dockercfg",
    "kubeconfig",
    "credentials",
    "credentials.*",
    "secrets.*",
    "id_*",
)
_PRODUCTS: Final = frozenset({"build", "dist", "test", "tests"})
_FOREIGN: Final = frozenset({"__pycache__", "node_modules", "site-packages"})
_TESTS: Final = ("test_*.py", "*_test.py", "conftest.py")


def is_private(path: str) -> bool:
    """Whether a file is of a kind that holds keys or passwords.

    Example:
        >>> is_private("deploy/.env.local"), is_private("id_ed25519"), is_private("id_map.py")
        (True, True, False)
    """
    name = path.rpartition("/")[2].lower()
    if name.endswith(".py") and not name.startswith("."):
        return False  # Its content is scanned.
    return any(fnmatchcase(name, pattern) for pattern in _PRIVATE)


def is_skipped_folder(name: str) -> bool:
    """Whether nothing below a folder of this name is ever the project's code."""
    return name.startswith(".") or name in _FOREIGN or name.endswith((".egg-info", ".dist-info"))


def is_importable(path: str) -> bool:
    """Whether a file is captured without being named: Python, and neither product nor test.

    Example:
        >>> is_importable("features/age.py"), is_importable("tests/test_age.py")
        (True, False)
    """
    *folders, name = path.split("/")
    if not name.endswith(".py") or name.startswith(".") or _PRODUCTS.intersection(folders):
        return False
    return not any(fnmatchcase(name, pattern) for pattern in _TESTS)


def matches(pattern: str, path: str) -> bool:
    """Whether a glob pattern matches a whole path; a leading dot must be written out.

    Example:
        >>> matches("**/*.json", "a.json"), matches("*.json", "a/b.json"), matches("*", ".env")
        (True, False, False)
    """
    return _compiled(pattern).fullmatch(path) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = pattern.split("/")
    last = len(parts) - 1
    text = "".join(
        _folders(is_last=index == last) if part == "**" else _name(part) + "/" * (index < last)
        for index, part in enumerate(parts)
    )
    return re.compile(text, re.DOTALL)


def _folders(*, is_last: bool) -> str:
    return r"(?:(?!\.)[^/]+/)*" + (r"(?!\.)[^/]+" if is_last else "")


def _name(part: str) -> str:
    """One name: Python's own reading of ``*``, ``?`` and ``[]``, kept within the name."""
    tokens = re.split(r"(\*+|\?|\[[^\]]+\])", part)
    readings = {"?": "[^/]"}
    text = "".join(
        "[^/]*"
        if token.startswith("*")
        else readings.get(token) or (token if _is_set(token) else re.escape(token))
        for token in tokens
    )
    return text if part.startswith(".") else rf"(?!\.){text}"


def _is_set(token: str) -> bool:
    return len(token) > 2 and token[0] == "[" and token[-1] == "]"
