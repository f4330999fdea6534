"""The envelope: who, when, under which circumstances; the only document with times.

It also lists every object the run needs, so that `verify` can check a run without knowing what the
objects mean, and an export knows what to take along.
"""

from __future__ import annotations

import operator
from typing import Any, Literal

from pydantic import Field

from mlops_ray.manifest.document import Document, Part

__all__ = ["Envelope", "ErrorFacts", "InputProtection", "ObjectFacts", "StageFacts", "State"]

State = Literal["running", "sealed", "rejected", "failed", "interrupted"]


class ObjectFacts(Part):
    """An object in the store and the part it plays in the run.

    Attributes:
        role: That part, such as ``bundle``.
        sha256: Its digest, which is its name in the store.
        size_bytes: Its size.
        intermediate: Whether it can be computed again, such as a matrix: a check does not miss it
            and an export leaves it out.
    """

    role: str
    sha256: str
    size_bytes: int
    intermediate: bool = Field(default=False, exclude_if=operator.not_)


class InputProtection(Part):
    """What would have shown that an input file was damaged before it was read.

    Attributes:
        name: Name of the input.
        by: ``known_digest`` where its digest was known before the run, declared or from a copy in
            the store; ``page_checksums`` where the writer left some; else ``nothing``.
    """

    name: str
    by: Literal["known_digest", "page_checksums", "nothing"]


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
    """The circumstances of one run.

    Attributes:
        parent: Run that this one continues, such as one that was killed.
        origins: Where each declared value came from: ``default``, ``file``, ``env`` or ``cli``.
        source: Where the input was read, as given; of an absolute path the last part alone. A query
            with the name of the variable that held the database's URL.
        inputs: What protected each input; absent before 1.2.
        read_at: When its bytes were digested.
        platform: Kind of machine; what of it can change bits is the CPU level and the C library.
        lock: Digest of the list of all packages, an object in the store.
        image_digest: Digest of the container image, where whoever started it told.
        ray_job_id: Under which Ray's own logs file the run.
        cpu_seconds: CPU time of the process tree; absent on a joined cluster, whose workers are
            not part of it.
        objects: All that the run needs, by digest.
    """

    schema_: Literal["mlops-ray/envelope/v1"] = "mlops-ray/envelope/v1"
    schema_version: str = "1.2"
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
    inputs: list[InputProtection] = Field(default_factory=list, exclude_if=operator.not_)
    read_at: str | None = None
    git: dict[str, Any]
    platform: dict[str, Any]
    lock: str | None = None
    image_digest: str | None = None
    cluster: dict[str, Any]
    ray_job_id: str | None = None
    stages: list[StageFacts]
    wall_s: float
    ray_start_s: float
    cpu_seconds: float | None = None
    peak_pss_bytes: int | None = None
    error: ErrorFacts | None = None
    log: str
    objects: list[ObjectFacts]
