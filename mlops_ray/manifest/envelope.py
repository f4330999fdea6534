"""The envelope: who, when, under which circumstances; the only document with times.

It also lists every object the run needs, so that `verify` can check a run without knowing what the
objects mean, and an export knows what to take along.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from mlops_ray.manifest.document import Document, Part

__all__ = ["Envelope", "ErrorFacts", "ObjectFacts", "StageFacts", "State"]

State = Literal["running", "sealed", "rejected", "failed", "interrupted"]


class ObjectFacts(Part):
    """An object in the store and the part it plays in the run."""

    role: str
    sha256: str
    size_bytes: int


class StageFacts(Part):
    """How one stage was executed.

    Attributes:
        key: Digest of its inputs' digests, its parameters and its code.
        cache: ``hit`` where a stored output was reused, else ``miss``.
        engine: What did the work: ``ray_data``, ``ray_tune``, ``ray_task`` or ``driver``.
        facts: Counters of that engine, such as tasks or trials.
    """

    name: str
    key: str
    cache: Literal["hit", "miss"]
    wall_s: float
    engine: str
    facts: dict[str, Any] = Field(default_factory=dict)


class ErrorFacts(Part):
    """Why a run failed or was rejected."""

    code: str
    message: str


class Envelope(Document):
    """The circumstances of one run."""

    schema_: str = "mlops-ray/envelope/v1"
    run_id: str
    name: str
    state: State
    spec_id: str
    result_id: str | None = None
    actor: str
    trigger: str
    parent: str | None = None
    started_at: str
    finished_at: str
    origins: dict[str, str]
    source: str
    git: dict[str, Any]
    platform: dict[str, Any]
    cluster: dict[str, Any]
    stages: list[StageFacts]
    wall_s: float
    ray_start_s: float
    peak_pss_bytes: int | None = None
    error: ErrorFacts | None = None
    log: str
    objects: list[ObjectFacts]
