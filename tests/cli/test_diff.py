"""`mlops-ray runs diff` over records of earlier versions, as users call it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_ray.manifest import Envelope, canonical_bytes
from mlops_ray.manifest.run_record import RunRecord
from mlops_ray.storage import Workspace, find_workspace

GOLDEN = Path(__file__).parents[1] / "golden" / "manifests" / "1.0"
HEAVY = ("ray", "sklearn", "xgboost", "pandas")
FIRST, SECOND, THIRD, FAILED = (f"20260101t00000{n}-00000{n}" for n in range(4))


def seal(workspace: Workspace, run_id: str, state: str, *, seed: int | None = None) -> None:
    spec, result, envelope = (
        json.loads(path.read_bytes()) if (path := GOLDEN / state / f"{kind}.json").exists() else {}
        for kind in ("spec", "result", "envelope")
    )
    if seed is not None:
        spec["seed"], spec["seeds"] = seed, {"split": str(seed), "search": str(seed)}
        result["split"]["test"]["membership"] = "sha256:" + "0" * 64
    envelope |= {"run_id": run_id, "spec_id": workspace.store.put(canonical_bytes(spec))}
    if result:
        envelope["result_id"] = workspace.store.put(canonical_bytes(result))
    record = RunRecord(workspace, run_id)
    record.folder.mkdir(parents=True)
    record.seal(Envelope.from_bytes(canonical_bytes(envelope)))


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> str:
    root = tmp_path_factory.mktemp("project")
    workspace = find_workspace(root, root / "store")
    seal(workspace, FIRST, "sealed")
    seal(workspace, SECOND, "sealed")
    seal(workspace, THIRD, "sealed", seed=8)
    seal(workspace, FAILED, "failed")
    return str(root / "store")


def call(store: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mlops_ray", "runs", "diff", *arguments, "--store", store]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_equal_runs_do_not_differ(store) -> None:
    done = call(store, FIRST, SECOND)

    assert (done.returncode, done.stdout) == (0, "the runs do not differ\n")


def test_another_seed_stands_under_config_and_forbids_to_compare_metrics(store) -> None:
    text, content = call(store, FIRST, THIRD), call(store, FIRST, THIRD, "--json")
    found = json.loads(content.stdout)

    assert text.returncode == content.returncode == 0
    rows = [line.split() for line in text.stdout.splitlines()[1:3]]
    assert rows[0] == ["config", "seed", "7", "8"]
    assert rows[1][:2] == ["config", "split.test"]
    assert "metrics may not be compared: the test rows differ" in text.stdout
    assert found["schema"] == "mlops-ray/diff/v1"
    config = found["differs"]["config"]
    assert config.pop("split.test")["b"] == "sha256:" + "0" * 64
    assert config == {"seed": {"a": 7, "b": 8}}
    assert found["differs"]["data"] == found["differs"]["code"] == {}
    assert found["comparable"] is False
    assert [found["a"]["run_id"], found["b"]["run_id"]] == [FIRST, THIRD]


def test_a_run_without_a_result_can_be_compared_by_what_it_asked(store) -> None:
    found = json.loads(call(store, FIRST, FAILED, "--json").stdout)

    assert found["b"]["result_id"] is None
    assert found["differs"]["config"]["model.family"] == {"a": "xgboost", "b": "linear"}
    assert found["reason"].endswith("has no metrics: it is failed")


def test_a_run_that_is_not_there_is_named(store) -> None:
    done = call(store, FIRST, "20990101", "--json")

    assert done.returncode == 6
    assert json.loads(done.stdout)["code"] == "not_found"
    assert "'20990101'" in done.stderr + done.stdout


def test_no_compute_framework_is_loaded_for_it(store) -> None:
    program = (
        "import sys, mlops_ray\n"
        f"mlops_ray.Records(store={store!r}).diff({FIRST!r}, {THIRD!r})\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout == "[]\n"
