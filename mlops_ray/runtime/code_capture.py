"""Takes the project's code as it lies on the disk: committed, changed or unknown to git alike."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from mlops_ray.errors import ConfigError, Where
from mlops_ray.runtime.code import ENGINE, ENGINE_FOLDER, CodeBundle, code_files
from mlops_ray.runtime.code_checks import check_names, check_secrets, check_size
from mlops_ray.runtime.code_pattern import is_importable, is_private, is_skipped_folder, matches

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

__all__ = ["DEFAULT_MAX_BYTES", "capture", "project_files"]

DEFAULT_MAX_BYTES: Final = 50 * 2**20
_INCLUDE: Final = Where(key="code.include")
_BUNDLE: Final = re.compile(r"tree-[0-9a-f]{64}")


class _Candidate(NamedTuple):
    path: str
    place: Path


def capture(
    project_root: Path,
    *,
    package: Path = ENGINE_FOLDER,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    max_bytes: int = DEFAULT_MAX_BYTES,
    skip: Collection[Path] = (),
) -> CodeBundle:
    """The code that a run consists of: what the project can import, and this package.

    The package's own files are always those of `package`, below ``mlops_ray/``; a folder of that
    name in the project is left out. Files whose names say that they hold keys are never taken.

    Args:
        project_root: Where the project's top-level modules lie, or its ``src`` folder.
        package: The package's folder.
        include: Patterns of further files; see `CodeConfig`.
        exclude: Patterns of files to leave out.
        max_bytes: Largest sum of the files' sizes.
        skip: Folders that are not walked into, such as the store.

    Raises:
        ConfigError: A file that is named cannot be taken, one seems to hold a secret, two have
            one name where case does not count, or all are too large.
    """
    chosen = _chosen(project_root, include, exclude, skip)
    engine = code_files(package)
    check_names([file.path for file in chosen])
    own = sum(len(data) for data in engine.values())
    check_size([(file.path, file.place.stat().st_size) for file in chosen], own, max_bytes)
    project = project_files(chosen)
    check_secrets(project)
    # Sizes count again: a file may have grown since it was looked at.
    check_size([(path, len(data)) for path, data in project.items()], own, max_bytes)
    return CodeBundle(dict(sorted((project | engine).items())))


def project_files(chosen: Iterable[tuple[str, Path]]) -> dict[str, bytes]:
    """Content of files by path, each read once.

    Raises:
        ConfigError: A file cannot be read.
    """
    files: dict[str, bytes] = {}
    for path, place in chosen:
        try:
            files[path] = place.read_bytes()
        except OSError as error:
            raise ConfigError(
                "a file of the project's code cannot be read",
                error.strerror or str(error),
                hint="make it readable, or name it in code.exclude",
                where=Where(file=path),
            ) from error
    return files


def _chosen(
    root: Path, include: Sequence[str], exclude: Sequence[str], skip: Collection[Path]
) -> list[_Candidate]:
    unused = set(include)
    chosen: list[_Candidate] = []
    for file in _walk(root, {folder.resolve() for folder in skip}):
        if any(matches(pattern, file.path) for pattern in exclude):
            continue
        naming = [pattern for pattern in include if matches(pattern, file.path)]
        unused.difference_update(naming)
        if naming:
            _check_included(file.path, naming[0])
        if naming or (is_importable(file.path) and not is_private(file.path)):
            _check_inside(root, file)
            chosen.append(file)
    if unused:
        raise ConfigError(
            "code.include names files that are not there",
            repr(min(unused)),
            "files below the project root, none of them in a hidden folder or an environment",
            where=_INCLUDE,
        )
    return chosen


def _walk(root: Path, skipped: Collection[Path]) -> Iterator[_Candidate]:
    """All files below the root but those of environments, hidden folders and stores, sorted."""
    for folder, names, files in os.walk(root):
        place = Path(folder)
        relative = place.relative_to(root).as_posix()
        prefix = "" if relative == "." else f"{relative}/"
        names[:] = sorted(
            name
            for name in names
            if not is_skipped_folder(name)
            and not _is_engine(prefix + name)
            and not _is_foreign(place / name)
            and (place / name).resolve() not in skipped
        )
        for name in names:
            _check_linked_package(root, place / name, prefix + name)
        for name in sorted(files):
            if not _is_engine(prefix + name) and (place / name).is_file():
                yield _Candidate(prefix + name, place / name)


def _is_engine(path: str) -> bool:
    return path.removeprefix("src/").removesuffix(".py") == ENGINE


def _is_foreign(folder: Path) -> bool:
    """Whether a folder is a virtual environment, a store or the code of a run in one."""
    is_store = (folder / "objects").is_dir() and (folder / "runs").is_dir()
    is_bundle = _BUNDLE.fullmatch(folder.name) is not None
    return is_store or is_bundle or (folder / "pyvenv.cfg").is_file()


def _check_linked_package(root: Path, folder: Path, path: str) -> None:
    """Refuse a package behind a link: it would be imported now and be missing in the bundle."""
    if folder.is_symlink() and (folder / "__init__.py").is_file():
        target = "in the project" if folder.resolve().is_relative_to(root.resolve()) else "outside"
        raise ConfigError(
            f"the package {path!r} is a link to a folder {target}",
            wanted="a folder of its own",
            hint="move it into the project, or install it and remove the link",
            where=Where(file=path),
        )


def _check_inside(root: Path, file: _Candidate) -> None:
    if file.place.is_symlink() and not file.place.resolve().is_relative_to(root.resolve()):
        raise ConfigError(
            "a file of the project's code is a link that leaves the project",
            wanted="a file below the project root",
            hint="replace the link by a copy, or name it in code.exclude",
            where=Where(file=file.path),
        )


def _check_included(path: str, pattern: str) -> None:
    if is_private(path):
        raise ConfigError(
            f"code.include names {path!r}, which is of a kind that holds keys or passwords",
            f"the pattern {pattern!r}",
            hint="such files are never captured: name it in code.exclude, and let the program "
            "take the secret from the environment",
            where=_INCLUDE,
        )
    if path.endswith(".ipynb"):
        raise ConfigError(
            f"code.include names the notebook {path!r}",
            wanted="Python files",
            hint="a notebook cannot be imported: export the cells to a .py file",
            where=_INCLUDE,
        )
