"""Logical types as text: what a column means, whatever width, encoding or layout stores it.

Six types are what features are made of. The others have names too, so that columns which are merely
carried along are hashed, counted and held against a contract: ``decimal``, ``time``, ``duration``,
``binary``, and nested ones such as ``list<struct<"a":integer>>`` or ``map<string,float>``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, TypeAlias

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "LogicalType",
    "is_binary",
    "is_list",
    "is_nested",
    "is_text",
    "joinable_type",
    "kind_of_name",
    "plain_type",
    "storage_type",
    "type_name",
]

# ``integer``, ``float``, ``string``, ``boolean``, ``timestamp``, ``date``, or one of the others.
LogicalType: TypeAlias = str

_STORED: Final[dict[str, pa.DataType]] = {
    "null": pa.null(),
    "integer": pa.int64(),
    "float": pa.float64(),
    "string": pa.string(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us"),
    "date": pa.date32(),
    "time": pa.time64("ns"),
    "duration": pa.duration("us"),
    "binary": pa.binary(),
    "decimal": pa.decimal256(76, 38),
}
_WITHOUT_VIEW: Final = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}


def is_text(arrow_type: pa.DataType) -> bool:
    """Whether values are UTF-8, whatever their offsets are."""
    return bool(
        pa.types.is_string(arrow_type)
        or pa.types.is_large_string(arrow_type)
        or pa.types.is_string_view(arrow_type)
    )


def is_binary(arrow_type: pa.DataType) -> bool:
    """Whether values are bytes, of one length or of any."""
    return bool(
        pa.types.is_binary(arrow_type)
        or pa.types.is_large_binary(arrow_type)
        or pa.types.is_binary_view(arrow_type)
        or pa.types.is_fixed_size_binary(arrow_type)
    )


def is_list(arrow_type: pa.DataType) -> bool:
    """Whether values are lists, of one length or of any."""
    return bool(
        pa.types.is_list(arrow_type)
        or pa.types.is_large_list(arrow_type)
        or pa.types.is_fixed_size_list(arrow_type)
        or pa.types.is_list_view(arrow_type)
        or pa.types.is_large_list_view(arrow_type)
    )


# In this order: decimals and texts are bytes of one length or of any to some of Arrow's questions.
_MEANINGS: Final[tuple[tuple[Callable[[pa.DataType], bool], LogicalType], ...]] = (
    (pa.types.is_null, "null"),
    (pa.types.is_integer, "integer"),
    (pa.types.is_floating, "float"),
    (is_text, "string"),
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_timestamp, "timestamp"),
    (pa.types.is_date, "date"),
    (pa.types.is_decimal, "decimal"),
    (pa.types.is_time, "time"),
    (pa.types.is_duration, "duration"),
    (is_binary, "binary"),
)


def type_name(arrow_type: pa.DataType) -> LogicalType:
    """The name of an Arrow type; ``null`` of the null type.

    Raises:
        TypeError: It is an extension, a union or an interval, or two members have one name.

    Example:
        >>> type_name(pa.list_(pa.struct([("b", pa.int8()), ("a", pa.large_string())])))
        'list<struct<"a":string,"b":integer>>'
    """
    if isinstance(arrow_type, pa.BaseExtensionType):
        raise TypeError(f"extension type {arrow_type}")
    if pa.types.is_dictionary(arrow_type):
        return type_name(arrow_type.value_type)
    for matches, meaning in _MEANINGS:
        if matches(arrow_type):
            return meaning
    return _nested_name(arrow_type)


def _nested_name(arrow_type: pa.DataType) -> LogicalType:
    if is_list(arrow_type):
        return f"list<{type_name(arrow_type.value_type)}>"
    if pa.types.is_map(arrow_type):
        return f"map<{type_name(arrow_type.key_type)},{type_name(arrow_type.item_type)}>"
    if pa.types.is_struct(arrow_type):
        return _struct_name(arrow_type)
    raise TypeError(f"type {arrow_type}")


def _struct_name(arrow_type: pa.StructType) -> str:
    members = {field.name: type_name(field.type) for field in arrow_type}
    if len(members) < arrow_type.num_fields:
        raise TypeError(f"two members of one name in {arrow_type}")
    named = (f"{json.dumps(name, ensure_ascii=False)}:{members[name]}" for name in sorted(members))
    return f"struct<{','.join(named)}>"


def plain_type(arrow_type: pa.DataType) -> pa.DataType:
    """The type without dictionaries and views, also inside of it: files and kernels know it.

    Example:
        >>> plain_type(pa.list_(pa.dictionary(pa.int8(), pa.string_view())))
        ListType(list<item: string>)
    """
    return _rebuilt(arrow_type, lambda leaf: _WITHOUT_VIEW.get(leaf, leaf))


def joinable_type(arrow_type: pa.DataType) -> pa.DataType:
    """The plain type without the zones of its times, so that columns of several files join."""
    return _rebuilt(arrow_type, lambda leaf: _without_zone(_WITHOUT_VIEW.get(leaf, leaf)))


def _without_zone(leaf: pa.DataType) -> pa.DataType:
    return pa.timestamp(leaf.unit) if pa.types.is_timestamp(leaf) else leaf


def _rebuilt(arrow_type: pa.DataType, leaf: Callable[[pa.DataType], pa.DataType]) -> pa.DataType:
    """The type with other leaves, and without dictionaries."""
    if pa.types.is_dictionary(arrow_type):
        return _rebuilt(arrow_type.value_type, leaf)
    if pa.types.is_map(arrow_type):
        return pa.map_(_rebuilt(arrow_type.key_type, leaf), _rebuilt(arrow_type.item_type, leaf))
    if pa.types.is_struct(arrow_type):
        return pa.struct([field.with_type(_rebuilt(field.type, leaf)) for field in arrow_type])
    if is_list(arrow_type):
        item = arrow_type.value_field.with_type(_rebuilt(arrow_type.value_type, leaf))
        is_large = pa.types.is_large_list(arrow_type) or pa.types.is_large_list_view(arrow_type)
        return pa.large_list(item) if is_large else pa.list_(item)
    return leaf(arrow_type)


def kind_of_name(name: LogicalType) -> str:
    """A type without what is inside of it.

    Example:
        >>> kind_of_name("list<integer>"), kind_of_name("date")
        ('list', 'date')
    """
    return name.partition("<")[0]


def is_nested(name: LogicalType) -> bool:
    """Whether a value is made of others, as those of lists, structs and maps are."""
    return "<" in name


def storage_type(name: LogicalType) -> pa.DataType:
    """An Arrow type of that name, for formats that store no types; decimals have many others.

    Raises:
        ValueError: It is no name that `type_name` gives.

    Example:
        >>> storage_type('list<struct<"a":string>>')
        ListType(list<item: struct<a: string>>)
    """
    found, rest = _read(name)
    if rest:
        raise ValueError(f"{rest!r} behind a type")
    return found


def _read(text: str) -> tuple[pa.DataType, str]:
    """The type that a text begins with, and what follows it."""
    if text.startswith("list<"):
        inner, rest = _read(text.removeprefix("list<"))
        return pa.list_(inner), _after(">", rest)
    if text.startswith("map<"):
        key, rest = _read(text.removeprefix("map<"))
        item, rest = _read(_after(",", rest))
        return pa.map_(key, item), _after(">", rest)
    if text.startswith("struct<"):
        return _read_struct(text.removeprefix("struct<"))
    for name, stored in _STORED.items():
        if text.startswith(name):
            return stored, text.removeprefix(name)
    raise ValueError(f"no type: {text!r}")


def _read_struct(text: str) -> tuple[pa.DataType, str]:
    fields: list[pa.Field] = []
    while not text.startswith(">"):
        text = _after(",", text) if fields else text
        name, end = json.JSONDecoder().raw_decode(text)
        inner, text = _read(_after(":", text[end:]))
        fields.append(pa.field(name, inner))
    return pa.struct(fields), _after(">", text)


def _after(mark: str, text: str) -> str:
    if not text.startswith(mark):
        raise ValueError(f"{mark!r} is wanted before {text!r}")
    return text.removeprefix(mark)
