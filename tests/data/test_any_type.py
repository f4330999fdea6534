"""Of every type: another cell is another fingerprint, another layout of the same cells is not."""

from __future__ import annotations

import datetime as dt
import math
import struct
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mlops_ray.config.model import SplitConfig
from mlops_ray.data import unit as unit_module
from mlops_ray.data.scan import ScanPlan, scan
from mlops_ray.data.scan_result import Scan
from mlops_ray.data.source import FoundFile
from mlops_ray.data.split import SplitRows
from mlops_ray.data.unit import list_units
from mlops_ray.data.unit_map import map_in_process
from mlops_ray.data.unit_schema import read_schema

if TYPE_CHECKING:
    from pathlib import Path

RULE = SplitConfig.model_validate({"test": {"share": 0.3}, "valid": {"share": 0.3}})
SPLIT = SplitRows(RULE, ("k",), None, 5)
CODECS = ["none", "snappy", "zstd", "gzip"]
DAY_S = 86_400


@dataclass(frozen=True)
class Kind:
    """Values of one meaning, and types that store them."""

    values: st.SearchStrategy[Any]
    stored: tuple[pa.DataType, ...]


def _nan(payload: int) -> float:
    return struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000000 | payload))[0]


def _decimals(digits: int, scale: int) -> st.SearchStrategy[Decimal]:
    bound = 10**digits - 1
    return st.integers(-bound, bound).map(lambda n: Decimal(f"{n}e{-scale}"))


def _zoned(unit: str) -> tuple[pa.DataType, ...]:
    return tuple(pa.timestamp(unit, zone) for zone in (None, "UTC", "Europe/Zurich", "-03:30"))


INT = st.integers(-128, 127)
WIDE = st.floats(1e-6, 1e9) | st.floats(-1e9, -1e-6)
FLOAT = st.floats() | WIDE | st.integers(1, 2**51 - 1).map(_nan)
TEXT = st.text(max_size=9) | st.text("aé", min_size=60, max_size=80)
TEXTS = (pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string()))
SECONDS = st.integers(-(2**33), 2**33)
STRUCT = {"a": pa.int64(), "b": pa.list_(pa.string()), "c": pa.timestamp("us", "UTC")}
MOMENT = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC))  # noqa: DTZ001 - hypothesis wants bounds without zones

KINDS = {
    "integer": Kind(INT, (pa.int8(), pa.int16(), pa.int32(), pa.int64())),
    "unsigned": Kind(
        st.integers(0, 255), (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(), pa.int64())
    ),
    "large_integer": Kind(st.integers(-(2**63), 2**63 - 1), (pa.int64(),)),
    "float16": Kind(
        st.floats(width=16).map(np.float16), (pa.float16(), pa.float32(), pa.float64())
    ),
    "float32": Kind(st.floats(width=32), (pa.float32(), pa.float64())),
    "float": Kind(FLOAT, (pa.float64(),)),
    "string": Kind(TEXT, TEXTS),
    "boolean": Kind(st.booleans(), (pa.bool_(),)),
    "date": Kind(st.dates(), (pa.date32(), pa.date64())),
    "second": Kind(SECONDS, _zoned("s")),
    "microsecond": Kind(st.integers(-(2**62), 2**62), _zoned("us")),
    "time": Kind(st.integers(0, DAY_S - 1), (pa.time32("s"),)),
    "nanotime": Kind(st.integers(0, DAY_S * 10**9 - 1), (pa.time64("ns"),)),
    "span": Kind(
        st.timedeltas(dt.timedelta(days=-9999), dt.timedelta(days=9999)),
        (pa.duration("us"), pa.duration("ns")),
    ),
    "nanospan": Kind(st.integers(-(2**62), 2**62), (pa.duration("ns"),)),
    "decimal": Kind(
        _decimals(7, 3),
        (pa.decimal32(9, 3), pa.decimal64(12, 4), pa.decimal128(30, 9), pa.decimal256(70, 20)),
    ),
    "large_decimal": Kind(_decimals(76, 30), (pa.decimal256(76, 30),)),
    "binary": Kind(st.binary(max_size=80), (pa.binary(), pa.large_binary(), pa.binary_view())),
    "fixed_binary": Kind(st.binary(min_size=16, max_size=16), (pa.binary(16), pa.binary())),
    "list": Kind(
        st.lists(st.none() | FLOAT, max_size=4),
        (pa.list_(pa.float64()), pa.large_list(pa.float64()), pa.list_view(pa.float64())),
    ),
    "fixed_list": Kind(
        st.lists(st.none() | INT, min_size=2, max_size=2),
        (pa.list_(pa.int8(), 2), pa.list_(pa.int64())),
    ),
    "nested_text": Kind(
        st.lists(st.none() | st.lists(st.none() | TEXT, max_size=3), max_size=3),
        tuple(pa.list_(pa.list_(stored)) for stored in TEXTS),
    ),
    "nested_decimal": Kind(
        st.lists(_decimals(7, 3), max_size=3),
        (pa.list_(pa.decimal128(9, 3)), pa.large_list(pa.decimal256(40, 6))),
    ),
    "struct": Kind(
        st.fixed_dictionaries(
            {
                "a": st.none() | INT,
                "b": st.none() | st.lists(TEXT, max_size=2),
                "c": st.none() | MOMENT,
            }
        ),
        (
            pa.struct(STRUCT),
            pa.struct([(name, STRUCT[name]) for name in ("c", "a", "b")]),
            pa.struct({**STRUCT, "a": pa.int8(), "c": pa.timestamp("us", "Europe/Zurich")}),
        ),
    ),
    "map": Kind(
        st.lists(st.tuples(TEXT, st.none() | INT), max_size=3, unique_by=lambda pair: pair[0]),
        (pa.map_(pa.string(), pa.int64()), pa.map_(pa.string(), pa.int8())),
    ),
}


