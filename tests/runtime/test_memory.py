import mmap
import subprocess
import sys

import psutil
import pytest

from mlops_ray.runtime.memory import PeakMemory, tree_pss_bytes

MIB = 2**20
HOLD = "import sys; block = bytearray(b'x') * (80 * 2**20); print(1, flush=True); sys.stdin.read()"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the PSS")


def test_a_peak_in_the_block_is_remembered():
    with PeakMemory(interval_s=0.01) as memory:
        before = memory.peak_pss_bytes
        with mmap.mmap(-1, 80 * MIB) as block:
            block.write(b"x" * 80 * MIB)
            memory._sample()

    assert before is not None
    assert memory.peak_pss_bytes is not None
    assert memory.peak_pss_bytes - before > 70 * MIB


def test_child_processes_count():
    with PeakMemory() as memory:
        before = memory.peak_pss_bytes
        with subprocess.Popen(
            [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            memory._sample()
            child.kill()

    assert before is not None
    assert memory.peak_pss_bytes is not None
    assert memory.peak_pss_bytes - before > 70 * MIB


def test_a_process_that_has_ended_counts_nothing():
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        gone = psutil.Process(child.pid)

    assert tree_pss_bytes([gone]) is None
