"""Which files a module's code consists of, read from the source without importing anything.

A stage is computed anew when a file changes that its module imports, directly or through others.
Too many files only cost time; a missing one would reuse a wrong result, so whatever could be
imported counts: inside functions, in branches, by ``*``, by name from a lazy package. What a type
checker alone reads does not. A module whose name is calculated cannot be followed; a test sees to
it that this package has none but the lazy names of its root, which are.
"""

from __future__ import annotations

import ast
import hashlib
from functools import lru_cache
from itertools import accumulate
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, NamedTuple

from mlops_ray.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["SOURCE_ROOTS", "import_closure"]

SOURCE_ROOTS: Final = ("", "src/")  # Where a bundle's modules are looked for, in this order.
_ENGINE: Final = "mlops_ray/"
_STAR: Final = "*"
_IMPORTERS: Final = frozenset({"import_module", "__import__"})


class _Import(NamedTuple):
    """``from module import names``; ``import module`` has no names."""

    level: int
    module: str
    names: tuple[str, ...]


class _Source(NamedTuple):
    """What one file imports, and what a lazy package hands out by ``__getattr__``."""

    imports: tuple[_Import, ...]
    attributes: frozenset[str]
    lazy: tuple[tuple[str, _Import], ...]


def import_closure(files: Mapping[str, bytes], module: str) -> dict[str, str]:
    """Digests of the files that a module's code consists of, by path, sorted.

    They are the module, all it imports from the same files, the ``__init__`` of every package
    around them, and the files beside them that are not Python.

    Args:
        files: Content by POSIX path, such as a code bundle's.
        module: Dotted name.

    Raises:
        ManifestError: The files hold no such module.

    Example:
        >>> files = {"a.py": b"import b", "b.py": b"", "c.py": b""}
        >>> sorted(import_closure(files, "a"))
        ['a.py', 'b.py']
    """
    start = _path_of(files, module)
    if start is None:
        raise ManifestError(f"the code holds no module {module!r}", wanted="one of its files")
    found: set[str] = set()
    waiting = {module}
    seen = set(waiting)
    while waiting:
        name = waiting.pop()
        path = _path_of(files, name)
        if path is None:  # A namespace package has no file, a library none here.
            continue
        found.add(path)
        news = set(_needed(files, name, path)) - seen
        seen |= news
        waiting |= news
    found.update(_data_files(files, found))
    return {path: f"sha256:{hashlib.sha256(files[path]).hexdigest()}" for path in sorted(found)}


def _path_of(files: Mapping[str, bytes], module: str) -> str | None:
    stem = module.replace(".", "/")
    for root in SOURCE_ROOTS:
        for path in (f"{root}{stem}/__init__.py", f"{root}{stem}.py"):
            if path in files:
                return path
    return None


def _needed(files: Mapping[str, bytes], name: str, path: str) -> Iterator[str]:
    """Names of modules that may be imported when this one is imported or used."""
    yield from _with_parents(name)
    source = _source(files[path])
    package = name if path.endswith("/__init__.py") else name.rpartition(".")[0]
    for item in source.imports:
        base = _absolute(item, package)
        yield from _with_parents(base)
        yield from _members(files, base, item, source.attributes)


def _members(
    files: Mapping[str, bytes], base: str, item: _Import, attributes: frozenset[str]
) -> Iterator[str]:
    """What an import takes out of a module: its submodules, and names that load others."""
    if _STAR in item.names:
        yield from _submodules(files, base)
    yield from (f"{base}.{name}" for name in item.names if name != _STAR)
    # `import a.b` binds `a`, so that any attribute of both may be used; `from a import b` only b's.
    used = dict.fromkeys((f"{base}.{name}" for name in item.names), attributes)
    used |= {base: frozenset(item.names)} if item.names else {}
    for module, names in (used or dict.fromkeys(_with_parents(base), attributes)).items():
        path = _path_of(files, module)
        lazy = _source(files[path]).lazy if path else ()
        for name, target in lazy:
            if name in names or _STAR in names:
                home = _absolute(target, module)
                yield from (*_with_parents(home), *(f"{home}.{part}" for part in target.names))


def _with_parents(module: str) -> list[str]:
    return list(accumulate(module.split("."), "{}.{}".format)) if module else []


def _absolute(item: _Import, package: str) -> str:
    if item.level == 0:
        return item.module
    parts = package.split(".")
    base = parts[: max(0, len(parts) - item.level + 1)]
    return ".".join([*base, item.module] if item.module else base)


def _submodules(files: Mapping[str, bytes], package: str) -> Iterator[str]:
    for root in SOURCE_ROOTS:
        prefix = f"{root}{package.replace('.', '/')}/"
        for path in files:
            if path.startswith(prefix) and path.endswith(".py"):
                part = path.removeprefix(prefix).partition("/")[0].removesuffix(".py")
                yield f"{package}.{part}"


def _data_files(files: Mapping[str, bytes], modules: Iterable[str]) -> Iterator[str]:
    """Files that are not Python and that the modules might read.

    Those of a package belong to the modules beside them, the others to all code but the engine's.
    """
    packages = {str(PurePosixPath(p).parent) for p in files if p.endswith("/__init__.py")}
    folders = {str(PurePosixPath(path).parent) for path in modules}
    has_project_code = any(not path.startswith(_ENGINE) for path in modules)
    for path in files:
        if path.endswith(".py"):
            continue
        parents = map(str, PurePosixPath(path).parents)
        owner = next((folder for folder in parents if folder in packages), None)
        if has_project_code if owner is None else owner in folders:
            yield path


@lru_cache(maxsize=4096)  # Stages share most of their modules.
def _source(data: bytes) -> _Source:
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError):  # Nobody can import it, so it imports nothing.
        return _Source((), frozenset(), ())
    nodes = list(_executed(tree))
    imports = tuple(item for node in nodes for item in _imports_of(node))
    attributes = frozenset(node.attr for node in nodes if isinstance(node, ast.Attribute))
    is_lazy = any(
        isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in tree.body
    )
    return _Source(imports, attributes, tuple(_typed_names(tree)) if is_lazy else ())


def _executed(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker reads."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.If) and _is_type_checking(node.test):
            waiting.extend(node.orelse)
        else:
            waiting.extend(ast.iter_child_nodes(node))


def _is_type_checking(test: ast.expr) -> bool:
    if isinstance(test, ast.Attribute):
        return test.attr == "TYPE_CHECKING"
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _imports_of(node: ast.AST) -> Iterator[_Import]:
    if isinstance(node, ast.Import):
        yield from (_Import(0, alias.name, ()) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield _Import(node.level, node.module or "", tuple(alias.name for alias in node.names))
    elif isinstance(node, ast.Call) and node.args and _called(node) in _IMPORTERS:
        argument = node.args[0]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            dots = len(argument.value) - len(argument.value.lstrip("."))
            yield _Import(dots, argument.value[dots:], ())


def _called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _typed_names(tree: ast.Module) -> Iterator[tuple[str, _Import]]:
    """Names of a lazy package and where they come from, as it tells the type checker."""
    blocks = [s for s in tree.body if isinstance(s, ast.If) and _is_type_checking(s.test)]
    nodes = [node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)]
    for node in nodes:
        for alias in node.names:
            item = _Import(node.level, node.module or "", (alias.name,))
            yield alias.asname or alias.name, item
