"""`ray job submit`, `deploy`, `status` and `undeploy` on a cluster that somebody else started.

The same head is "the other cluster on this machine" for a run that names no address.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pyarrow.parquet as pq
import pytest

import mlops_ray
from mlops_ray.data.bundled import bundled_table

REPOSITORY = Path(__file__).parents[2]
CONFIG = "configs/breast_cancer.yaml"
SMALL = ["search.trials=3", "model.params.n_estimators=12"]

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="cluster/head is for Linux"),
]


@dataclass(frozen=True)
class Head:
    """A running head, and a shell in a checkout on the same machine."""

    shell: object
    variables: dict
    pid: int

    @property
    def address(self):
        """For ``--address``."""
        return f"127.0.0.1:{self.variables['RAY_GCS_PORT']}"

    def submit(self, env_vars):
        """Hand a small job in, as the documentation says."""
        overrides = [word for text in SMALL for word in ("--set", text)]
        shell = self.shell.at(self.shell.folder, **self.variables)
        return shell.run(
            *["ray", "job", "submit", "--working-dir", "."],
            *(["--runtime-env-json", json.dumps({"env_vars": env_vars})] if env_vars else []),
            *["--", "python", "jobs/run.py", "--config", CONFIG, *overrides],
        )

    def command(self, *arguments, **places):
        """A command of a user who has the head's token but not its address."""
        token = {k: v for k, v in self.variables.items() if k.startswith("RAY_AUTH")}
        shell = self.shell.at(self.shell.folder, **token, **places)
        return shell.mlops_ray(*arguments, "--json")

    def jobs(self):
        """Ids of all drivers that ever worked on the head."""
        token = Path(self.variables["RAY_AUTH_TOKEN_PATH"]).read_text()
        url = f"{self.variables['RAY_ADDRESS']}/api/jobs/"
        answer = httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=30)
        return sorted(str(job["job_id"]) for job in answer.json())

    def processes(self):
        """Command names of the head's own processes."""
        lasting = ("gcs_server", "raylet", "ray")
        session = [p for p in psutil.process_iter() if _session_of(p.pid) == self.pid]
        return sorted((p.pid, p.name()) for p in session if p.name() in lasting)


def _session_of(pid):
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