def meaning(value: Any) -> Any:
    """What a value is, so that two compare as cells do; told without the code under test."""
    if isinstance(value, float | np.floating):
        return "nan" if math.isnan(value) else float(value) + 0.0
    if isinstance(value, list | tuple):
        return tuple(meaning(item) for item in value)
    if isinstance(value, dict):
        return tuple((name, meaning(item)) for name, item in sorted(value.items()))
    return value


def other_bits(value: Any) -> Any:
    """The same value in other bits, where there are any: NaN and zero."""
    if isinstance(value, list):
        return [other_bits(item) for item in value]
    if isinstance(value, float) and math.isnan(value):
        return _nan(123)
    return -value if isinstance(value, float) and value == 0 else value


def array(values: list[Any], stored: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(stored):
        return pa.array(values, stored.value_type).dictionary_encode()
    return pa.array(values, stored)


class Layouts:
    """Writes a table's rows as files in a layout, and looks at them in the one pass."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def scanned(
        self, parts: list[pa.Table], split: SplitRows | None = None, **options: Any
    ) -> Scan:
        files = []
        for at, part in enumerate(parts):
            path = self.folder / f"{at:03}.parquet"
            pq.write_table(part, path, **options)
            files.append(FoundFile(path.name, path, "parquet", path.stat().st_size))
        plan = ScanPlan(read_schema(files), split)
        return scan(list_units(files), plan, map_in_process)


@pytest.fixture
def layouts(tmp_path: Path) -> Layouts:
    return Layouts(tmp_path)


def tabled(cells: list[Any], stored: pa.DataType) -> pa.Table:
    return pa.table({"k": pa.array(range(len(cells)), pa.int64()), "x": array(cells, stored)})


@pytest.mark.parametrize("kind", KINDS)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_another_cell_shows_and_another_layout_does_not(kind, layouts, monkeypatch, data):
    values, stored = KINDS[kind].values, KINDS[kind].stored
    cells = data.draw(st.lists(st.none() | values, min_size=1, max_size=6))
    one = layouts.scanned([tabled(cells, stored[0])], SPLIT)

    cuts = sorted(data.draw(st.lists(st.integers(0, len(cells)), max_size=2)))
    bounds = list(zip([0, *cuts], [*cuts, len(cells)], strict=True))
    twin = [other_bits(cell) for cell in cells]
    parts = [tabled(twin, data.draw(st.sampled_from(stored)))[a:b] for a, b in bounds]
    with monkeypatch.context() as patched:
        patched.setattr(unit_module, "_MANY", data.draw(st.sampled_from([0, 256])))
        other = layouts.scanned(
            [part.select(data.draw(st.permutations(["k", "x"]))) for part in parts[:1]] + parts[1:],
            SPLIT,
            row_group_size=data.draw(st.integers(1, 4)),
            compression=data.draw(st.sampled_from(CODECS)),
            use_dictionary=data.draw(st.booleans()),
            data_page_version=data.draw(st.sampled_from(["1.0", "2.0"])),
        )
    assert other.fingerprint == one.fingerprint
    assert other.ordered_fingerprint == one.ordered_fingerprint
    assert other.membership == one.membership
    assert {n: p.columns["x"] for n, p in other.profiles.items()} == {
        n: p.columns["x"] for n, p in one.profiles.items()
    }

    at = data.draw(st.integers(0, len(cells) - 1))
    changed = [*cells[:at], data.draw(st.none() | values), *cells[at + 1 :]]
    assume(meaning(changed[at]) != meaning(cells[at]))
    mutated = layouts.scanned([tabled(changed, stored[0])], SPLIT)
    assert mutated.fingerprint != one.fingerprint
    assert mutated.ordered_fingerprint != one.ordered_fingerprint
    assert sum(mutated.membership[part] != one.membership[part] for part in one.membership) == 1


@pytest.mark.parametrize("magnitude", [1e-6, 1e-3, 1.0, 1e3, 1e6, 1e9])
def test_one_unit_in_the_last_place_shows_at_every_magnitude(layouts, magnitude):
    values = magnitude * np.random.default_rng(2).uniform(0.5, 1.0, 50)
    one = layouts.scanned([pa.table({"x": values})]).fingerprint

    for at in range(0, 50, 7):
        moved = values.copy()
        moved[at] = np.nextafter(moved[at], np.inf)
        assert layouts.scanned([pa.table({"x": moved})]).fingerprint != one


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_a_type_and_a_repeated_row_show(layouts, kind):
    stored = KINDS[kind].stored[0]
    nulls = pa.nulls(3, stored)
    one = layouts.scanned([pa.table({"x": nulls})]).fingerprint

    others = [
        layouts.scanned([pa.table(columns)]).fingerprint
        for columns in (
            {"y": nulls},
            {"x": pa.nulls(4, stored)},
            {"x": pa.nulls(3, pa.list_(stored))},
            {"x": nulls, "y": nulls},
        )
    ]

    assert len({one, *others}) == 5


def everything(n_rows: int) -> pa.Table:
    """A table with a column of every kind, in its first type."""
    rng = np.random.default_rng(4)
    texts = [None if at % 7 == 0 else "é" * (at % 70) for at in rng.integers(0, 90, n_rows)]
    numbers = np.where(rng.random(n_rows) < 0.1, np.nan, rng.uniform(-1e9, 1e9, n_rows))
    moments = pa.array(rng.integers(0, 2**50, n_rows), pa.timestamp("us", "Asia/Tokyo"))
    return pa.table(
        {
            "k": rng.permutation(n_rows),
            "number": pa.array(numbers, mask=rng.random(n_rows) < 0.1),
            "text": pa.array(texts),
            "price": pa.array([Decimal(int(n)).scaleb(-2) for n in rng.integers(0, 999, n_rows)]),
            "moment": moments,
            "flag": pa.array(rng.random(n_rows) < 0.5, mask=rng.random(n_rows) < 0.1),
            "bytes": pa.array([rng.bytes(at % 5) for at in range(n_rows)]),
            "tags": pa.array([None if not t else [t[:1], None][: at % 3] for at, t in
                              enumerate(texts)], pa.list_(pa.string())),
            "pair": pa.array([{"a": at % 4, "b": t} for at, t in enumerate(texts)]),
        }
    )  # fmt: skip


def test_files_row_groups_codecs_and_names_do_not_show(layouts):
    table = everything(640)
    one = layouts.scanned([table], SPLIT)
    order = np.random.default_rng(5).permutation(64)
    cut = [table.slice(at * 10, 10) for at in range(64)]
    uneven = [table.slice(0, 1), table.slice(1, 0), table.slice(1, 500), table.slice(501)]

    kept = [
        layouts.scanned(parts, SPLIT, **options)
        for parts, options in [
            *(([table], {"compression": codec, "row_group_size": 99}) for codec in CODECS),
            ([table], {"use_dictionary": False, "store_schema": False}),
            (uneven, {"data_page_size": 64, "write_batch_size": 8}),
            (cut, {}),
        ]
    ]
    renamed = layouts.scanned([cut[at] for at in order], SPLIT)

    for other in [*kept, renamed]:
        assert other.to_bytes() == one.to_bytes()
        assert other.membership == one.membership
    assert {other.ordered_fingerprint for other in kept} == {one.ordered_fingerprint}
    assert renamed.ordered_fingerprint != one.ordered_fingerprint
