"""The token that every process of a local Ray cluster must know.

Ray 2.59 and later protect local clusters by a token. Left alone, it writes one into the user's home
folder with mode 0644; here it lies in the session's private folder with mode 0600. A token that the
user has set up already is respected.
"""

from __future__ import annotations

import os
import secrets
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["has_user_token", "token_variables", "user_token_file"]

_TOKEN_VARIABLE: Final = "RAY_AUTH_TOKEN"  # noqa: S105 - the name, not a secret
_PATH_VARIABLE: Final = "RAY_AUTH_TOKEN_PATH"
_MODE_VARIABLE: Final = "RAY_AUTH_MODE"


def token_variables(folder: Path) -> Mapping[str, str | None]:
    """Environment for a new local cluster, with a token file in `folder` unless the user has one.

    ``RAY_AUTH_MODE`` is put back at the end of the session, as `ray.init` sets it.
    """
    mode = {_MODE_VARIABLE: os.environ.get(_MODE_VARIABLE)}
    if has_user_token():
        return mode
    path = folder / "auth_token"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(_process_token())
    return {**mode, _PATH_VARIABLE: str(path)}


def has_user_token() -> bool:
    """Whether the user has set a token up, by a variable or in the home folder."""
    return bool(os.environ.get(_TOKEN_VARIABLE)) or user_token_file() is not None


def user_token_file() -> Path | None:
    """The token file that Ray would read, or None where there is none."""
    named = os.environ.get(_PATH_VARIABLE)
    path = Path(named) if named else Path.home() / ".ray" / "auth_token"
    return path if path.is_file() else None


@cache
def _process_token() -> str:
    # Ray caches the first token a process uses, so a second cluster needs the same one.
    return secrets.token_hex(32)
