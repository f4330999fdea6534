"""Every cheap command through the installed executable: exit code, stdout and stderr."""

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import pytest

from mlops_ray.manifest import RunRecord
from mlops_ray.storage import digest_file, find_workspace
from mlops_ray.telemetry import LoggedProgress, RunLog, SilentProgress

HELP_LIMIT_S = 0.5
ERROR_FIELDS = {"schema", "code", "message", "where", "got", "wanted", "hint"}
COMMANDS = (
    "init check doctor run plan verify reproduce serve deploy undeploy status predict "
    "runs data features models monitor store"
)
BIN = Path(sys.executable).parent
SPEC_ID = "sha256:" + "5" * 64
DEAD = "127.0.0.1:1"

# Arguments -> members that the JSON line has beside its schema.
SUCCESSES = {
    "init new-folder": ("init", {"files"}),
    "check pipeline.yaml": ("check", {"name", "features", "target", "trials"}),
    "runs ls": ("runs", {"runs"}),
    "runs show latest": ("run", {"run_id", "result_id", "state", "metrics", "stages", "trials"}),
    "runs logs latest": ("log", {"lines"}),
    "runs diff latest latest": ("diff", {"a", "b", "differs", "comparable", "reason"}),
    "runs export latest run.tar": ("export", {"run_id", "path", "objects", "inputs_to_supply"}),
    "runs import exported.tar": ("import", {"run_id", "objects", "was_there", "healed"}),
    "runs sign latest --key key.pem": ("sign", {"run_id", "key_id"}),
    "plan pipeline.yaml": ("plan", {"spec_id", "stages"}),
    "data snapshot pipeline.yaml": ("snapshot", {"name", "source", "snapshot", "inputs"}),
    "verify latest": ("verify", {"ok", "objects", "problems", "signatures"}),
    "verify exported.tar": ("verify", {"ok", "objects", "problems", "signatures"}),
    "runs show latest --store interrupted": ("run", {"run_id", "state", "stages", "way_on", "log"}),
    "store verify --read-data": ("store_verify", {"ok", "objects", "bytes", "leftovers"}),
    "store gc --dry-run": ("store_gc", {"deleted", "freed_bytes", "kept", "dry_run"}),
    "models ls": ("models", {"versions"}),
    "models show demand@challenger": ("model", {"model", "version", "bundle", "metrics"}),
    "models register latest": ("model", {"model", "version", "bundle", "verdict"}),
    "models promote demand@1 blue": ("promotion", {"alias", "version", "has_moved"}),
    "models history demand": ("history", {"events"}),
    "doctor": ("doctor", {"ok", "checks"}),
}
# Arguments -> exit code, code of the error, a word that its message must have.
FAILURES = {
    "": (2, "usage", "No such option: --json"),
    "models": (2, "usage", "No such option: --json"),
    "nope": (2, "usage", "'nope'"),
    "run": (2, "usage", "config"),
    "run pipeline.yaml --num-cpus 0": (2, "usage", "--num-cpus"),
    "serve demand@1 --port 70000": (2, "usage", "--port"),
    "init .": (5, "conflict", "pipeline.yaml"),
    "init a-file": (74, "store", "a-file"),
    "check none.yaml": (2, "config", "none.yaml"),
    "check misspelt.yaml": (2, "invalid_config", "misspelt.yaml:21:1: gaets"),
    "check pipeline.yaml --set data.source=none.csv": (65, "source", "none.csv"),
    "check pipeline.yaml --set data.target=rental": (65, "column", "'rentals'"),
    "run pipeline.yaml --set model.threads=256": (2, "resources", "256"),
    "run pipeline.yaml --store a-file": (74, "store", "a-file"),
    "plan none.yaml": (2, "config", "none.yaml"),
    "plan pipeline.yaml --from-stage refti": (2, "config", "refti"),
    "runs diff latest none": (6, "not_found", "'none'"),
    "verify latest --store interrupted": (65, "manifest", "`mlops-ray run pipeline.yaml` in the "),
    "runs export none new.tar": (6, "not_found", "'none'"),
    "runs export latest exported.tar": (5, "conflict", "exported.tar"),
    "runs import a-file": (65, "manifest", "a-file"),
    "runs sign latest --key none.pem": (2, "config", "none.pem"),
    "verify latest --require-signature": (4, None, ""),
    "reproduce none": (6, "not_found", "'none'"),
    "reproduce latest --store damaged": (4, "digest_mismatch", "is damaged"),
    "reproduce latest --image recorded": (2, "config", "recorded no container image"),
    "reproduce latest --other-image": (2, "config", "without an image"),
    "reproduce latest --env build --image a": (2, "config", "two things"),
    "store verify --read-data --store damaged": (4, None, ""),
    "store verify --store data": (6, "not_found", "there is no store at"),
    "store gc --store unreadable": (65, "manifest", "is damaged"),
    "runs ls --store s3://a:b@bucket/x": (2, "config", "--store: an argument seems to hold"),
    "runs show none": (6, "not_found", "'none'"),
    "runs logs none": (6, "not_found", "'none'"),
    "verify none": (6, "not_found", "'none'"),
    "verify latest --store damaged": (4, None, ""),
    "runs show latest --store unreadable": (4, "digest_mismatch", "is damaged"),
    "runs ls --store unreadable": (0, None, ""),
    "models show demand": (6, "not_found", "models promote demand@1 champion"),
    "models show demand@9": (6, "not_found", "version 9"),
    "models show Demand": (2, "config", "'Demand'"),
    "models register none": (6, "not_found", "'none'"),
    "models promote demand@9": (6, "not_found", "version 9"),
    "models promote demand@1 7up": (2, "config", "'7up'"),
    "models history none": (6, "not_found", "demand"),
    "models ls --registry data/bikes.csv": (74, "registry", "bikes.csv"),
    "doctor --store a-file": (4, None, ""),
    "predict demand@1 none.csv --out p.parquet": (65, "source", "none.csv"),
    "monitor check demand@1 none.csv": (65, "source", "none.csv"),
    "serve demand@1 --port {busy}": (5, "port_in_use", f"pid {os.getpid()} "),
    "status": (2, "config", "RAY_ADDRESS"),
    "deploy demand@1 --address http://127.0.0.1:8265": (2, "config", "ray job submit"),
    f"undeploy --address {DEAD}": (69, "cluster", DEAD),
}


