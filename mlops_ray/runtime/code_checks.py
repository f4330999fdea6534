"""What is refused of a project's code as a whole: its names, its size, a secret in it."""

from __future__ import annotations

import os
import unicodedata
from typing import TYPE_CHECKING, Final

from mlops_ray.config.secret_scan import kinds_in_values, secrets_in
from mlops_ray.errors import ConfigError, Where

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["check_names", "check_secrets", "check_size"]

_N_NAMED: Final = 3


def check_names(paths: Iterable[str]) -> None:
    """Check that every file system can hold the paths and tell them apart.

    Raises:
        ConfigError: A name is not UTF-8, or two differ only by case.
    """
    seen: dict[str, str] = {}
    for path in paths:
        try:
            path.encode("utf-8")
        except UnicodeEncodeError:
            shown = os.fsencode(path).decode("utf-8", "backslashreplace")
            raise ConfigError(
                "the name of a file of the project's code is not UTF-8",
                repr(shown),
                hint="rename it, or name its folder in code.exclude",
            ) from None
        key = unicodedata.normalize("NFC", path).casefold()
        if key in seen:
            raise ConfigError(
                "two files of the project's code have one name where case does not count",
                f"{seen[key]!r} and {path!r}",
                hint="rename one of them, or name it in code.exclude",
            )
        seen[key] = path


def check_size(sizes: list[tuple[str, int]], own: int, max_bytes: int) -> None:
    """Check the sum of the project's files, by path, and of this package's own.

    Raises:
        ConfigError: It is above the limit; the largest files are named.
    """
    total = own + sum(size for _, size in sizes)
    if total <= max_bytes:
        return
    largest = sorted(sizes, key=lambda item: (-item[1], item[0]))[:_N_NAMED]
    named = ", ".join(f"{path} ({_mib(size)})" for path, size in largest)
    raise ConfigError(
        "the project's code is too large to be captured",
        f"{_mib(total)}{named and f', the largest files being {named}'}",
        f"at most {_mib(max_bytes)}",
        "name what is no code in code.exclude, or raise code.max_mib; the project root is the "
        "nearest folder with pyproject.toml, .git or .mlops_ray",
        Where(key="code.max_mib"),
    )


def _mib(size: int) -> str:
    return f"{size / 2**20:.3g} MiB"


def check_secrets(files: Mapping[str, bytes]) -> None:
    """Check that nothing in the project's files looks like a secret.

    Raises:
        ConfigError: Something does, or a name; its place and kind are told, never the secret.
    """
    _check_file_names(files)
    findings = secrets_in(files)
    if not findings:
        return
    first = findings[0]
    places = ", ".join(f"{f.path}:{f.line} ({f.kind})" for f in findings[:_N_NAMED])
    more = f" and {len(findings) - _N_NAMED} more" if len(findings) > _N_NAMED else ""
    raise ConfigError(
        "the project's code seems to hold a secret",
        places + more,
        "code that may be stored, shipped and exported",
        "take it from the environment, name the file in code.exclude, or, if it is no secret, end "
        "the line with `# pragma: allowlist secret`",
        Where(file=first.path, line=first.line),
    )


def _check_file_names(paths: Iterable[str]) -> None:
    kinds = kinds_in_values([("", path) for path in paths])
    if kinds:
        raise ConfigError(
            "the name of a file of the project's code seems to hold a secret",
            next(iter(kinds.values())),
            "names that may be recorded",
            "rename the file, or name its folder in code.exclude",
        )
