"""Compares a module as it was loaded with a source, part by part, without running the source.

Python keeps no text of what it has loaded. What it keeps is compared: the code of the functions and
methods that the module's file has defined, their defaults, and names at the top that stand for
unchangeable literals. A value that was calculated tells nothing about the code it came from, and is
passed over.
"""

from __future__ import annotations

import ast
from collections import Counter
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["differing_part"]

_Wanted: TypeAlias = "ast.expr | ast.FunctionDef | None"


def differing_part(module: ModuleType, source: bytes) -> str:
    """Names a part that is loaded otherwise than it stands in a source; empty if all agree.

    Args:
        module: Loaded from a file.
        source: What the file is supposed to have held.

    Example:
        >>> import colorsys, inspect
        >>> text = inspect.getsource(colorsys)
        >>> differing_part(colorsys, text.encode())
        ''
        >>> edited = text.replace("def hls_to_rgb(h, l, s)", "def hls_to_rgb(s, h, l)")
        >>> differing_part(colorsys, edited.encode())
        'hls_to_rgb'
    """
    try:
        code = compile(source, str(module.__file__), "exec", dont_inherit=True)
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return "all of it, which was Python once"
    written = {(part.co_qualname, _content(part)) for part in _nested(code)}
    for loaded in _loaded_codes(module):
        if (loaded.co_qualname, _content(loaded)) not in written:
            return loaded.co_qualname
    return next((name for name, same in _names(module, tree) if not same), "")


def _nested(code: CodeType) -> Iterator[CodeType]:
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield part
            yield from _nested(part)


def _content(code: CodeType) -> tuple[object, ...]:
    """What a function does, without where it stands."""
    return (
        code.co_code,
        code.co_exceptiontable,
        (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount),
        (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars),
        tuple(map(_constant, code.co_consts)),
    )


def _constant(value: object) -> object:
    """Equal for what is the same to Python's compiler: 1, 1.0, True and -0.0, 0.0 are not."""
    if isinstance(value, CodeType):
        return _content(value)
    if isinstance(value, tuple):
        return tuple, tuple(map(_constant, value))
    if isinstance(value, frozenset):
        return frozenset, frozenset(map(_constant, value))
    return type(value), repr(value) if isinstance(value, float | complex) else value


def _loaded_codes(module: ModuleType) -> Iterator[CodeType]:
    """Code of the functions that the module's own file has defined, also behind decorators."""
    waiting: list[object] = list(vars(module).values())
    seen: set[int] = set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, FunctionType) and value.__module__ == module.__name__:
            waiting += [value.__dict__.get("__wrapped__"), *_enclosed(value)]
            if value.__code__.co_filename == module.__file__:
                yield value.__code__
        elif isinstance(value, type) and value.__module__ == module.__name__:
            waiting += vars(value).values()
        elif isinstance(value, staticmethod | classmethod):
            waiting.append(value.__func__)
        elif isinstance(value, property):
            waiting += [value.fget, value.fset, value.fdel]


def _enclosed(function: FunctionType) -> Iterator[object]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # Not filled yet.
            continue


def _names(module: ModuleType, tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """Names that are bound once, at the top, and whether the module has them so.

    One that it has not is passed over: a program that is running may not have come to it yet.
    """
    bound = Counter(_bindings(tree))
    found = vars(module)
    for node in tree.body:
        for name, wanted in _at_top(node):
            if bound[name] == 1 and name in found:
                yield name, _is_so(found[name], wanted)


def _bindings(tree: ast.Module) -> Iterator[str]:
    """Every place where a name could be bound or given up, in whatever scope."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Global):
            yield from node.names
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]


def _at_top(node: ast.stmt) -> Iterator[tuple[str, _Wanted]]:
    """Names that a statement binds, and to what; None for what is not looked at closer."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        is_plain = isinstance(node, ast.FunctionDef) and not node.decorator_list
        yield node.name, cast("ast.FunctionDef", node) if is_plain else None
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Name):
                yield target.id, node.value
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
        yield node.target.id, node.value


def _is_so(loaded: object, wanted: _Wanted) -> bool:
    if isinstance(wanted, ast.FunctionDef):
        if not isinstance(loaded, FunctionType):
            return True  # What stands there is not of this module's making.
        has = [*(loaded.__defaults__ or ()), *(loaded.__kwdefaults__ or {}).values()]
        defaults = [*wanted.args.defaults, *filter(None, wanted.args.kw_defaults)]
        return len(has) == len(defaults) and all(map(_is_so, has, defaults))
    is_literal, value = _literal(wanted) if isinstance(wanted, ast.expr) else (False, None)
    return not is_literal or _constant(loaded) == _constant(value)


def _literal(node: ast.expr) -> tuple[bool, Any]:
    """Whether an expression is a literal that nobody can change afterwards, and its value."""
    try:
        value = ast.literal_eval(node)
        hash(value)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False, None
    return True, value
