"""Working on units with Ray Data: the same answers as in one process, on all CPUs of a cluster.

Only the units' descriptions travel to the workers; each task reads its own rows and answers with a
few bytes a unit. A foreseen error is an answer too, so that of several failing units the first one
is reported, whichever task was faster.
"""

from __future__ import annotations

import json
import math
import sys
import threading
import warnings
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

import pyarrow as pa
import ray
import ray.data
from ray.data._internal.execution.resource_manager import ResourceManager  # noqa: TID251
from ray.exceptions import RayError, RayTaskError

from mlops_ray.data.quick_start import without_helpers
from mlops_ray.data.unit_map import add_answer, falling_runs
from mlops_ray.errors import ClusterError, MlopsRayError, Where

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mlops_ray.data.unit import Unit
    from mlops_ray.data.unit_map import Combine

__all__ = ["MapStats", "RayDataMap"]

# Tasks become smaller from round to round, so that CPUs finish together; between two tasks a CPU
# waits a quarter of a second for Ray Data.
_TASKS_PER_CPU: Final = 3
_MAX_UNITS_A_TASK: Final = 64  # What a lost worker takes with it stays bounded.
_LIMITS_EVERY_S: Final = 0.05
_ANSWER: Final = pa.schema(
    [("index", pa.int64()), ("payload", pa.large_binary()), ("error", pa.large_string())]
)


@dataclass(frozen=True, slots=True)
class MapStats:
    """What a call did, for the record of the run.

    Attributes:
        n_units: Units worked on.
        n_tasks: Ray tasks they were dealt to.
        engine: Always ``ray_data``.
    """

    n_units: int
    n_tasks: int
    engine: Literal["ray_data"] = "ray_data"


class RayDataMap:
    """A `UnitMap` on the running Ray cluster.

    Args:
        is_private: Whether the cluster was started for this run, and nobody watches it.

    Attributes:
        last_stats: What the last call did; None before the first.
    """

    def __init__(self, *, is_private: bool = False) -> None:
        self.last_stats: MapStats | None = None
        self._helpers = without_helpers if is_private else nullcontext

    def __call__(
        self, fn: Callable[[Unit], bytes], units: Sequence[Unit], combine: Combine | None = None
    ) -> list[bytes]:
        """Answers of `fn` in the order of `units`.

        Args:
            fn: Picklable; a pure function of its unit.
            units: What to work on; files have to be readable on every node.
            combine: Makes one answer of those of a task; see `UnitMap`.

        Raises:
            MlopsRayError: What `fn` raised for the first failing unit.
            ClusterError: A task was lost with its worker, or no cluster is running.
        """
        if not ray.is_initialized():
            raise ClusterError("Ray is not running", hint="connect to a cluster first")
        if not units:
            return []
        ordered = list(units)
        parts = _dealt(len(ordered), _n_cpus())
        blocks = [pa.table({"index": part}) for part in parts]
        with _SETTINGS.quiet(), self._helpers():
            # Not from Arrow: it would start a task a block to count the rows.
            dataset = ray.data.from_blocks(blocks).map_batches(
                partial(_work, fn=fn, units=ordered, combine=combine),
                batch_size=None,
                batch_format="pyarrow",
            )
            answers = _collected(dataset)
        self.last_stats = MapStats(len(ordered), len(parts))
        return _payloads(answers)


def _n_cpus() -> int:
    resources = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return max(1, int(resources.get("CPU", 1)))


def _dealt(n_units: int, n_cpus: int) -> list[range]:
    rounds = max(_TASKS_PER_CPU, math.ceil(n_units / (n_cpus * _MAX_UNITS_A_TASK)))
    return falling_runs(n_units, n_cpus, rounds)


