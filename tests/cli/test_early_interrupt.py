"""Ctrl-C while Python still imports the command, and while a run starts anew from captured code."""

import json
import signal

import pytest

# In the place of the first library that the command imports.
STUCK_IMPORT = """\
import signal
import sys

print("importing", file=sys.stderr, flush=True)
signal.pause()
"""
# Python runs this before any module of the program: the second time, once the run has captured its
# code, it waits until the signal has come.
STUCK_START = """\
import os
import signal
import sys
import time

if "MLOPS_RAY_CODE" in os.environ:
    print("starting anew", file=sys.stderr, flush=True)
    while signal.SIGINT not in signal.sigpending():
        time.sleep(0.01)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["run", "pipeline.yaml", "--json"]])
def test_an_interrupted_import_is_one_clean_line(shell, start, tmp_path, arguments):
    (tmp_path / "typer.py").write_text(STUCK_IMPORT)
    running = start(*arguments, at=shell.at(tmp_path, PYTHONPATH=str(tmp_path)))
    running.await_line("importing")

    done = running.end(signal.SIGINT, whole_group=True)

    assert (done.code, done.stderr) == (130, "interrupted\n")
    if "--json" in arguments:
        assert done.stdout.count("\n") == 1
        assert json.loads(done.stdout)["code"] == "interrupted"
    else:
        assert done.stdout == ""


def test_an_interrupted_start_from_captured_code_is_one_clean_line(shell, start, tmp_path):
    project, path = tmp_path / "project", tmp_path / "path"
    path.mkdir()
    (path / "sitecustomize.py").write_text(STUCK_START)
    at = shell.at(tmp_path, MLOPS_RAY_STORE=str(tmp_path / "store"))
    assert at.mlops_ray("init", "project").code == 0
    running = start("run", "pipeline.yaml", "--json", at=at.at(project, PYTHONPATH=str(path)))
    running.await_line("starting anew")

    done = running.end(signal.SIGINT, whole_group=True)

    assert (done.code, done.stderr) == (130, "interrupted\n")
    assert json.loads(done.stdout)["code"] == "interrupted"


def test_both_lines_have_the_members_of_any_other_error(shell, start, tmp_path):
    (tmp_path / "typer.py").write_text(STUCK_IMPORT)
    running = start("runs", "ls", "--json", at=shell.at(tmp_path, PYTHONPATH=str(tmp_path)))
    running.await_line("importing")
    early = running.end(signal.SIGINT, whole_group=True).line

    usual = shell.at(tmp_path).mlops_ray("check", "absent.yaml", "--json").line

    assert early.keys() == usual.keys()
    assert early["schema"] == usual["schema"]
    assert early["where"].keys() == usual["where"].keys()
