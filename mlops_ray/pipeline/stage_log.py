"""Records each stage while it runs: its key, its time, its outputs, what did the work."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mlops_ray.manifest import StageFacts, StageOutputs, digest_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_ray.telemetry.progress import Progress

__all__ = ["STAGES", "StageLog", "StageNotes"]

STAGES: Final = (
    "ingest",
    "split",
    "profile",
    "features",
    "search",
    "refit",
    "evaluate",
    "gate",
)


@dataclass(slots=True)
class StageNotes:
    """What a stage writes down about itself.

    Attributes:
        outputs: Name of an output -> its digest.
        facts: Counters of the engine that did the work.
    """

    outputs: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


class StageLog:
    """The stages of one run, in their order."""

    def __init__(self, code: str, progress: Progress) -> None:
        self._code = code
        self._progress = progress
        self.facts: list[StageFacts] = []
        self.outputs: list[StageOutputs] = []

    @contextmanager
    def stage(
        self,
        name: str,
        *,
        engine: str,
        inputs: dict[str, str],
        params: Any,  # noqa: ANN401 - JSON
    ) -> Iterator[StageNotes]:
        """Time a block as a stage; it is recorded only if it ends without an error.

        Args:
            name: One of `STAGES`.
            engine: ``ray_data``, ``ray_tune``, ``ray_task`` or ``driver``.
            inputs: Name of an input -> its digest.
            params: What is declared for the stage.
        """
        key = digest_json(
            {
                "schema": "mlops-ray/stage-key/v1",
                "stage": name,
                "inputs": inputs,
                "params": params,
                "code": self._code,
            }
        )
        notes = StageNotes()
        started = time.monotonic()
        self._progress.stage_started(name, STAGES.index(name) + 1, len(STAGES))
        yield notes
        wall_s = time.monotonic() - started
        self._progress.stage_finished(name, wall_s)
        self.outputs.append(StageOutputs(name=name, outputs=notes.outputs))
        self.facts.append(
            StageFacts(
                name=name,
                key=key,
                cache="miss",
                wall_s=round(wall_s, 3),
                engine=engine,
                facts=notes.facts,
            )
        )
