"""What is learned from what, and what the pass counts of it: features beside the target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from mlops_ray.data.cells import TextCells
from mlops_ray.data.dyadic import distinct_of
from mlops_ray.data.joint import JointCounts
from mlops_ray.data.row_sample import RowSample

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from mlops_ray.data.cells import Counted

__all__ = ["Supervision", "TargetCounts", "may_be_id"]

_GLANCE_ROWS: Final = 4096
_N_KINDS: Final = 3  # Arrays of a joint.


@dataclass(frozen=True, slots=True)
class Supervision:
    """The roles of columns.

    Attributes:
        target: The column that is predicted.
        features: Columns that it is predicted from.
    """

    target: str
    features: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        """All of them, each once."""
        return list(dict.fromkeys([*self.features, self.target]))


@dataclass(frozen=True, slots=True)
class TargetCounts:
    """Counts of a part of the split; those of parts add up exactly.

    Attributes:
        joints: Feature -> its counts beside the target.
        sample: Rows by their content: features and target.
    """

    joints: dict[str, JointCounts]
    sample: RowSample

    @classmethod
    def merged(cls, parts: Sequence[TargetCounts]) -> Self:
        """Counts of all parts together; their order does not matter."""
        names = parts[0].joints
        joints = {name: JointCounts.merged([part.joints[name] for part in parts]) for name in names}
        return cls(joints, RowSample.merged([part.sample for part in parts]))

    def content(self) -> tuple[dict[str, Any], list[NDArray[Any]]]:
        """As a JSON value and few arrays, for `data.packed.pack`."""
        level, arrays = self.sample.content()
        parts = [joint.arrays() for joint in self.joints.values()]
        sizes = np.array([array.size for part in parts for array in part], dtype=np.int64)
        joined = [np.concatenate(kind) for kind in zip(*parts, strict=True)]
        facts = [[name, *joint.facts()] for name, joint in self.joints.items()]
        return {"sample": level, "joints": facts}, [*arrays, sizes, *joined]

    @classmethod
    def of_content(cls, value: dict[str, Any], arrays: Iterator[NDArray[Any]]) -> Self:
        """The inverse of `content`; takes its arrays off the front."""
        sample = RowSample.of_content(value["sample"], arrays)
        if not value["joints"]:
            next(arrays)
            return cls({}, sample)
        ends = np.cumsum(next(arrays).reshape(-1, _N_KINDS), axis=0)[:-1]
        kinds = [np.split(next(arrays), ends[:, kind]) for kind in range(_N_KINDS)]
        parts = zip(value["joints"], zip(*kinds, strict=True), strict=True)
        joints = {name: JointCounts.of_parts(facts, own) for (name, *facts), own in parts}
        return cls(joints, sample)


def may_be_id(cells: Counted) -> bool:
    """Whether a unit's rows hold no value twice and no null, as far as a quick look tells.

    Example:
        >>> import pyarrow as pa
        >>> from mlops_ray.data.cells import decode
        >>> may_be_id(decode(pa.array([3, 1, 3]), "integer"))
        False
    """
    if isinstance(cells, TextCells):
        counts = np.bincount(cells.codes, minlength=len(cells.values) + 1)
        return not counts[-1] and int(counts.max(initial=0)) < 2
    if cells.is_float or cells.nulls is not None:
        return False
    values = cells.values
    return all(distinct_of(some).size == some.size for some in (values[:_GLANCE_ROWS], values))