@pytest.fixture(scope="module")
def busy_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture(scope="module")
def prepared(first_day):
    """The project with everything beside it that the cases above name."""
    assert first_day.run.code == 0, first_day.run.stderr
    folder = first_day.shell.folder
    (folder / "a-file").touch()
    config = (folder / "pipeline.yaml").read_text()
    (folder / "misspelt.yaml").write_text(config.replace("\ngates:", "\ngaets:"))
    shutil.copytree(first_day.store, folder / "damaged")
    shutil.copytree(first_day.store, folder / "unreadable")
    pointer = next((folder / "unreadable/runs").glob("*/sealed.json"))
    envelope = json.loads(pointer.read_text())["envelope"].removeprefix("sha256:")
    _flip(folder / "unreadable/objects" / envelope[:2] / envelope)
    shutil.copytree(first_day.store, folder / "interrupted")
    dead = RunRecord(find_workspace(folder, folder / "interrupted"), "29990101t000000-000000")
    dead.folder.mkdir()
    dead.announce("demand", SPEC_ID, "2999-01-01T00:00:00.000Z", "mlops-ray run pipeline.yaml")
    with RunLog(dead.log_path) as log:
        progress = LoggedProgress(log, SilentProgress())
        progress.stage_started("ingest", 1, 8)
        progress.stage_finished("ingest", 0.5)
        progress.stage_started("split", 2, 8)
    first_day.shell.mlops_ray("runs", "export", "latest", "exported.tar")
    first_day.shell.run("openssl", "genpkey", "-algorithm", "ed25519", "-out", "key.pem")
    (folder / "key.pem").chmod(0o600)
    # Whatever starts Ray would make a folder for its session there.
    return first_day.shell.at(folder, RAY_TMPDIR=str(folder / "ray-sessions"))


