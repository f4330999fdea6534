"""Where two feature sets differ: which steps, and which fitted values."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlops_ray.features.feature_set import FeatureSet

__all__ = ["FeatureSetDiff", "ValuePair", "diff_feature_sets"]


@dataclass(frozen=True, slots=True)
class ValuePair:
    """A value in both sets; None where a set has none."""

    a: Any
    b: Any


@dataclass(frozen=True, slots=True)
class FeatureSetDiff:
    """What two sets do not have in common.

    Attributes:
        a: Digest of the first.
        b: Digest of the second.
        differs: ``inputs``, ``outputs``, ``steps``, ``fitted``, ``data``, ``functions``, ``folds``
            and ``examples`` -> what -> both values; only where they differ.
    """

    a: str
    b: str
    differs: dict[str, dict[str, ValuePair]]

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs."""
        return not self.differs

    def to_json(self) -> dict[str, Any]:
        """The content of ``mlops-ray/feature_set_diff/v1``."""
        differs = {
            member: {what: asdict(pair) for what, pair in pairs.items()}
            for member, pairs in self.differs.items()
        }
        return {"a": self.a, "b": self.b, "differs": differs}


def diff_feature_sets(a: FeatureSet, b: FeatureSet) -> FeatureSetDiff:
    """Compare two sets, feature by feature and step by step.

    A fitted value is named ``FEATURE.NUMBER.STEP.VALUE``, where the number counts the steps from 0.
    """
    members = [dict(_members(item)) for item in (a, b)]
    found = {name: _pairs(members[0][name], members[1][name]) for name in members[0]}
    differs = {name: pairs for name, pairs in found.items() if pairs}
    return FeatureSetDiff(a.digest, b.digest, differs)


def _pairs(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, ValuePair]:
    names = list(dict.fromkeys([*a, *b]))
    return {n: ValuePair(a.get(n), b.get(n)) for n in names if a.get(n) != b.get(n)}


def _members(item: FeatureSet) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "inputs", dict(item.inputs)
    yield "outputs", {name: at for at, name in enumerate(item.outputs)}
    yield "steps", dict(_steps(item))
    yield "fitted", dict(_fitted(item))
    content = item.to_json()
    yield "data", content["fitted_on"]
    yield (
        "functions",
        {f"{f.name}.{path}": d for f in item.functions for path, d in f.files.items()},
    )
    yield "folds", content.get("folds", {})
    yield "examples", {str(at): text for at, text in enumerate(content["examples"])}


def _steps(item: FeatureSet) -> Iterator[tuple[str, Any]]:
    for declared in item.declared:
        for at, step in enumerate(declared.steps):
            options = {name: value for name, value in step.items() if name != "step"}
            yield f"{declared.column}.{at}.{step['step']}", options


def _fitted(item: FeatureSet) -> Iterator[tuple[str, Any]]:
    for declared, feature in zip(item.declared, item.state.features, strict=True):
        for at, step in enumerate(feature.steps):
            for lane, fitted in enumerate(step.fitted):
                place = f"{declared.column}.{at}.{step.name}"
                place = place if len(step.fitted) == 1 else f"{place}.{lane}"
                yield from ((f"{place}.{name}", value) for name, value in fitted.items())
