"""`mlops_ray.pipeline.replay_process`: the process that executes recorded code."""

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

PARENT = """
import pathlib, sys
from mlops_ray.pipeline.replay_process import Interpreter, answer_of_child
folder = pathlib.Path(sys.argv[1])
answer_of_child(Interpreter((sys.executable, str(folder / "child.py")), {}), folder)
"""
# Tells who it is once it runs, and never ends of itself.
CHILD = """
import os, signal, sys
print(os.getpid(), flush=True, file=sys.stderr)
signal.pause()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels do not tell of a parent's death")
def test_it_does_not_outlive_a_reproduction_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "child.py").write_text(CHILD, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stderr=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stderr is not None
        child = psutil.Process(json.loads(parent.stderr.readline()))
        try:
            with pytest.raises(psutil.TimeoutExpired):
                child.wait(timeout=0.5)  # Nothing but the death below ends it.

            parent.kill()

            child.wait(timeout=10)
        finally:
            with suppress(psutil.NoSuchProcess):
                child.kill()
