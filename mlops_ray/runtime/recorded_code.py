"""Functions of a project's own where a model is used: imported from the code of its run.

What lies in the project by now may be other code, or the model may be used far from it. The code
comes first while the functions are imported, and last afterwards, for what they import when they
are called; so nothing else of the process is imported from there.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module, invalidate_caches
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from mlops_ray.errors import ModelError
from mlops_ray.runtime.code import ENGINE
from mlops_ray.runtime.code_bundle import import_paths
from mlops_ray.runtime.import_closure import import_closure
from mlops_ray.runtime.loaded_source import loaded_otherwise, source_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["RecordedCode", "importing", "own_files", "own_sources", "refuse_other"]

_SOURCES: Final = "src/"


@dataclass(frozen=True, slots=True)
class RecordedCode:
    """The code that a model's own functions are part of.

    Attributes:
        archive: Digest of the archive.
        tree: Digest of what it holds.
        modules: Names of the functions' modules.
    """

    archive: str
    tree: str
    modules: tuple[str, ...]


def own_files(files: Mapping[str, bytes], module: str) -> dict[str, str]:
    """Digests of the project's Python files that a module consists of, by path.

    Args:
        files: Content of the code by path.
        module: Dotted name.

    Raises:
        ManifestError: The code holds no such module.

    Example:
        >>> list(own_files({"a.py": b"import b", "b.py": b"", "notes.txt": b""}, "a"))
        ['a.py', 'b.py']
    """
    closure = import_closure(files, module).items()
    return {
        path: name
        for path, name in closure
        if path.endswith(".py") and not path.startswith(f"{ENGINE}/")
    }


def own_sources(files: Mapping[str, bytes], modules: Iterable[str]) -> dict[str, bytes]:
    """The project's Python sources that some modules consist of, by dotted name.

    Args:
        files: Content of the code by path.
        modules: Dotted names.

    Raises:
        ManifestError: The code holds no such module.

    Example:
        >>> own_sources({"src/a.py": b"import b", "b.py": b""}, ["a"])
        {'b': b'', 'a': b'import b'}
    """
    paths = {path for module in modules for path in own_files(files, module)}
    return {_module_name(path): files[path] for path in sorted(paths)}


@contextmanager
def importing(folder: Path, files: Mapping[str, bytes], modules: Sequence[str]) -> Iterator[None]:
    """Import some modules from extracted code; for the block, whatever else is imported too.

    Args:
        folder: The extracted code.
        files: What lies there, by path.
        modules: Dotted names; where there are none, nothing is done.

    Raises:
        ModelError: This process has loaded one of them, or what it imports, from other code; or it
            cannot be imported.
    """
    if not modules:
        yield
        return
    sources = own_sources(files, modules)
    refuse_other(sources)
    paths = import_paths(folder)
    sys.path[:0] = paths
    try:
        invalidate_caches()
        for module in modules:
            _imported(module)
        refuse_other(sources)  # A package that was there may have led to another folder.
        yield
    finally:
        del sys.path[: len(paths)]
        sys.path += [path for path in paths if path not in sys.path]


def _imported(module: str) -> None:
    try:
        import_module(module)
    except Exception as error:
        what = f"the module {module!r} of the model's own functions cannot be imported"
        hint = "install what it needs; it imports what the run that made the model had"
        raise ModelError(what, f"{type(error).__name__}: {error}", hint=hint) from error


def refuse_other(sources: Mapping[str, bytes]) -> None:
    """See to it that no module in this process was loaded from other code than was recorded.

    Args:
        sources: Recorded source by dotted name; modules that are not loaded are passed over.

    Raises:
        ModelError: One was.
    """
    for name, recorded in sources.items():
        module = sys.modules.get(name)
        if getattr(module, "__file__", None) is None:
            continue
        if module is not None and (found := loaded_otherwise(module, recorded)):
            raise ModelError(
                f"this process has loaded other code of the module {name!r} than was recorded",
                found,
                f"a source of digest {source_digest(recorded)[:19]}...",
                "use a process of its own: restart the kernel or program, and call ray.shutdown() "
                "if it has called ray.init, whose workers keep what they have loaded",
            )


def _module_name(path: str) -> str:
    parts = PurePosixPath(path.removeprefix(_SOURCES)).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
