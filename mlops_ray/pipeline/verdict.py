"""Whether a run that was executed again gave what it had given: the first difference, and why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_ray.manifest import Result

__all__ = ["DEFAULT_TOLERANCE", "FirstDifference", "VerdictName", "first_difference", "verdict_of"]

VerdictName: TypeAlias = Literal["IDENTICAL", "EQUIVALENT", "DIFFERENT"]
DEFAULT_TOLERANCE: Final = 1e-6


@dataclass(frozen=True, slots=True)
class FirstDifference:
    """The first output, in the order of the stages, that is not the recorded one.

    Attributes:
        stage: Its stage; ``result`` where all stages agree and only the result differs.
        output: Its name.
        expected: Recorded digest.
        got: Digest of the second execution.
    """

    stage: str
    output: str
    expected: str
    got: str


def first_difference(recorded: Result, again: Result) -> FirstDifference | None:
    """Where two results part; None where they are the same, bit for bit."""
    if recorded.digest == again.digest:
        return None
    second = {stage.name: stage.outputs for stage in again.stages}
    for stage in recorded.stages:
        for output, expected in sorted(stage.outputs.items()):
            got = second.get(stage.name, {}).get(output, "nothing")
            if got != expected:
                return FirstDifference(stage.name, output, expected, got)
    return FirstDifference("result", "result", recorded.digest, again.digest)


def verdict_of(
    recorded: Result, again: Result, environment: Sequence[str], tolerance: float
) -> tuple[VerdictName, str]:
    """The verdict and the likely cause of what differs.

    Bits may differ without anything being wrong only where something is known that makes them
    differ; so two results with close metrics in one and the same environment are DIFFERENT.

    Args:
        recorded: Result of the run.
        again: Result of its second execution.
        environment: What of the environment differs, in words.
        tolerance: Largest relative difference of a metric that counts as equivalent.

    Returns:
        Verdict, and cause; empty for IDENTICAL.
    """
    found = first_difference(recorded, again)
    if found is None:
        return "IDENTICAL", ""
    if not environment:
        return "DIFFERENT", _unexplained(found.stage, recorded.determinism)
    cause = f"another environment: {'; '.join(environment)}"
    if _same_rows(recorded, again) and _metrics_agree(recorded, again, tolerance):
        return "EQUIVALENT", f"{cause}; metrics agree within {tolerance:g}"
    return "DIFFERENT", cause


def _unexplained(stage: str, determinism: str) -> str:
    if determinism == "replayable":
        return (
            f"stage {stage} gave other bits, although what a clock or the memory had decided was "
            "taken over; the code of older versions takes nothing over"
        )
    return (
        f"stage {stage} gave other bits from the same data, code, packages and processor class: "
        "something in it is not deterministic, or the store was not the one that was recorded"
    )


def _same_rows(recorded: Result, again: Result) -> bool:
    return recorded.data == again.data and recorded.split == again.split


def _metrics_agree(recorded: Result, again: Result, tolerance: float) -> bool:
    first, second = _metrics(recorded), _metrics(again)
    return first.keys() == second.keys() and all(
        math.isclose(value, second[name], rel_tol=tolerance, abs_tol=0.0)
        or (math.isnan(value) and math.isnan(second[name]))
        for name, value in first.items()
    )


def _metrics(result: Result) -> Mapping[tuple[str, str], float]:
    return {(metric.split, metric.name): metric.value for metric in result.metrics}
