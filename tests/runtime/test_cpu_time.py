"""`mlops_ray.runtime.cpu_time`: work counts wherever in the process tree it is done."""

import subprocess
import sys
import time

from mlops_ray.runtime.cpu_time import CpuTime, tree_cpu_s

BURNED_S = 0.5
BURN = f"import time\nwhile time.process_time() < {BURNED_S}: pass\n"


def burn() -> None:
    until = time.process_time() + BURNED_S
    while time.process_time() < until:
        pass


def test_work_of_this_process_counts_and_idling_does_not() -> None:
    with CpuTime(interval_s=60) as working:
        burn()
    with CpuTime(interval_s=60) as idle:
        pass

    assert working.cpu_s is not None
    assert working.cpu_s >= BURNED_S * 0.9
    assert idle.cpu_s is not None
    assert idle.cpu_s < BURNED_S / 2


def test_work_of_a_child_counts_while_it_lives_and_after_it_was_waited_for() -> None:
    program = BURN + "print('done', flush=True)\nimport sys\nsys.stdin.read()\n"
    with (
        CpuTime(interval_s=60) as used,
        subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child,
    ):
        assert child.stdout is not None
        before = tree_cpu_s()
        assert child.stdout.readline() == b"done\n"
        while_alive = tree_cpu_s()
        child.communicate()

    assert before is not None
    assert while_alive is not None
    assert while_alive >= BURNED_S * 0.9
    assert used.cpu_s is not None
    assert used.cpu_s >= BURNED_S * 0.9


def test_the_time_of_a_process_that_nobody_waited_for_is_not_lost() -> None:
    grandchild = BURN + "print('done', flush=True)\nimport sys\nsys.stdin.read()\n"
    middle = (
        "import subprocess, sys\n"
        f"subprocess.Popen([sys.executable, '-c', {grandchild!r}], stdin=subprocess.PIPE)\n"
        "sys.stdin.read()\n"
    )
    with (
        CpuTime(interval_s=60) as used,
        subprocess.Popen(
            [sys.executable, "-c", middle], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == b"done\n"
        used._sample()
        process.kill()  # The grandchild ends with it, and its time goes to nobody here.
        process.wait()

    assert used.cpu_s is not None
    assert used.cpu_s >= BURNED_S * 0.9
