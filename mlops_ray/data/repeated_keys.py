"""Which rows share their key with another: exact, and in bounded memory at any number of rows.

A second look at the key columns alone, taken only where the pass could not prove them unique (see
`data.key_zone`). The keys are dealt to partitions by their hash, small enough that the hashes of
one partition fit into memory, 8 bytes a row: one look a partition finds the hashes that stand
twice. Equal keys have equal hashes, so none is missed. The rows of those hashes are then read once
more with their *values*, so that two keys of one hash are not taken for one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_ray.data.arrays import to_numbers
from mlops_ray.data.contract_pass import read_kept
from mlops_ray.data.contract_tally import MAX_EXAMPLES, Example, Found, add_counts
from mlops_ray.data.rowhash import hash_rows
from mlops_ray.data.split import SPLITS, assign_split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from mlops_ray.data.rule import CheckPlan
    from mlops_ray.data.schema import Schema
    from mlops_ray.data.split import SplitRows
    from mlops_ray.data.unit import Unit
    from mlops_ray.data.unit_map import UnitMap

__all__ = ["KeyLook", "find_repeated_keys"]

_KEYS_A_LOOK: Final = 2**24  # 128 MiB of hashes, and as much again while they are sorted.
_SUSPECTS_A_LOOK: Final = 2**20


@dataclass(frozen=True, slots=True)
class KeyLook:
    """What is looked at.

    Attributes:
        schema: Of the data.
        columns: The key.
        plan: Says which rows are set aside, and what may be shown; None where all are.
        split: Parts the rows, for the counts; None for one part.
        whole: Name of that one part.
    """

    schema: Schema
    columns: tuple[str, ...]
    plan: CheckPlan | None
    split: SplitRows | None
    whole: str

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts."""
        return (self.whole,) if self.split is None else SPLITS


def find_repeated_keys(
    look: KeyLook,
    units: Sequence[Unit],
    n_rows: int,
    unit_map: UnitMap,
    keys_a_look: int = _KEYS_A_LOOK,
) -> Found:
    """Count the rows whose key stands in another row too.

    Args:
        look: What is looked at.
        units: All of the input.
        n_rows: Rows in them.
        unit_map: Runs the work.
        keys_a_look: Keys whose hashes are held at a time.
    """
    n_partitions = -(-n_rows // keys_a_look)
    found = Found()
    for partition in range(n_partitions):
        answers = unit_map(partial(_hashes_of_unit, look, partition, n_partitions), units)
        for suspects in _suspects(answers):
            rows = unit_map(partial(_rows_of_unit, look, suspects), units)
            found += _repeated(look, rows)
    return found


def _hashes_of_unit(look: KeyLook, partition: int, n_partitions: int, unit: Unit) -> bytes:
    """The unit's distinct hashes of one partition, then those of them that stand twice in it."""
    table = read_kept(unit, look.schema, look.columns, look.plan)
    hashes = _hashes(look, table, _complete(look, table))
    if n_partitions > 1:
        hashes = hashes[hashes % np.uint64(n_partitions) == partition]
    hashes = np.sort(hashes)
    is_first, repeated = _first_of_each(hashes)
    distinct = hashes if is_first.all() else hashes[is_first]
    return np.concatenate([np.array([distinct.size], np.uint64), distinct, repeated]).tobytes()


def _first_of_each(hashes: NDArray[np.uint64]) -> tuple[NDArray[np.bool_], NDArray[np.uint64]]:
    """Of sorted hashes: which are the first of their value, and the values that stand twice."""
    is_first = np.ones(hashes.size, dtype=np.bool_)
    np.not_equal(hashes[1:], hashes[:-1], out=is_first[1:])
    return is_first, np.unique(hashes[~is_first])


def _suspects(answers: Sequence[bytes]) -> Iterator[NDArray[np.uint64]]:
    """The hashes that stand more than once, sorted, in pieces."""
    read = [np.frombuffer(answer, np.uint64) for answer in answers]
    distinct = np.concatenate([words[1 : 1 + int(words[0])] for words in read])
    within = [words[1 + int(words[0]) :] for words in read]
    distinct.sort()
    suspects = np.unique(np.concatenate([_first_of_each(distinct)[1], *within]))
    for start in range(0, suspects.size, _SUSPECTS_A_LOOK):
        yield suspects[start : start + _SUSPECTS_A_LOOK]


def _rows_of_unit(look: KeyLook, suspects: NDArray[np.uint64], unit: Unit) -> bytes:
    """How often each suspected key stands in each part of the unit."""
    split = look.split
    wanted = dict.fromkeys([*look.columns, *(split.columns if split else ())])
    table = read_kept(unit, look.schema, list(wanted), look.plan)
    complete = _complete(look, table)
    hashes = _hashes(look, table, complete)
    codes = np.zeros(table.num_rows, np.int8)
    if split is not None:
        codes = assign_split(table, look.schema, split)
    columns: dict[str, Any] = {
        f"key_{at}": _plain(table.column(name)) for at, name in enumerate(look.columns)
    }
    keys = pa.table({**columns, "part": codes})
    if complete is not None:
        keys = keys.filter(pa.array(complete))
    at = np.minimum(np.searchsorted(suspects, hashes), suspects.size - 1)
    is_suspect = suspects[at] == hashes
    keys = keys.append_column("hash", pa.array(hashes)).filter(pa.array(is_suspect))
    counted = keys.group_by(keys.column_names, use_threads=False).aggregate([([], "count_all")])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, counted.schema) as writer:
        writer.write_table(counted)
    return bytes(sink.getvalue())


