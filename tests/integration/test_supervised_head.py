"""A head that loses a process comes back by itself, and so does the run that it carried."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
import pytest

sys.path.append(str(Path(__file__).parents[1] / "faults"))

from determinism_campaign import environment, waits
from kill_processes import is_in
from killed_run import Place, problems_of, write_project
from ray_head import running_head
from search_ledger import Ledger, n_redone, steps_begun
from search_runs import Notes

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="cluster/head is for Linux"),
]

SLOTS = 2
SEARCH = {"search": {"trials": 10, "space": {"C": {"log_uniform": [0.1, 10]}}}}


def test_killed_under_a_search_it_comes_back_and_the_command_goes_on_by_itself(tmp_path):
    project, notes = write_project(tmp_path / "project", changes=SEARCH), Notes(tmp_path / "ledger")
    notes.forget()
    disturbed = environment(waits(6, 0.6, DISTURBED_LEDGER=str(notes.path)))
    with running_head(SLOTS, disturbed) as head:
        place = Place.made(project, tmp_path / "place", head)
        ledger = Ledger(place.store)
        started = place.start(MLOPS_RAY_HEAD_TIMEOUT_S="120")
        is_there = is_in(started, "search") and started.awaits(lambda: len(ledger.lines()) >= 2)
        (control_store,) = (p for p in head.processes("gcs_server") if p.name() == "gcs_server")
        control_store.kill()
        control_store.wait(30)
        is_restarted = started.awaits(lambda: len(head.said("takes jobs")) == 2)
        kept, n_begun = ledger.kept(), len(notes.of("begun"))
        line = started.ended()
        redone, again = n_redone(notes), steps_begun(notes, n_begun) & kept
        whole = Place.made(project, tmp_path / "whole", head).run()
        problems = problems_of(place)

    assert (is_there, is_restarted) == (True, True), line["stderr"]
    assert (line["code"], line.get("result_id")) == (0, whole["result_id"]), line["stderr"]
    assert f":{head.port} is lost: its node on this machine has ended" in line["stderr"]
    assert "trials are known from a search that was cut off" in line["stderr"]
    assert (again, problems) == (set(), [])
    assert redone <= SLOTS
    assert not any(_is_of(process, head.pid) for process in psutil.process_iter())


def _is_of(process, session):
    try:
        return process.status() != psutil.STATUS_ZOMBIE and os.getsid(process.pid) == session
    except (psutil.NoSuchProcess, ProcessLookupError):
        return False
