"""The trial ledger: whole lines only, one writer, and a search that goes on after a kill."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time

import pytest

from mlops_ray.errors import BusyError, StoreError
from mlops_ray.search import ledger as ledger_module
from mlops_ray.search.ledger import open_ledger
from mlops_ray.search.trial import TrialRecord

KEY = "a" * 64
RECORDS = [
    TrialRecord(i, {"x": i / 3}, str(i), "finished", i / 7, {"mae": i / 7}) for i in range(5)
]

# A search without Ray: each trial notes in a file that it was run.
SEARCH = """
import sys
from pathlib import Path
from mlops_ray.config.search_space import Dimension
from mlops_ray.pipeline.stage_cache import remove_journal
from mlops_ray.search.dispatch import Dispatch
from mlops_ray.search.ledger import open_ledger
from mlops_ray.search.agenda import Agenda
from mlops_ray.search.searchers.random import RandomSearcher
from mlops_ray.search.trial import TrialRecord, trial_table

folder = Path(sys.argv[1])
agenda = Agenda(RandomSearcher({"x": Dimension(kind="uniform", values=[0, 1])}, 3), 6, 2, 3)
with open_ledger(folder / ("a" * 64 + ".jsonl")) as ledger:
    dispatch = Dispatch(agenda, ledger.append, known=ledger.records)
    while not dispatch.is_done:
        step = dispatch.give("slot")
        with (folder / "run").open("a") as notes:
            notes.write(f"{step.index}\\n")
        value = step.params["x"]
        dispatch.take(
            "slot", TrialRecord(step.index, dict(step.params), str(step.seed), "finished", value)
        )
(folder / "table").write_bytes(trial_table(agenda.records))
remove_journal(folder / ("a" * 64 + ".jsonl"))
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / f"{KEY}.jsonl"


def _write(path, records=RECORDS):
    with open_ledger(path) as ledger:
        for record in records:
            ledger.append(record)


def _read(path):
    with open_ledger(path) as ledger:
        return ledger.records


def test_what_was_written_is_read(path):
    _write(path, RECORDS[:2])
    _write(path, RECORDS[2:])

    assert _read(path) == RECORDS


def test_cut_off_anywhere_every_line_that_was_whole_is_kept_and_writing_goes_on(path):
    _write(path)
    data = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(data) if byte == ord("\n")]

    for length in range(len(data)):
        path.write_bytes(data[:length])
        n_whole = sum(end <= length for end in ends) - 1  # The first line is no record.
        assert _read(path) == RECORDS[: max(n_whole, 0)]
        _write(path, RECORDS[max(n_whole, 0) :])
        assert path.read_bytes() == data


def test_a_changed_byte_drops_its_line_and_those_after_it_only(path):
    _write(path)
    data = path.read_bytes()
    starts = [0, *(i + 1 for i, byte in enumerate(data[:-1]) if byte == ord("\n"))]

    for position in range(len(data)):
        path.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        n_before = sum(start <= position for start in starts) - 2
        assert _read(path) == RECORDS[: max(n_before, 0)]


def test_a_ledger_of_another_key_is_no_answer(path, tmp_path):
    _write(path)
    other = tmp_path / f"{'b' * 64}.jsonl"
    other.write_bytes(path.read_bytes())

    assert _read(other) == []
    assert _read(path) == RECORDS


def test_two_writers_at_once_are_refused(path):
    with open_ledger(path), pytest.raises(BusyError), open_ledger(path):
        pass


def test_a_full_disk_is_an_error_of_the_store(path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with open_ledger(path) as ledger:
        ledger.append(RECORDS[0])
        with monkeypatch.context() as patch:
            patch.setattr(ledger_module.os, "write", full)
            with pytest.raises(StoreError, match="No space left"):
                ledger.append(RECORDS[1])

    assert _read(path) == RECORDS[:1]


def _run(folder, **environment):
    return subprocess.Popen(
        [sys.executable, "-c", SEARCH, str(folder)], env={**os.environ, **environment}
    )


def _runs_of(folder):
    return (folder / "run").read_text(encoding="ascii").split()


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    assert _run(folder).wait() == 0
    assert _runs_of(folder) == ["0", "1", "2", "3", "4", "5"]
    assert not list(folder.glob("*.jsonl"))
    return (folder / "table").read_bytes()


@pytest.mark.parametrize(
    ("point", "redone"),
    [
        *[(f"ledger.append#{n}", 1) for n in range(1, 7)],
        *[(f"ledger.appended#{n}", 0) for n in range(1, 7)],
        ("ledger.remove", 0),
        ("ledger.removed", None),
    ],
)
def test_killed_at_a_fail_point_the_same_command_redoes_what_was_running(
    point, redone, tmp_path, table
):
    reached = tmp_path / "reached"
    killed = _run(tmp_path, MLOPS_RAY_FAIL_POINT=point, MLOPS_RAY_FAIL_POINT_REACHED=str(reached))
    deadline = time.monotonic() + 60
    while not reached.exists():
        assert killed.poll() is None
        assert time.monotonic() < deadline
    killed.kill()
    killed.wait()

    if redone is not None:  # Beyond the last point the stage has its record and runs no more.
        assert _run(tmp_path).wait() == 0
        assert len(_runs_of(tmp_path)) == 6 + redone
    assert (tmp_path / "table").read_bytes() == table
    assert not list(tmp_path.glob("*.jsonl"))