def _repeated(look: KeyLook, answers: Sequence[bytes]) -> Found:
    tables = [pa.ipc.open_stream(answer).read_all() for answer in answers]
    table = pa.concat_tables(tables, promote_options="permissive")  # Decimals of any scale.
    key = [name for name in table.column_names if name.startswith("key_")]
    of_key = table.group_by([*key, "hash"]).aggregate([("count_all", "sum")])
    of_key = of_key.filter(pc.greater(of_key["count_all_sum"], 1))
    of_part = table.group_by([*key, "part"]).aggregate([("count_all", "sum")])
    shared = of_part.join(of_key.select(key), keys=key, join_type="left semi", use_threads=False)
    counts: dict[str, int] = {}
    for part, n in zip(
        shared["part"].to_pylist(), shared["count_all_sum"].to_pylist(), strict=True
    ):
        counts = add_counts(counts, {look.parts[part]: n})
    return Found(counts, _examples(look, of_key, key))


def _examples(look: KeyLook, of_key: pa.Table, key: Sequence[str]) -> tuple[Example, ...]:
    if look.plan is not None and look.plan.pii & set(look.columns):
        return ()
    first = of_key.sort_by([("hash", "ascending")]).slice(0, MAX_EXAMPLES)
    return tuple(
        sorted(
            Example(
                f"{row['hash']:016x}",
                tuple((n, str(row[k])) for n, k in zip(look.columns, key, strict=True)),
                (("rows", str(row["count_all_sum"])),),
            )
            for row in first.to_pylist()
        )
    )


def _complete(look: KeyLook, table: pa.Table) -> NDArray[np.bool_] | None:
    """The rows whose key has no null; None where all are such."""
    missing = np.zeros(table.num_rows, dtype=np.bool_)
    for name in look.columns:
        column = table.column(name)
        if column.null_count or pa.types.is_floating(column.type):
            missing |= pc.is_null(column, nan_is_null=True).to_numpy()
    return ~missing if missing.any() else None


def _hashes(
    look: KeyLook, table: pa.Table, complete: NDArray[np.bool_] | None
) -> NDArray[np.uint64]:
    """The first hash lane of each key without a null."""
    hashes: NDArray[np.uint64] = hash_rows(table, look.schema, look.columns)[0]
    return hashes if complete is None else hashes[complete]


def _plain(column: pa.ChunkedArray) -> Any:  # noqa: ANN401 - an Arrow column
    """Values that are equal where their hashes are: texts plain, no -0.0."""
    if pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    return pa.array(to_numbers(column)) if pa.types.is_floating(column.type) else column