def _work(
    batch: pa.Table, fn: Callable[[Unit], bytes], units: list[Unit], combine: Combine | None
) -> pa.Table:
    """Inside a task: one row of answer a unit, or one for all of them; or the first error."""
    indices: list[int] = batch.column("index").to_pylist()
    answers: list[bytes] = []
    for index in indices:
        try:
            add_answer(answers, fn(units[index]), combine)
        except MlopsRayError as error:
            row = {"index": index, "payload": None, "error": _written(error)}
            return pa.Table.from_pylist([row], schema=_ANSWER)
    if combine is not None:
        indices, answers = indices[:1], [combine(answers)]
    rows = [
        {"index": index, "payload": answer, "error": None}
        for index, answer in zip(indices, answers, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=_ANSWER)


class _Settings:
    """Of Ray Data, for the calls of this process: changed by the first, restored by the last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_calls = 0
        self._restore = ExitStack()

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Rows in order and nothing drawn on the terminal, while a call lasts."""
        with self._lock:
            if not self._n_calls:
                self._restore.enter_context(_quiet_context())
            self._n_calls += 1
        try:
            yield
        finally:
            with self._lock:
                self._n_calls -= 1
                if not self._n_calls:
                    self._restore.close()


_SETTINGS: Final = _Settings()


@contextmanager
def _quiet_context() -> Iterator[None]:
    """The settings; those before are restored afterwards."""
    with warnings.catch_warnings():
        # Ray's context sets its own deprecated field when it is made.
        warnings.simplefilter("ignore", DeprecationWarning)
        context = ray.data.DataContext.get_current()
    kept = (
        context.execution_options.preserve_order,
        context.enable_progress_bars,
        context.print_on_execution_start,
        context.memory_usage_poll_interval_s,
        ResourceManager.GLOBAL_LIMITS_UPDATE_INTERVAL_S,
    )
    context.execution_options.preserve_order = True
    context.enable_progress_bars = context.print_on_execution_start = False
    context.memory_usage_poll_interval_s = None
    # Ray Data asks what the cluster has, does not wait for the answer, and looks for it a second
    # later; until then it runs one task on all CPUs. There is no public setting.
    ResourceManager.GLOBAL_LIMITS_UPDATE_INTERVAL_S = _LIMITS_EVERY_S  # type: ignore[assignment]
    try:
        yield
    finally:
        context.execution_options.preserve_order = kept[0]
        context.enable_progress_bars, context.print_on_execution_start = kept[1:3]
        context.memory_usage_poll_interval_s = kept[3]
        ResourceManager.GLOBAL_LIMITS_UPDATE_INTERVAL_S = kept[4]


def _collected(dataset: ray.data.Dataset) -> list[dict[str, Any]]:
    try:
        tables = ray.get(dataset.to_arrow_refs())
    except RayTaskError as error:
        # What arises while the function arrives, Ray has wrapped.
        cause = getattr(error.cause, "client_exc", error.cause)
        if isinstance(cause, MlopsRayError):
            raise cause from None
        raise  # Unforeseen: a bug, whose own traceback Ray has put in.
    except RayError as error:
        last_line = str(error).strip().splitlines()[-1]
        hint = "the cause stands in the run's log"
        raise ClusterError("a Ray Data task was lost", last_line, hint=hint) from error
    rows = [row for table in tables for row in table.to_pylist()]
    return sorted(rows, key=lambda row: row["index"])


def _payloads(answers: list[dict[str, Any]]) -> list[bytes]:
    for answer in answers:
        if answer["error"] is not None:
            raise _read(answer["error"])
    return [answer["payload"] for answer in answers]


def _written(error: MlopsRayError) -> str:
    fields = (error.what, error.got, error.wanted, error.hint, error.where)
    return json.dumps([type(error).__name__, *fields])


def _read(text: str) -> MlopsRayError:
    name, what, got, wanted, hint, where = json.loads(text)
    # Not from the package, all of whose lazy names would then count as code of ingest.
    kind: type[MlopsRayError] = getattr(sys.modules[MlopsRayError.__module__], name)
    return kind(what, got, wanted, hint, Where(*where))
