import io
import json

import pytest

from mlops_ray.telemetry.log import RunLog
from mlops_ray.telemetry.progress import (
    LiveProgress,
    LoggedProgress,
    PlainProgress,
    SilentProgress,
    terminal_progress,
)
from mlops_ray.telemetry.standing import Standing, TrialLine


class Terminal(io.StringIO):
    def isatty(self):
        return True


def play(progress):
    progress.stage_started("search", 5, 8)
    best = TrialLine(0, "finished", 0.8)
    progress.trial_finished(Standing(1, 2, best, leaders=(best,), eta_s=4.0))
    progress.trial_finished(Standing(2, 2, TrialLine(1, "invalid"), leaders=(best,)))
    progress.note("done")
    progress.stage_finished("search", 1.5)
    progress.close()


def test_events_go_to_the_log_and_to_the_listener(tmp_path):
    stream = io.StringIO()
    with RunLog(tmp_path / "log.jsonl") as log:
        play(LoggedProgress(log, PlainProgress(stream)))

    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == [
        "stage_started",
        "trial_finished",
        "trial_finished",
        "note",
        "stage_finished",
    ]
    assert {line["stage"] for line in lines} == {"search"}
    assert [(line["trial"], line["status"], line["value"]) for line in lines[1:3]] == [
        (0, "finished", 0.8),
        (1, "invalid", None),
    ]
    assert [line["best"] for line in lines[1:3]] == [0.8, 0.8]
    assert stream.getvalue().startswith("[5/8] search\n")


def test_silence(capsys):
    play(SilentProgress())

    assert capsys.readouterr() == ("", "")


def test_a_pipe_gets_lines(capsys):
    play(terminal_progress())

    captured = capsys.readouterr()
    assert captured.out == ""
    assert "2/2 trials" in captured.err


@pytest.mark.parametrize(
    ("term", "is_plain", "kind"),
    [
        ("xterm", False, LiveProgress),
        ("xterm", True, PlainProgress),
        ("dumb", False, PlainProgress),
    ],
)
def test_a_terminal_gets_what_changes_if_it_can_and_nobody_wants_lines(
    monkeypatch, term, is_plain, kind
):
    monkeypatch.setattr("sys.stderr", Terminal())
    monkeypatch.setenv("TERM", term)

    assert isinstance(terminal_progress(is_plain=is_plain), kind)
