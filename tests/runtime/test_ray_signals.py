"""Ctrl-C while Ray starts is answered by the program and by none of the forks that become Ray."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from mlops_ray.runtime.ray_signals import interrupts_here_only

# Every fork is interrupted before it has become a program of its own.
START = """\
import os
import signal

from mlops_ray.runtime.cluster import connect

os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGINT))
with connect(address="local", num_cpus=1) as cluster:
    print(cluster.cpus)
"""


@pytest.fixture
def handler():
    """Notes the signals that it was called for."""
    before, noted = signal.getsignal(signal.SIGINT), []
    signal.signal(signal.SIGINT, lambda number, _: noted.append(number))
    yield noted
    signal.signal(signal.SIGINT, before)


def test_this_process_answers_and_a_fork_of_it_does_not(handler):
    before = signal.getsignal(signal.SIGINT)

    with interrupts_here_only():
        signal.raise_signal(signal.SIGINT)
        child = os.fork()
        if not child:
            signal.raise_signal(signal.SIGINT)
            os._exit(len(handler))
        _, status = os.waitpid(child, 0)

    assert handler == [signal.SIGINT]
    assert os.waitstatus_to_exitcode(status) == 1  # The one from before the fork.
    assert signal.getsignal(signal.SIGINT) is before


def test_on_another_thread_and_where_the_signal_is_ignored_nothing_is_done():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts_here_only():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    found = []

    def enter():
        with interrupts_here_only():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert found == [before]


@pytest.mark.ray
@pytest.mark.slow
def test_ray_starts_without_a_word_of_its_interrupted_forks(clean_environment):
    done = subprocess.run(
        [sys.executable, "-c", START],
        env=clean_environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
    assert "KeyboardInterrupt" not in done.stderr
