"""Ctrl-C, SIGTERM and ``kill -9`` while a run runs, and the same command afterwards."""

import hashlib
import re
import signal
import sys

import pytest

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are found by their environment"),
]

# How it is ended -> signal; sent to the whole group, as a terminal does; what is announced; how
# many processes there are; exit code. In the second case Ray is just being started.
ENDS = {
    "Ctrl-C": (signal.SIGINT, True, "[5/8] search", 6, 130),
    "SIGTERM": (signal.SIGTERM, False, "starting Ray", 3, 130),
    "kill -9": (signal.SIGKILL, False, "[5/8] search", 6, -signal.SIGKILL),
}
GONE_WITHIN_S = 30.0


@pytest.fixture(scope="module")
def interrupted(empty_store_of):
    """A shell with a store of its own, into which all runs of this module write."""
    return empty_store_of


def stored(shell):
    """Final name -> digest of the bytes under it, for every object in the store."""
    objects = (shell.folder.parent / "store/objects").rglob("*")
    named = [path for path in objects if re.fullmatch(r"[0-9a-f]{64}", path.name)]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in named}


@pytest.mark.parametrize("end", ENDS)
def test_a_run_that_is_ended_leaves_nothing_torn_and_no_process(interrupted, start, end):
    number, whole_group, moment, n_processes, code = ENDS[end]
    running = start("run", "pipeline.yaml", "--json", at=interrupted)
    running.await_line(moment)
    running.await_processes(n_processes)

    done = running.end(number, whole_group=whole_group)

    assert done.code == code, done
    assert running.left_after(GONE_WITHIN_S) == []
    objects = stored(interrupted)
    assert len(objects) >= 5
    assert list(objects) == list(objects.values())
    after = interrupted.mlops_ray("runs", "ls", "--json").line["runs"][-1]
    assert after["state"] == "interrupted"
    assert after["name"] == "demand"
    if end != "kill -9":
        assert done.line["code"] == "interrupted"
        assert "interrupted" in done.stderr
        assert "Traceback" not in done.stderr


def test_the_same_command_afterwards_gives_what_an_untroubled_run_gave(interrupted, first_day):
    done = interrupted.mlops_ray("run", "pipeline.yaml", "--json")

    assert done.code == 0, done.stderr
    line = done.line
    assert (line["state"], line["model"]["version"]) == ("sealed", 1)
    assert line["spec_id"] == first_day.run.line["spec_id"]
    assert line["result_id"] == first_day.run.line["result_id"]
    states = [run["state"] for run in interrupted.mlops_ray("runs", "ls", "--json").line["runs"]]
    assert states == ["interrupted", "interrupted", "interrupted", "sealed"]
    assert interrupted.mlops_ray("verify", line["run_id"], "--json").line["ok"]


def test_of_a_run_that_did_not_end_is_shown_what_it_left_and_how_it_went_on(interrupted):
    runs = interrupted.mlops_ray("runs", "ls", "--json").line["runs"]
    dead, sealed = runs[0]["run_id"], runs[-1]["run_id"]

    refused = interrupted.mlops_ray("verify", dead, "--json")
    log = interrupted.mlops_ray("runs", "logs", dead, "--json")

    assert (refused.code, refused.line["code"]) == (65, "manifest")
    assert refused.line["got"] == (
        "interrupted in stage search, after ingest, split, profile, features"
    )
    assert f"run {sealed} went on with it" in refused.line["hint"]
    shown = interrupted.mlops_ray("runs", "show", dead, "--json")
    assert (shown.code, shown.line["state"]) == (0, "interrupted")
    assert shown.line["command"] == "mlops-ray run pipeline.yaml"
    assert shown.line["continued_by"] == sealed
    assert log.line["lines"][0]["event"] == "run_started"
    assert "run_ended" not in {line["event"] for line in log.line["lines"]}
