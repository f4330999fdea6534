import json
import logging

import pytest

from mlops_ray.telemetry.log import RunLog, RunLogHandler, quiet_ray_loggers


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run/log.jsonl"


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_an_event_is_one_line_even_with_newlines_in_it(path):
    with RunLog(path) as log:
        log.stage = "search"
        log.write("note", text="two\nlines\u2028three", level="warning")

    (line,) = lines_of(path)
    assert line["text"] == "two\nlines\u2028three"
    assert (line["level"], line["stage"], line["event"]) == ("warning", "search", "note")
    assert line["time"].endswith("+00:00")


def test_a_secret_reaches_no_line(path, monkeypatch):
    password, token = "correct" + "-horse-7", "hf_" + "a1" * 17
    monkeypatch.setenv("SHOP_PASSWORD", password)
    with RunLog(path) as log:
        log.write("note", text=f"no answer: {password}", more={"seen": [token, 3]})
        log.write("note", error=ValueError(f"bad {token}"))
        RunLogHandler(log).emit(logging.LogRecord("x", 40, "x.py", 1, "%s", (token,), None))

    first, second, third = lines_of(path)
    assert first["text"] == "no answer: <value of SHOP_PASSWORD>"
    assert first["more"] == {"seen": ["<Hugging Face Token>", 3]}
    assert second["error"] == "bad <Hugging Face Token>"
    assert third["text"] == "<Hugging Face Token>"


def test_a_line_is_on_disk_before_the_log_is_closed(path):
    log = RunLog(path)
    log.write("started")

    assert len(lines_of(path)) == 1
    log.close()


def test_a_second_log_appends(path):
    for event in ("first", "second"):
        with RunLog(path) as log:
            log.write(event)

    assert [line["event"] for line in lines_of(path)] == ["first", "second"]


def test_after_closing_nothing_is_written(path):
    log = RunLog(path)
    log.close()
    log.close()
    log.write("late")

    assert path.read_text() == ""


def test_what_json_cannot_hold_is_written_as_text(path):
    with RunLog(path) as log:
        log.write("trial", value=float("nan"), place=path, text="\ud800")

    def refuse(constant):
        raise AssertionError(constant)

    line = json.loads(path.read_text(), parse_constant=refuse)
    assert (line["value"], line["place"]) == ("nan", str(path))


def test_python_logging_goes_in_with_its_traceback(path):
    logger = logging.getLogger("mlops_ray.test_log")
    with RunLog(path) as log:
        handler = RunLogHandler(log)
        logger.addHandler(handler)
        try:
            {}["absent"]
        except KeyError:
            logger.exception("no %s", "key")
        logger.removeHandler(handler)

    (line,) = lines_of(path)
    assert (line["event"], line["level"], line["text"]) == ("log", "error", "no key")
    assert line["traceback"].endswith("KeyError: 'absent'")


def test_ray_loggers_are_quiet_below_the_level():
    names = ("ray", "ray.data", "ray.serve", "ray.train", "ray.tune")
    before = {name: logging.getLogger(name).level for name in names}

    quiet_ray_loggers(logging.ERROR)

    assert {logging.getLogger(name).level for name in names} == {logging.ERROR}
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)