def _flip(path):
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.fixture(scope="module")
def outcomes(prepared, busy_port):
    """All commands at once, two at a time: most of the time of each is Python's start."""
    stored = sorted((prepared.folder / "damaged/objects").rglob("?" * 64))
    largest = max(stored, key=lambda path: path.stat().st_size)
    _flip(largest)

    def outcome(case):
        arguments = case.format(busy=busy_port).split()
        return case, prepared.mlops_ray(*arguments, "--json")

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        done = dict(pool.map(outcome, [*SUCCESSES, *FAILURES]))
    return {**done, "flipped": largest.name}


@pytest.mark.parametrize("case", SUCCESSES)
def test_a_command_that_succeeds_prints_one_json_line(outcomes, case):
    done, (thing, members) = outcomes[case], SUCCESSES[case]

    assert (done.code, done.line["schema"]) == (0, f"mlops-ray/{thing}/v1"), done
    assert members <= set(done.line)
    assert "error" not in done.stderr
    assert "Warning" not in done.stderr


@pytest.mark.parametrize("case", [case for case, (_, kind, _) in FAILURES.items() if kind])
def test_a_command_that_fails_says_what_and_the_way_out_on_both_channels(outcomes, case):
    done, (code, kind, word) = outcomes[case], FAILURES[case]

    assert (done.code, done.line["code"]) == (code, kind), done
    assert done.line["schema"] == "mlops-ray/error/v1"
    assert set(done.line) - {"problems"} == ERROR_FIELDS
    assert set(done.line["where"]) == {"file", "line", "column", "key"}
    assert not {0, ""} & set(done.line["where"].values())  # What does not apply is null.
    assert word in done.line["message"]
    assert done.line["hint"] or done.line["wanted"], done.line
    assert f"error: {done.line['message'].splitlines()[0]}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_misspelt_key_is_shown_with_file_line_column_and_key(outcomes):
    line = outcomes["check misspelt.yaml"].line

    assert line["where"] == {"file": "misspelt.yaml", "line": 21, "column": 1, "key": "gaets"}
    assert line["hint"] == "did you mean 'gates'?"
    assert [problem["what"] for problem in line["problems"]] == ["unknown key 'gaets'"]


def test_what_fails_before_the_start_leaves_no_run(outcomes, first_day):
    runs = outcomes["runs ls"].line["runs"]

    assert [run["run_id"] for run in runs] == [first_day.run.line["run_id"]]
    assert runs[0]["state"] == "sealed"
    assert len(list((first_day.store / "runs").iterdir())) == 1


def test_none_of_these_commands_starts_ray(outcomes, prepared):
    assert len(outcomes) > len(FAILURES)
    assert not (prepared.folder / "ray-sessions").exists()


def test_verify_names_the_object_that_was_changed(outcomes, prepared):
    line = outcomes["verify latest --store damaged"].line
    changed = outcomes["flipped"]
    path = prepared.folder / "damaged/objects" / changed[:2] / changed

    assert (line["schema"], line["ok"]) == ("mlops-ray/verify/v1", False)
    assert [problem["object"] for problem in line["problems"]] == [f"sha256:{changed}"]
    assert line["problems"][0]["expected"] == f"sha256:{changed}"
    assert line["problems"][0]["got"] == digest_file(path)
    assert outcomes["verify latest"].line["ok"]


def test_a_run_whose_manifest_is_damaged_is_listed_as_such(outcomes, first_day):
    runs = outcomes["runs ls --store unreadable"].line["runs"]

    assert [(run["run_id"], run["name"], run["state"]) for run in runs] == [
        (first_day.run.line["run_id"], "demand", "damaged")
    ]


def test_doctor_names_what_cannot_work(outcomes):
    line = outcomes["doctor --store a-file"].line

    failed = [check for check in line["checks"] if check["status"] == "fail"]
    assert [check["name"] for check in failed] == ["store"]
    assert "MLOPS_RAY_STORE" in failed[0]["fix"]


