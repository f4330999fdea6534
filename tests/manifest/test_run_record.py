"""`mlops_ray.manifest.run_record`: a state is told by pointer and lock, never by a stored wish."""

import subprocess
import sys
from pathlib import Path

import pytest

from mlops_ray.errors import ManifestError, NotFoundError
from mlops_ray.manifest import find_run, list_runs, new_run
from mlops_ray.storage import Workspace, find_workspace

HOLD_LOCK = """
import sys
from pathlib import Path
from mlops_ray.manifest import find_run
from mlops_ray.storage import find_workspace
record = find_run(find_workspace(Path(sys.argv[1])), sys.argv[2])
with record.lock():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return find_workspace(tmp_path)


def test_a_run_is_running_while_its_process_lives_and_interrupted_after_kill(
    workspace: Workspace, tmp_path: Path
) -> None:
    record = new_run(workspace)
    command = [sys.executable, "-c", HOLD_LOCK, str(tmp_path), record.run_id]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        while_alive = record.state()
        process.kill()
        process.wait(timeout=10)

    assert while_alive == "running"
    assert record.state() == "interrupted"


def test_runs_are_found_by_a_beginning_or_as_the_latest(workspace: Workspace) -> None:
    first, second = sorted([new_run(workspace), new_run(workspace)], key=lambda r: r.run_id)

    assert [r.run_id for r in list_runs(workspace)] == [first.run_id, second.run_id]
    assert find_run(workspace, "latest").run_id == second.run_id
    assert find_run(workspace, first.run_id).run_id == first.run_id
    with pytest.raises(NotFoundError, match="2 runs fit"):
        find_run(workspace, first.run_id[:6])
    with pytest.raises(NotFoundError, match=r"there is no run 'zzz'.*runs ls"):
        find_run(workspace, "zzz")
    with pytest.raises(NotFoundError):
        find_run(workspace, "")


def test_a_run_that_has_not_ended_has_no_envelope(workspace: Workspace) -> None:
    record = new_run(workspace)

    with pytest.raises(ManifestError, match=r"no manifest: got interrupted"):
        record.envelope()
