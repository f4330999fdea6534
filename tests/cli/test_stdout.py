"""A stdout that is full, closed or left by its reader; arguments that are not UTF-8."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

import mlops_ray
from mlops_ray.cli import run as command


@pytest.fixture
def outcome(shell, tmp_path):
    """Exit code and stderr of a command whose stdout is redirected."""

    def run(command, redirection):
        done = shell.at(tmp_path).run("bash", "-c", f"mlops-ray {command} {redirection}")
        return done.code, done.stderr

    return run


@pytest.mark.parametrize("command", ["init new --json", "init new", "--help"])
@pytest.mark.parametrize(
    ("redirection", "reason"),
    [("> /dev/full", "No space left on device"), (">&-", "Bad file descriptor")],
)
def test_a_result_that_gets_nowhere_is_said_once(outcome, command, redirection, reason):
    code, stderr = outcome(command, redirection)

    assert code == 74
    assert [line for line in stderr.splitlines() if "error" in line] == [
        f"error: the result cannot be written to stdout: {reason}"
    ]
    assert "Traceback" not in stderr


@pytest.mark.parametrize("redirection", ["> /dev/full", ">&-", ">&- 2>&-", "> /dev/full 2>&1"])
def test_an_error_that_cannot_be_written_is_no_bug(outcome, redirection):
    code, stderr = outcome("check none.yaml --json", redirection)

    assert code == 74
    assert "Traceback" not in stderr


@pytest.mark.parametrize("command", [["init", "new", "--json"], ["--help"]])
def test_a_reader_that_has_left_is_no_error(shell, tmp_path, command):
    reader, writer = os.pipe()
    os.close(reader)
    script = f"mlops-ray {' '.join(command)} >&{writer}"

    done = shell.at(tmp_path).run("bash", "-c", script, pass_fds=(writer,))
    os.close(writer)

    assert (done.code, done.stderr) == (74, "")


@pytest.mark.parametrize("options", ["--json", ""])
def test_an_argument_that_is_not_utf8_is_shown_escaped(shell, tmp_path, options):
    done = shell.at(tmp_path).run("bash", "-c", f"mlops-ray check $'\\xff.yaml' {options}")

    assert done.code == 2
    assert "error: \\udcff.yaml: config not found" in done.stderr
    if options:
        assert done.line["where"]["file"] == "\\udcff.yaml"


def test_an_empty_folder_name_is_refused(shell, tmp_path):
    done = shell.at(tmp_path).mlops_ray("init", "", "--json")

    assert (done.code, done.line["code"]) == (2, "config")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ends_well", [True, False])
def test_what_a_library_prints_while_a_run_goes_on_is_no_result(monkeypatch, capfd, ends_well):
    def told(text):
        os.write(1, f"{text}\n".encode())

    class Pipeline:
        def __init__(self, *_, **__):
            pass

        def run(self, **_):
            told("(raylet) A worker died")
            if not ends_well:
                raise mlops_ray.MlopsRayError("it ended")
            return SimpleNamespace(state="sealed", run_id="20260101t000000-abcdef")

    monkeypatch.setattr(command, "_start_from_bundle", lambda *_: None)
    monkeypatch.setattr(command, "describe_run", lambda outcome: told(outcome.run_id))
    monkeypatch.setattr(mlops_ray, "Pipeline", Pipeline, raising=False)

    if ends_well:
        assert command.run(Path("p.yaml")) == 0
    else:
        with pytest.raises(mlops_ray.MlopsRayError):
            command.run(Path("p.yaml"))
    told("after")

    out, err = capfd.readouterr()
    assert out.split() == ["20260101t000000-abcdef"] * ends_well + ["after"]
    assert err == "(raylet) A worker died\n"