def test_of_an_interrupted_run_is_shown_what_is_known(outcomes, prepared):
    line = outcomes["runs show latest --store interrupted"].line
    human = prepared.mlops_ray("runs", "show", "latest", "--store", "interrupted")

    assert (line["state"], line["spec_id"], line["result_id"]) == ("interrupted", SPEC_ID, None)
    assert [(s["name"], s["cache"], s["wall_s"]) for s in line["stages"]] == [
        ("ingest", "miss", 0.5)
    ]
    assert (line["open_stage"], line["of_stages"]) == ("split", 8)
    assert (line["log"]["lines"], line["log"]["last"]["event"]) == (3, "stage_started")
    assert line["command"] == "mlops-ray run pipeline.yaml"
    assert human.code == 0
    for said in (
        "29990101t000000-000000  interrupted",
        f"spec_id    {SPEC_ID}",
        "started    2999-01-01T00:00:00.000Z",
        "finished   1 of 8 stages: ingest",
        "open       split",
        "see `mlops-ray runs logs 29990101t000000-000000`",
        "next       `mlops-ray run pipeline.yaml` in the project's root goes on with it",
    ):
        assert said in human.stderr, human.stderr


@pytest.mark.parametrize("command", ["runs ls", "verify latest", "models ls"])
def test_without_json_stdout_has_the_result_for_people(prepared, command):
    done = prepared.mlops_ray(*command.split())

    assert done.code == 0
    assert not done.stdout.startswith("{")
    assert done.stderr == ""
    words = {"runs ls": "sealed", "verify latest": "ok: ", "models ls": "challenger"}
    assert words[command] in done.stdout


def test_without_json_a_failure_leaves_stdout_empty(prepared):
    done = prepared.mlops_ray("runs", "show", "none")

    assert (done.code, done.stdout) == (6, "")
    assert done.stderr.startswith("error: there is no run 'none': got 1 runs in ")


@pytest.mark.parametrize("command", ["", "runs", "data", "models", "monitor"])
def test_a_group_without_a_command_shows_its_help(prepared, command):
    done = prepared.mlops_ray(*command.split())

    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"Usage: mlops-ray {command}".rstrip())
    assert f"error: mlops-ray {command}".rstrip() + " needs a command" in done.stderr


def test_help_lists_every_command_and_is_there_at_once(shell, record_property):
    seconds = []
    for _ in range(5):
        before = os.times()
        done = shell.mlops_ray("--help")
        after = os.times()
        user = after.children_user - before.children_user
        seconds.append(user + after.children_system - before.children_system)

    assert done.code == 0
    assert [line.split()[0] for line in _commands(done.stdout)] == COMMANDS.split()
    record_property("median_s", statistics.median(seconds))
    # Seconds of CPU, and the fewest: tests share the machine with others, which only ever adds.
    assert 0.0 < min(seconds) < HELP_LIMIT_S


def _commands(text):
    lines = text[text.index("Commands:\n") :].splitlines()[1:]
    return [line for line in lines if line.startswith("  ") and line[2] != " "]


def test_version_is_that_of_the_package(shell):
    done = shell.mlops_ray("--version")

    assert (done.code, done.stdout) == (0, f"mlops-ray {version('mlops-ray')}\n")


def test_help_and_version_need_no_heavy_package(shell):
    code = (
        "import sys; sys.argv = ['mlops-ray', '--help']\n"
        "from mlops_ray.cli.main import _outcome\n"
        "_outcome()\n"
        "print(sorted({'ray', 'pandas', 'sklearn', 'xgboost', 'pyarrow'} & set(sys.modules)))"
    )

    done = shell.run("python", "-c", code)

    assert done.stdout.endswith("[]\n"), done


def test_a_reader_that_stops_reading_gets_no_traceback(prepared):
    reader, writer = os.pipe()
    os.close(reader)

    with subprocess.Popen(
        [BIN / "mlops-ray", "models", "history", "demand"],
        cwd=prepared.folder,
        env=prepared.environment(),
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(writer)
        _, stderr = process.communicate(timeout=60)

    assert stderr == ""
    assert process.returncode == 74
