"""Repeated keys are counted exactly, whatever memory a look may take and whatever hashes do."""

import datetime as dt
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from mlops_ray.config.contract import ContractConfig
from mlops_ray.data import repeated_keys
from mlops_ray.data.key_zone import KeyZones
from mlops_ray.data.repeated_keys import KeyLook, find_repeated_keys
from mlops_ray.data.rule import CheckPlan
from mlops_ray.data.unit import list_units
from mlops_ray.data.unit_map import map_in_process
from mlops_ray.data.unit_schema import read_schema

PLAN = CheckPlan(ContractConfig())
DAY = dt.date(2020, 1, 1)


def looked(files, key, keys_a_look=2**24, plan=PLAN):
    units, schema = list_units(files), read_schema(files)
    look = KeyLook(schema, key, plan, None, "all")
    return find_repeated_keys(look, units, 10_000, map_in_process, keys_a_look)


@pytest.fixture
def cut(write_parquet):
    def write(columns, n_files=3):
        table = pa.table(columns)
        size = -(-table.num_rows // n_files)
        return [
            write_parquet(f"{at}.parquet", table.slice(at * size, size)) for at in range(n_files)
        ]

    return write


@pytest.mark.parametrize("keys_a_look", [2**24, 1000])
@pytest.mark.parametrize("key", [("i",), ("s",), ("f",), ("i", "s"), ("f", "i", "s")])
def test_counts_are_those_of_a_counter(cut, key, keys_a_look):
    rng = np.random.default_rng(4)
    columns = {
        "i": [None if v == 0 else v for v in rng.integers(0, 300, 600).tolist()],
        "s": [None if v == 0 else f"s{v}" for v in rng.integers(0, 200, 600).tolist()],
        "f": rng.choice([0.0, -0.0, np.nan, *rng.normal(size=300)], 600).tolist(),
    }
    rows = list(zip(*(columns[name] for name in key), strict=True))
    whole = [r for r in rows if not any(v is None or v != v for v in r)]  # noqa: PLR0124 - NaN
    repeated = {k: n for k, n in Counter(whole).items() if n > 1}

    found = looked(cut(columns), key, keys_a_look)

    assert found.n_rows == sum(repeated.values())
    assert len(found.examples) == min(5, len(repeated))
    if "f" not in key:
        shown = {tuple(v for _, v in e.key): int(e.values[0][1]) for e in found.examples}
        texts = {tuple(map(str, k)): n for k, n in repeated.items()}
        assert shown.items() <= texts.items()


def test_unique_keys_are_found_to_be_so_and_no_value_is_read(cut):
    files = cut({"i": np.random.default_rng(1).permutation(500)})
    asked = []

    def counted(fn, units):
        asked.append(fn.func.__name__)
        return map_in_process(fn, units)

    units, schema = list_units(files), read_schema(files)
    found = find_repeated_keys(KeyLook(schema, ("i",), PLAN, None, "all"), units, 500, counted)

    assert found.n_rows == 0
    assert asked == ["_hashes_of_unit"]


def test_two_keys_of_one_hash_are_not_taken_for_one(cut, monkeypatch):
    """Of all keys one hash: each is a suspect, and none but the two equal ones is repeated."""
    monkeypatch.setattr(
        repeated_keys, "hash_rows", lambda table, *_: np.zeros((2, table.num_rows), np.uint64)
    )

    apart = looked(cut({"i": [5, 3, 9, 4, 8, 7]}), ("i",))
    equal = looked(cut({"i": [5, 3, 9, 4, 5, 7]}), ("i",))

    assert apart.n_rows == 0
    assert (equal.n_rows, equal.examples[0].key) == (2, (("i", "5"),))


def test_many_suspects_are_looked_at_in_pieces(cut, monkeypatch):
    monkeypatch.setattr(repeated_keys, "_SUSPECTS_A_LOOK", 7)
    columns = {"i": [at // 2 for at in range(100)]}

    assert looked(cut(columns), ("i",)).n_rows == 100


def test_a_personal_key_is_not_shown(cut):
    plan = CheckPlan(ContractConfig(), pii=frozenset({"i"}))

    found = looked(cut({"i": [1, 1, 2]}), ("i",), plan=plan)

    assert (found.n_rows, found.examples) == (2, ())


@pytest.mark.parametrize(
    ("pieces", "is_proven"),
    [
        ([[1, 2, 5], [6, 9]], True),
        ([[6, 9], [1, 2, 5]], True),  # Files in another order.
        ([[], [1]], True),
        ([[1, 2, 5], [5, 9]], False),
        ([[1, 2, 7], [6, 9]], False),  # Unique, but not proven so.
        ([[2, 1]], False),
        ([[1, 1]], False),
        ([[1, None]], False),
    ],
)
def test_rising_keys_in_zones_apart_are_proven_unique(pieces, is_proven):
    zones = KeyZones()
    for piece in pieces:
        table = pa.table({"i": pa.array(piece, pa.int64())})
        zones += KeyZones.of(table, ["i"], {"i": "integer"})

    assert zones.is_unique is is_proven
    assert KeyZones.from_json(zones.to_json()) == zones


@pytest.mark.parametrize(
    ("days", "numbers", "is_proven"),
    [
        ([0, 0, 1], [1, 2, 1], True),
        ([0, 0, 1], [2, 2, 3], False),
        ([0, 1, 0], [1, 2, 3], False),
    ],
)
def test_keys_of_several_columns_rise_like_words(days, numbers, is_proven):
    table = pa.table({"d": [DAY + dt.timedelta(days=d) for d in days], "n": numbers})

    zones = KeyZones.of(table, ["d", "n"], {"d": "date", "n": "integer"})

    assert zones.is_unique is is_proven


def test_texts_and_floats_are_left_to_the_second_look():
    table = pa.table({"s": ["a", "b"]})

    assert not KeyZones.of(table, ["s"], {"s": "string"}).is_unique
