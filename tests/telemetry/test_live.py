import io

import pytest
from rich.console import Console

from mlops_ray.telemetry.live import LiveProgress


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
    progress.trial_finished(20, 20, 0.9, 0.95, 0.0)
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