@pytest.fixture(scope="module")
def checkout(shell, tmp_path_factory):
    """The files of the project as a clone has them, so that the upload is small."""
    folder = tmp_path_factory.mktemp("checkout")
    listed = subprocess.run(
        [shutil.which("git"), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, folder / name)
    return type(shell)(folder, shell.home)


@pytest.fixture(scope="module")
def head(checkout):
    with tempfile.TemporaryDirectory(prefix="head-", dir="/tmp") as folder:
        script = REPOSITORY / "cluster/head"
        started = checkout.at(checkout.folder, PYTHON=sys.executable).run(script, "start", folder)
        assert started.code == 0, started.stderr
        variables = dict(re.findall(r"export (\w+)=(.*)", started.stdout))
        yield Head(checkout, variables, int((Path(folder) / "pid").read_text()))
        checkout.run(script, "stop", folder)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    root = tmp_path_factory.mktemp("shared")
    return {
        "MLOPS_RAY_STORE": str(root / "store"),
        "MLOPS_RAY_REGISTRY": str(root / "registry.db"),
    }


@pytest.fixture(scope="module")
def job(head, places):
    """The pipeline as a job on the head, with the store outside the upload."""
    return head.submit(places)


@pytest.fixture(scope="module")
def deployed(head, job, places):
    """The job's model on the head."""
    assert job.code == 0, job
    arguments = ["--address", head.address, "--port", "0"]
    return head.command("deploy", "breast_cancer@1", *arguments, **places)


def test_a_job_whose_store_would_die_with_it_is_refused_before_any_work(head):
    done = head.submit({})

    said = done.stdout + done.stderr
    assert done.code != 0
    assert "error: the store lies in the job's upload" in said
    assert "MLOPS_RAY_STORE" in said
    assert "exit code 2" in said
    assert "[1/8]" not in said


def test_a_job_leaves_the_same_result_as_a_run_here_which_leaves_the_cluster_alone(
    head, job, places, tmp_path
):
    assert job.code == 0, job
    line = next(text for text in job.stdout.splitlines() if text.startswith('{"schema"'))
    there = json.loads(line)
    before = head.jobs(), head.processes()
    own = {"MLOPS_RAY_STORE": str(tmp_path / "s"), "MLOPS_RAY_REGISTRY": str(tmp_path / "r.db")}

    overrides = [word for text in SMALL for word in ("--set", text)]
    here = head.command("run", CONFIG, *overrides, **own)

    assert here.code == 0, here
    assert here.line["result_id"] == there["result_id"]
    assert there["state"] == here.line["state"] == "sealed"
    assert (head.jobs(), head.processes()) == before
    assert len(before[1]) >= 2
    facts = [
        mlops_ray.Records(store=store).run(run_id).envelope
        for store, run_id in (
            (places["MLOPS_RAY_STORE"], there["run_id"]),
            (own["MLOPS_RAY_STORE"], here.line["run_id"]),
        )
    ]
    assert [envelope.cluster["is_own"] for envelope in facts] == [False, True]
    assert [envelope.trigger for envelope in facts] == ["job", "manual"]


def test_a_deployed_version_answers_as_the_batch_does_and_stays_when_the_command_ends(
    head, deployed, places, tmp_path
):
    assert deployed.code == 0, deployed
    table = bundled_table("sklearn:breast_cancer").drop_columns(["target"])
    pq.write_table(table, tmp_path / "rows.parquet")
    out = tmp_path / "p.parquet"

    arguments = ["breast_cancer@1", tmp_path / "rows.parquet", "--out", out]
    written = head.command("predict", *arguments, "--address", head.address, **places)
    url = f"{deployed.line['url']}/predict/breast_cancer"
    records = table.drop_columns(["row"]).to_pylist()
    answer = httpx.post(url, json=records, timeout=30)
    alone = httpx.post(url, json=records[0], timeout=30)

    assert written.code == 0, written
    batch = pq.read_table(out)
    assert answer.json()["outputs"]["label"] == batch["label"].to_pylist()
    assert answer.json()["outputs"]["probability"] == batch["probability"].to_pylist()
    assert alone.json()["outputs"]["probability"] == batch["probability"].to_pylist()[:1]
    assert answer.headers["x-mlops-bundle"] == deployed.line["bundle"]


def test_status_shows_what_undeploy_takes_down(head, deployed, project):
    assert deployed.code == 0, deployed
    at = ["--address", head.address]

    before = head.jobs()

    running = head.command("status", *at)
    after = head.jobs()
    other = head.command("deploy", "demand@1", *at, **project.variables)
    history = head.command("models", "history", "demand", **project.variables).line["events"]
    removed = head.command("undeploy", *at)
    empty = head.command("status", *at)

    assert running.line["schema"] == "mlops-ray/status/v1"
    assert (running.line["model"], running.line["status"]) == ("breast_cancer", "RUNNING")
    assert running.line["endpoint"]["url"] == deployed.line["url"]
    assert running.line["endpoint"]["identity"]["bundle"] == deployed.line["bundle"]
    assert (other.code, other.line["code"]) == (5, "conflict")
    assert "breast_cancer" in other.line["message"]
    assert "mlops-ray undeploy" in other.line["hint"]
    ports = {event["body"].get("endpoint") for event in history if event["kind"] == "deployed"}
    assert "port 8000" not in ports  # What was refused is not recorded as deployed.
    assert (removed.line["schema"], removed.line["removed"]) == (
        "mlops-ray/undeploy/v1",
        "breast_cancer",
    )
    assert (empty.code, empty.line["status"]) == (0, "NOTHING_DEPLOYED")
    assert head.processes()  # The cluster itself goes on.
    assert len(after) > len(before)  # So a command that joins would be seen.
