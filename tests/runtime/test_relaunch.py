"""A run executes what was captured when it started, whatever happens to the files afterwards."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mlops_ray.manifest import list_runs
from mlops_ray.manifest.archive import export_run
from mlops_ray.runtime.code import CodeBundle, code_files
from mlops_ray.runtime.code_bundle import extracted
from mlops_ray.runtime.relaunch import bundle_command, bundle_environment
from mlops_ray.storage import ObjectStore, find_workspace

REPOSITORY = Path(__file__).parents[2]
CONFIG = """
version: 1
name: tumour
data: {source: "sklearn:breast_cancer", task: binary, target: target, key: [row]}
split: {test: {share: 0.2}, valid: {share: 0.2}}
objective: {metric: roc_auc}
features: [{columns: [mean radius, mean texture], steps: [standardize]}]
model: {family: xgboost, params: {n_estimators: 5}}
search: {space: {max_depth: {int: [2, 3]}}, trials: 2}
"""
WHERE = """
import json, os, subprocess, sys
import mlops_ray
from mlops_ray.runtime.relaunch import running_bundle, running_code

folder = running_bundle()
code = running_code()
print(json.dumps({
    "folder": str(folder) if folder else None,
    "digest": code.digest if code else None,
    "package": mlops_ray.__file__,
    "variables": [name for name in ("MLOPS_RAY_CODE", "PYTHONPATH") if name in os.environ],
    "path": os.environ.get("PYTHONPATH"),
}))
"""


def environment(**more):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLOPS_RAY_", "PYTHON"))}
    return {**kept, **more}


@pytest.fixture
def bundle():
    return CodeBundle(code_files() | {"src/shop/__init__.py": b""})


def where(folder, tmp_path, **more):
    """What a program finds that is started from an extracted bundle, in another's folder."""
    (tmp_path / "cwd/mlops_ray").mkdir(parents=True, exist_ok=True)
    (tmp_path / "cwd/mlops_ray/__init__.py").write_text("raise ImportError('the wrong one')\n")
    done = subprocess.run(
        bundle_command(["-c", WHERE]),
        cwd=tmp_path / "cwd",
        env=bundle_environment(folder, environment(**more)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_program_started_from_a_bundle_imports_it_and_takes_its_marks_back(bundle, tmp_path):
    folder = extracted(bundle, tmp_path)

    found = where(folder, tmp_path, PYTHONPATH="/somewhere")

    assert found == {
        "folder": str(folder),
        "digest": bundle.digest,
        "package": str(folder / "mlops_ray/__init__.py"),
        "variables": ["PYTHONPATH"],
        "path": "/somewhere",
    }
    assert where(folder, tmp_path)["variables"] == []


def test_a_bundle_that_was_edited_is_refused_by_the_program_that_runs_from_it(bundle, tmp_path):
    folder = extracted(bundle, tmp_path)
    (folder / "src/shop/__init__.py").write_text("edited")

    with pytest.raises(AssertionError, match="captured code was changed while it ran"):
        where(folder, tmp_path)


def test_a_program_that_imports_from_elsewhere_is_refused(bundle, tmp_path):
    folder = extracted(bundle, tmp_path)
    variables = bundle_environment(folder, environment())
    variables["PYTHONPATH"] = str(REPOSITORY)

    done = subprocess.run(
        bundle_command(["-c", WHERE]), env=variables, capture_output=True, text=True, check=False
    )

    assert "Python does not import the captured code" in done.stderr
    assert ".pth files" in done.stderr


def test_a_program_that_was_not_started_from_a_bundle_has_none():
    done = subprocess.run(
        [sys.executable, "-c", WHERE],
        env=environment(PYTHONPATH=str(REPOSITORY)),
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(done.stdout)["folder"] is None


@pytest.fixture
def checkout(tmp_path):
    """A project that is also where this package is imported from, as its developers have it."""
    root = tmp_path / "checkout"
    for path, data in code_files().items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    (root / "pipeline.yaml").write_text(CONFIG)
    (root / "own.py").write_text("X = 1\n")
    return root


def start(root, *arguments, **more):
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "mlops_ray", "run", "pipeline.yaml", "--json", *arguments],
        cwd=root,
        env=environment(PYTHONPATH=str(root), HOME=str(root), **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def tree_of(store, line):
    spec = json.loads(ObjectStore(store).get(line["spec_id"]))
    return json.loads(ObjectStore(store).get(spec["code"]["tree"]))["files"]


@pytest.mark.ray
@pytest.mark.slow
def test_editing_every_file_after_the_start_changes_nothing(checkout):
    before = {path.relative_to(checkout).as_posix() for path in checkout.rglob("*.py")}
    running = start(checkout, "--num-cpus", "1")
    seen = ""
    for text in running.stderr:  # The first line of progress: nothing of Ray has started yet.
        seen += text
        if "[1/8]" in text:
            break
    for path in before:
        (checkout / path).write_text("raise RuntimeError('edited')\n")

    stdout, stderr = running.communicate(timeout=240)

    assert running.returncode == 0, seen + stderr
    line = json.loads(stdout)
    assert line["state"] == "sealed"
    tree = tree_of(checkout / ".mlops_ray/store", line)
    assert {file["path"] for file in tree if not file["path"].endswith("py.typed")} == before
    assert next(file["size"] for file in tree if file["path"] == "own.py") == len("X = 1\n")
    # The edit is one that a run started now would see.
    later = start(checkout)
    assert "edited" in later.communicate(timeout=60)[1]
    assert later.returncode != 0


@pytest.fixture
def sessions():
    """Where Ray keeps its logs; its sockets want a short path."""
    with tempfile.TemporaryDirectory(prefix="r-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.mark.ray
@pytest.mark.slow
def test_a_planted_secret_is_found_in_no_file_no_log_and_no_runtime_env(checkout, sessions):
    """In the environment, and in untracked files of which none is captured."""
    secret = "hunter2" + "-Kq83ZmVx"
    (checkout / ".env").write_text(f"SHOP_PASSWORD={secret}\n")
    (checkout / "tls.key").write_text(secret)
    lock = f"--index-url https://me:{secret}@mirror/simple\n# {secret}\nmarked-package==1.0\n"
    (checkout / "requirements.lock").write_text(lock)
    (checkout / "own.py").write_text("X = 'marked-code'\n")
    with_secret = {"SHOP_PASSWORD": secret, "RAY_TMPDIR": str(sessions)}

    running = start(checkout, "--num-cpus", "1", **with_secret)
    stdout, stderr = running.communicate(timeout=240)

    assert running.returncode == 0, stderr
    workspace = find_workspace(checkout)
    (record,) = list_runs(workspace)
    export = export_run(record, checkout / "run.tar").path
    places = [*_files(checkout / ".mlops_ray"), *_files(sessions), export]
    assert [path for path in places if secret.encode() in _read(path)] == []
    assert secret not in stdout + stderr
    # What is there is found: in store and export the marks beside the secrets, in Ray's logs Ray's.
    for mark in (b"marked-code", b"marked-package"):
        assert len([path for path in places if mark in _read(path)]) >= 2
        assert mark in _read(export)
    assert [path for path in _files(sessions) if b"raylet" in _read(path)]


@pytest.mark.parametrize(
    ("place", "arguments"),
    [
        ("own.py:2 (OpenAI Token)", []),
        ("pipeline.yaml:6:4: data.notes.password", []),
        ("--set: owner", ["--set", "owner=https://shop:{secret}@host/people"]),
        ("--address", ["--address", "ray://shop:{secret}@head:10001"]),
    ],
)
def test_a_secret_in_code_config_or_url_refuses_the_run_before_anything_is_written(
    checkout, place, arguments
):
    secret = "hunter2" + "-Kq83ZmVx"
    if place.startswith("own.py"):
        secret = "sk-" + "Kq83ZmVx" * 3
        (checkout / "own.py").write_text(f"X = 1\nclient = Client('{secret}')\n")
    elif place.startswith("pipeline.yaml"):
        notes = CONFIG.replace(
            "key: [row]}", f'key: [row],\n  notes: {{\n   password: "{secret}"}}}}'
        )
        (checkout / "pipeline.yaml").write_text(notes)

    running = start(checkout, *(argument.format(secret=secret) for argument in arguments))
    stdout, stderr = running.communicate(timeout=60)

    assert running.returncode == 2
    assert json.loads(stdout)["code"] == "config"
    assert "seems to hold a secret" in stderr
    assert place in stderr
    assert secret not in stdout + stderr
    assert not (checkout / ".mlops_ray").exists()


def test_a_source_whose_url_holds_a_password_is_refused_without_repeating_it(checkout):
    secret = "hunter2" + "-Kq83ZmVx"

    running = start(checkout, "--set", f"data.source=https://shop:{secret}@host/t.parquet")
    stdout, stderr = running.communicate(timeout=60)

    assert running.returncode == 2
    assert "--set: data.source: the pipeline file seems to hold a secret" in stderr
    assert secret not in stdout + stderr


def test_a_wrong_pipeline_file_is_reported_as_before_with_nothing_written(checkout):
    text = (checkout / "pipeline.yaml").read_text().replace("trials: 2", "trails: 2")
    (checkout / "pipeline.yaml").write_text(text.replace("n_estimators", "n_estimater"))

    running = start(checkout)
    stdout, stderr = running.communicate(timeout=60)

    assert running.returncode == 2
    line = json.loads(stdout)
    assert line["code"] == "invalid_config"
    assert "unknown key 'trails'" in stderr
    assert not (checkout / ".mlops_ray").exists()


def test_a_script_starts_itself_anew_from_captured_code(checkout):
    (checkout / "own.py").write_text(
        "import sys\nimport mlops_ray\n"
        "mlops_ray.relaunch('pipeline.yaml')\n"
        "print(mlops_ray.__file__, __file__, *sys.argv[1:])\n"
    )

    done = subprocess.run(
        [sys.executable, "own.py", "--flag", "a b"],
        cwd=checkout,
        env=environment(PYTHONPATH=str(checkout)),
        capture_output=True,
        text=True,
        check=True,
    )

    (folder,) = (checkout / ".mlops_ray/store/code").glob("tree-*")
    assert done.stdout == f"{folder}/mlops_ray/__init__.py {folder}/own.py --flag a b\n"


def _files(folder):
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]


def _read(path):
    try:
        return path.read_bytes()
    except FileNotFoundError:  # Ray's last processes tidy up.
        return b""
