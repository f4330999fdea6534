import io
import os
import subprocess
import sys

import pytest
from rich.console import Console

from mlops_ray.telemetry.live import LiveProgress
from mlops_ray.telemetry.standing import Standing, TrialLine

BEST = TrialLine(4, "finished", 0.95, {"max_depth": 3, "note": "[red]"})


@pytest.fixture
def stream():
    return io.StringIO()


@pytest.fixture
def progress(stream):
    live = LiveProgress(Console(file=stream, force_terminal=True, width=100, color_system=None))
    yield live
    live.close()


def test_finished_stages_stay_and_the_running_line_goes(progress, stream):
    progress.stage_started("search", 5, 8)
    progress.trial_finished(Standing(20, 20, BEST, leaders=(BEST,)))
    progress.stage_finished("search", 12.3)
    progress.close()

    text = stream.getvalue()
    assert "[5/8] search" in text
    assert "20/20 trials, best 0.95" in text
    assert "12.3 s" in text


def test_the_cursor_is_given_back(progress, stream):
    progress.stage_started("ingest", 1, 8)
    assert stream.getvalue().count("\x1b[?25l") == 1

    progress.close()
    progress.close()

    assert stream.getvalue().count("\x1b[?25h") == 1


def test_notes_are_not_read_as_markup(progress, stream):
    progress.note("[bold]columns[/bold] [a, b]")

    assert "[bold]columns[/bold] [a, b]" in stream.getvalue()


def shown(console, progress):
    """The lines of a frame as they would stand on the terminal."""
    with console.capture() as capture:
        console.print(progress._render())
    return [line.rstrip() for line in capture.get().splitlines()]


def test_a_search_is_a_table_best_first_above_the_line_that_changes():
    console = Console(file=io.StringIO(), width=100, height=40, color_system=None)
    second = TrialLine(1, "finished", 0.5, {"max_depth": 12, "note": "b"})
    progress = LiveProgress(console)
    progress._place = "[5/8] search"
    progress.trial_finished(
        Standing(3, 9, second, "auc", (BEST, second), {"finished": 2, "pruned": 1}, 6.0)
    )

    heading, first, runner_up, line = shown(console, progress)

    assert heading.split() == ["trial", "auc", "parameters"]
    assert first.split() == ["4", "0.95", "max_depth=3", "note=[red]"]
    assert runner_up.split() == ["1", "0.5", "max_depth=12", "note=b"]
    assert "[5/8] search" in line
    assert "3/9 trials (1 pruned), best 0.95 of trial 4, 6.0 s left" in line


@pytest.mark.parametrize(("height", "n_rows"), [(40, 20), (10, 4), (5, 0)])
def test_a_table_leaves_room_on_a_low_terminal_and_never_wraps(height, n_rows):
    console = Console(file=io.StringIO(), width=40, height=height, color_system=None)
    long = {f"parameter_{i}": i for i in range(20)}
    leaders = tuple(TrialLine(i, "finished", 1.0 - i / 100, long) for i in range(20))
    progress = LiveProgress(console)
    progress.trial_finished(Standing(20, 30, leaders[-1], leaders=leaders))

    lines = shown(console, progress)

    rows = [line for line in lines if "parameter_0=0" in line]
    assert [int(row.split()[0]) for row in rows] == list(range(n_rows))
    assert len(lines) <= height


ON_A_TERMINAL = """
from mlops_ray.telemetry import terminal_progress
from mlops_ray.telemetry.standing import Standing, TrialLine

best = TrialLine(4, "finished", 0.95, {"max_depth": 3})
progress = terminal_progress()
progress.stage_started("search", 5, 8)
progress.trial_finished(Standing(1, 9, best, "auc", (best,), {"finished": 1}, 6.0, 1.5, 2.0))
input()  # Until who watches has seen it.
progress.stage_finished("search", 1.5)
progress.close()
"""


def test_a_real_terminal_shows_the_table_and_is_given_back():
    ours, theirs = os.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"}

    with subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=environment,
    ) as process:
        os.close(theirs)
        shown = b""
        while chunk := _read(ours):
            has_seen = b"max_depth=3" in shown
            shown += chunk
            if b"max_depth=3" in shown and not has_seen:
                process.stdin.write(b"\n")
                process.stdin.flush()
        stdout = process.communicate()[0]
    os.close(ours)

    text = shown.decode()
    assert (process.returncode, stdout) == (0, b""), text
    assert "max_depth=3" in text
    assert "1/9 trials, best 0.95 of trial 4, 6.0 s left, 1.5 of 2 CPUs" in text
    last_frame = text.rindex("max_depth=3")
    assert text.index("[5/8] search", last_frame) < text.rindex("\x1b[?25h")  # The line that stays.


def _read(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError:  # Nobody writes to it any more.
        return b""
