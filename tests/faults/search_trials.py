"""Configurations and slots that misbehave in a search. A part of `search_campaign`."""

from __future__ import annotations

import json
import signal
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil
from determinism_campaign import environment
from killed_run import Place, problems_of
from search_runs import N_TRIALS, Notes, overrides_of, slot_signalled, write_project

from mlops_ray.search.trial import TrialRecord, read_trial_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

STATUS = {"nan": "invalid", "hang": "timed_out", "allocate": "out_of_memory"}
INDEX = 3  # Of the configuration that misbehaves.
TIMEOUT_S = 15.0
ATTEMPTS = 3
MEMORY_BYTES = 4 * 2**30  # More than is in use now, then Ray ends who takes more.


@dataclass
class Misbehaviour:
    """Runs of one project, on clusters of their own, in each of which something goes wrong.

    Attributes:
        folder: For everything.
        expect: Notes what is not as it has to be.
        most_s: How long a run may take.
    """

    folder: Path
    expect: Callable[[bool, str], None]
    most_s: float = 0.0

    def all(self, faults: Sequence[str]) -> dict[str, Any]:
        """One run a fault; the other records have to be those of a run without."""
        self.folder.mkdir()
        project = write_project(self.folder / "project")
        undisturbed, line = self._run(project, "undisturbed")
        self.most_s = line["took_s"] + ATTEMPTS * (TIMEOUT_S + 10.0)
        outcome: dict[str, Any] = {"undisturbed": {"took_s": line["took_s"]}}
        for fault in faults:
            if fault == "stop":
                outcome[fault] = self._stopped(project, undisturbed)
            elif fault == "all nan":
                outcome[fault] = self._all_nan(project)
            else:
                outcome[fault] = self._one(project, fault, undisturbed)
        return outcome

    def _one(self, project: Path, fault: str, undisturbed: list[TrialRecord]) -> dict[str, Any]:
        """One configuration meets with something, every time it is tried."""
        variables = {"DISTURBED_TRIALS": json.dumps({INDEX: fault})}
        if fault == "allocate":
            variables["RAY_memory_usage_threshold"] = f"{_share_of_memory(MEMORY_BYTES):.4f}"
        records, line = self._run(project, fault, variables)
        self.expect(line["code"] == 0, f"{fault}: ended with {line['code']}: {line['stderr']}")
        self.expect(_without(records) == _without(undisturbed), f"{fault}: other records")
        status = next((record.status for record in records if record.index == INDEX), "none")
        self.expect(status == STATUS[fault], f"{fault}: the status is {status}")
        wanted = "deterministic" if fault == "nan" else "replayable"
        self.expect(line.get("determinism") == wanted, f"{fault}: {line.get('determinism')}")
        self.expect(line["took_s"] < self.most_s, f"{fault}: took {line['took_s']} s")
        return {"status": status, "took_s": line["took_s"]}

    def _stopped(self, project: Path, undisturbed: list[TrialRecord]) -> dict[str, Any]:
        """A slot stands still once; its configuration is tried again by another."""
        records, line = self._run(project, "stop", stops=True)
        self.expect(records == undisturbed, f"stop: other records: {line['stderr']}")
        self.expect(line.get("determinism") == "deterministic", "stop: not deterministic")
        self.expect(line["took_s"] < self.most_s, f"stop: took {line['took_s']} s")
        return {"took_s": line["took_s"]}

    def _all_nan(self, project: Path) -> dict[str, Any]:
        """No configuration gives a number: exit 3 with the reason."""
        every = json.dumps(dict.fromkeys(range(N_TRIALS), "nan"))
        _, line = self._run(project, "all nan", {"DISTURBED_TRIALS": every})
        self.expect(line["code"] == 3, f"all nan: ended with {line['code']}")
        says = f"{N_TRIALS} x the objective is not a finite number"
        self.expect(says in line["stderr"], f"all nan: says {line['stderr']}")
        return {"code": line["code"]}

    def _run(
        self,
        project: Path,
        fault: str,
        variables: dict[str, str] | None = None,
        *,
        stops: bool = False,
    ) -> tuple[list[TrialRecord], dict[str, Any]]:
        name = fault.replace(" ", "-")
        notes = Notes(self.folder / f"{name}.ledger")
        notes.forget()
        place = Place.made(project, self.folder / name, None)
        # Taking memory lasts longer on a busy machine; nothing but memory is to end that.
        hangs = [f"search.timeout_s={TIMEOUT_S}"] if fault in {"hang", "stop"} else []
        place.overrides = [*overrides_of("tpe", 1), *hangs]
        own = {"DISTURBED_LEDGER": str(notes.path), "MLOPS_RAY_IN_PROCESS_BELOW_BYTES": "1000000"}
        place.variables = environment({**(variables or {}), **own})
        started = time.monotonic()
        with ExitStack() as stack:
            if stops:
                stack.enter_context(slot_signalled(notes, INDEX, signal.SIGSTOP))
            line = place.run()
        line["took_s"] = round(time.monotonic() - started, 1)
        for problem in problems_of(place):
            self.expect(False, f"{fault}: {problem}")
        if line["code"] != 0:
            return [], line
        search = place.records.run(line["run_id"]).result.search
        return read_trial_table(place.records.workspace.store.get(search.trials)), line


def _without(records: list[TrialRecord]) -> list[TrialRecord]:
    return [record for record in records if record.index != INDEX]


def _share_of_memory(more_bytes: int) -> float:
    memory = psutil.virtual_memory()
    return min(0.95, float((memory.total - memory.available + more_bytes) / memory.total))
