"""A further pass: what fitting wants beyond the profile, from the training rows alone.

Each unit answers with partial results; the driver adds them in unit order. All of them add up
exactly, so the outcome depends on the rows alone.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from mlops_ray.data.cells import decode
from mlops_ray.data.column_profile import NumberProfile
from mlops_ray.data.contract_pass import read_kept
from mlops_ray.data.exact import ExactSum
from mlops_ray.data.histogram import bucket_lower_bounds
from mlops_ray.data.measure import measure_column
from mlops_ray.data.packed import pack, unpack
from mlops_ray.data.profile import Profile
from mlops_ray.data.profile_bytes import profile_content, profile_of_content
from mlops_ray.data.row_parts import RowParts
from mlops_ray.data.split import SPLITS, assign_split
from mlops_ray.features.codes import Vocabulary
from mlops_ray.features.compiled import CompiledTransform
from mlops_ray.features.folds import Folds, fold_hashes
from mlops_ray.features.state import FeatureState
from mlops_ray.features.statistics import Numbers, TargetSums
from mlops_ray.features.target import target_values
from mlops_ray.features.wanted import TargetCounts, ValueBuckets, ValueStatistics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlops_ray.data.counts import Value
    from mlops_ray.data.rule import CheckPlan
    from mlops_ray.data.schema import Schema
    from mlops_ray.data.split import SplitRows
    from mlops_ray.data.unit import Unit
    from mlops_ray.features.wanted import Answer, Wanted

__all__ = ["RefinePlan", "refine", "refine_unit"]

_TRAIN = SPLITS.index("train")


@dataclass(frozen=True, slots=True)
class RefinePlan:
    """What a further pass looks up.

    Attributes:
        schema: Of the data.
        split: What decides a row's part; only training rows count.
        target: Target column.
        labels: The ordered classes; None for regression.
        folds: What decides a training row's fold.
        wanted: What is wanted.
        check: The contract, whose rules may set rows aside.
        transforms: The features that numbers are wanted of, compiled once a task.
    """

    schema: Schema
    split: SplitRows
    target: str
    labels: tuple[Value, ...] | None
    folds: Folds
    wanted: tuple[Wanted, ...]
    check: CheckPlan | None = None
    transforms: dict[str, CompiledTransform] = field(init=False)

    def __post_init__(self) -> None:
        """Compile each feature once, however many of its numbers are wanted."""
        features = {
            _key(item): item.feature for item in self.wanted if not isinstance(item, TargetCounts)
        }
        made = {key: CompiledTransform(FeatureState((f,))) for key, f in features.items()}
        object.__setattr__(self, "transforms", made)

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        named = [
            column
            for item in self.wanted
            for column in (
                (item.column, self.target)
                if isinstance(item, TargetCounts)
                else item.feature.columns
            )
        ]
        return list(dict.fromkeys([*named, *self.split.columns, *self.folds.columns]))

    @property
    def counted(self) -> tuple[int, ...]:
        """Classes whose shares a target encoding gives: of two the second; none for a value."""
        n = len(self.labels or ())
        return (1,) if n == 2 else tuple(range(n))


def refine_unit(plan: RefinePlan, unit: Unit) -> bytes:
    """Partial results of one unit, one for each thing wanted.

    Raises:
        ColumnError: A value cannot be used.
    """
    table = read_kept(unit, plan.schema, plan.columns, plan.check)
    rows = np.flatnonzero(assign_split(table, plan.schema, plan.split) == _TRAIN)
    if len(rows) < table.num_rows:
        table = table.take(rows)
    hashes = fold_hashes(table, plan.schema, plan.folds)
    made = {
        key: transform.values_of_table(table, hashes if transform.has_folds else None)
        for key, transform in plan.transforms.items()
    }
    answers = []
    for item in plan.wanted:
        if isinstance(item, TargetCounts):
            answers.append(_target_counts(plan, item, table, hashes))
        else:
            values = made[_key(item)][item.lane]
            answers.append(_measured(item, values))
    return json.dumps(answers).encode()


def refine(plan: RefinePlan, payloads: Sequence[bytes]) -> list[Answer]:
    """What was wanted, from the answers of all units in their order."""
    by_unit = [json.loads(payload) for payload in payloads]
    return [
        _merged(plan, item, [answers[at] for answers in by_unit])
        for at, item in enumerate(plan.wanted)
    ]


def _key(item: ValueStatistics | ValueBuckets) -> str:
    """Equal for equal features, whose numbers are computed once."""
    return json.dumps(item.feature.to_json(), sort_keys=True)


def _measured(item: ValueStatistics | ValueBuckets, values: NDArray[np.float64]) -> Any:  # noqa: ANN401 - JSON
    if isinstance(item, ValueStatistics):
        cells = decode(pa.array(values), "float")  # NaN counts as missing.
        (column,) = measure_column(cells, "float", RowParts.whole(values.size))
        profile = Profile(values.size, {item.name: column})
        return base64.b64encode(pack(*profile_content(profile))).decode()
    inside = np.zeros(values.size, dtype=np.bool_)
    for bucket in item.buckets:
        inside |= _in_bucket(values, bucket)
    return base64.b64encode(np.sort(values[inside] + 0.0).tobytes()).decode()


def _in_bucket(values: NDArray[np.float64], bucket: int) -> NDArray[np.bool_]:
    """A bucket holds its bound nearer to zero, and not the other one."""
    if bucket < 0:
        beyond, bound = bucket_lower_bounds([bucket - 1, bucket])
        return np.asarray((values > beyond) & (values <= bound), dtype=np.bool_)
    bound, beyond = bucket_lower_bounds([bucket, bucket + 1])
    return np.asarray((values >= bound) & (values < beyond), dtype=np.bool_)


def _target_counts(
    plan: RefinePlan, item: TargetCounts, table: pa.Table, hashes: NDArray[np.uint64]
) -> Any:  # noqa: ANN401 - JSON
    """Rows, and one sum a label, of each filled pair of fold and code."""
    codes = Vocabulary(item.column, item.dtype, item.categories).codes(table.column(item.column))
    folds = (hashes % np.uint64(item.n_folds)).astype(np.int64)
    target = target_values(table.column(plan.target), plan.schema, plan.target, plan.labels)
    n_codes = len(item.categories) + 2
    cells = folds * n_codes + codes
    order = np.argsort(cells, kind="stable")
    filled, starts = np.unique(cells[order], return_index=True)
    found = []
    for cell, rows in zip(filled.tolist(), np.split(order, starts)[1:], strict=True):
        part = target[rows]
        sums: list[Any] = [int((part == label).sum()) for label in plan.counted]
        if plan.labels is None:
            sums = [ExactSum.of(part.astype(np.float64)).to_json()]
        found.append([*divmod(cell, n_codes), rows.size, sums])
    return found


def _merged(plan: RefinePlan, item: Wanted, parts: list[Any]) -> Answer:
    if isinstance(item, ValueStatistics):
        return Numbers.of(NumberProfile.merged([_profile(part) for part in parts]), item.name)
    if isinstance(item, ValueBuckets):
        return np.sort(np.frombuffer(b"".join(map(base64.b64decode, parts)), np.float64))
    return _sums(plan, item, parts)


def _profile(part: str) -> NumberProfile:
    (profile,) = profile_of_content(*unpack(base64.b64decode(part))).columns.values()
    if not isinstance(profile, NumberProfile):
        raise TypeError(f"no numbers: {type(profile).__name__}")
    return profile


def _sums(plan: RefinePlan, item: TargetCounts, parts: list[Any]) -> TargetSums:
    names = ("",) if plan.labels is None else tuple(str(plan.labels[at]) for at in plan.counted)
    meanings: list[Value | None] = [*item.categories, None, None]  # None is unseen: there is none.
    rows: dict[tuple[int, Value | None], int] = {}
    sums: dict[tuple[int, Value | None], tuple[ExactSum, ...]] = {}
    for fold, code, n, found in (cell for part in parts for cell in part):
        key = (fold, meanings[code])
        added = tuple(
            ExactSum.from_json(one) if plan.labels is None else ExactSum.of_constant(1.0, one)
            for one in found
        )
        before = sums.get(key)
        rows[key] = rows.get(key, 0) + n
        sums[key] = tuple(a + b for a, b in zip(before, added, strict=True)) if before else added
    return TargetSums(names, item.n_folds, rows, sums)
