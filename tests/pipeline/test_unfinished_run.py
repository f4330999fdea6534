"""`mlops_ray.pipeline.unfinished_run`: what a run without a manifest left, and how it goes on."""

import json

import pytest

from mlops_ray.errors import ManifestError, NotFoundError
from mlops_ray.manifest import RunRecord
from mlops_ray.pipeline.records import Records
from mlops_ray.pipeline.run import Run
from mlops_ray.pipeline.unfinished_run import find_ended_run, look_at
from mlops_ray.storage import find_workspace
from mlops_ray.telemetry import LoggedProgress, RunLog, SilentProgress
from mlops_ray.telemetry.standing import Standing, TrialLine

AT = "2026-01-01T00:00:00.000Z"
COMMAND = "mlops-ray run pipeline.yaml"


def record_of(workspace, number=0) -> RunRecord:
    record = RunRecord(workspace, f"20260101t00000{number}-abcdef")
    record.folder.mkdir(parents=True)
    return record


@pytest.fixture
def workspace(tmp_path):
    return find_workspace(tmp_path)


@pytest.fixture
def dead(workspace) -> RunRecord:
    """A run that was ended in the middle of its search."""
    record = record_of(workspace)
    record.announce("demand", "sha256:s", AT, COMMAND, "20251231t000000-abcdef")
    with RunLog(record.log_path) as log:
        log.write("run_started")
        progress = LoggedProgress(log, SilentProgress())
        progress.stage_started("ingest", 1, 8)
        progress.stage_reused("ingest")
        progress.stage_started("split", 2, 8)
        progress.stage_finished("split", 1.5)
        progress.stage_started("search", 5, 8)
        for index, status in enumerate(("finished", "failed", "pruned")):
            line = TrialLine(index, status, 0.5 if status == "finished" else None)
            progress.trial_finished(Standing(index + 1, 4, line))
    with record.log_path.open("ab") as stream:
        stream.write(b'{"event": "trial_fin')  # Torn by the kill.
    return record


def test_what_an_interrupted_run_said_and_logged_is_known(dead) -> None:
    found = look_at(dead)

    assert (found.state, found.name, found.spec_id) == ("interrupted", "demand", "sha256:s")
    assert (found.started_at, found.parent) == (AT, "20251231t000000-abcdef")
    assert [(s.name, s.cache, s.wall_s) for s in found.stages] == [
        ("ingest", "hit", None),
        ("split", "miss", 1.5),
    ]
    assert found.open_stage == "search"
    assert str(found) == "interrupted in stage search, after ingest, split"
    assert found.way_on == f"`{COMMAND}` in the project's root goes on with it"
    content = found.to_json()
    assert content["trials"] == {"finished": 1, "pruned": 1, "failed": 1, "best": None}
    assert content["log"]["lines"] == 9
    assert content["log"]["last"]["event"] == "trial_finished"
    assert (content["spec_id"], content["result_id"]) == ("sha256:s", None)
    assert json.loads(json.dumps(content)) == content


def test_its_json_has_the_members_of_a_run_that_ended(dead, spec, result, envelope) -> None:
    ended = Run(dead, envelope, spec, result).to_json()
    found = look_at(dead).to_json()

    assert ended.keys() <= found.keys()
    assert ended["stages"][0].keys() == found["stages"][0].keys()
    assert ended["trials"].keys() == found["trials"].keys()


def test_whoever_wants_one_that_ended_is_told_how_far_it_is_and_how_it_goes_on(dead) -> None:
    with pytest.raises(ManifestError) as refused:
        find_ended_run(dead.workspace, "latest")

    assert refused.value.got == "interrupted in stage search, after ingest, split"
    assert f"`{COMMAND}` in the project's root goes on" in refused.value.hint
    assert f"`mlops-ray runs show {dead.run_id}`" in refused.value.hint
    with pytest.raises(NotFoundError):
        find_ended_run(dead.workspace, "1999")


def test_every_command_that_needs_a_manifest_says_so(dead, tmp_path) -> None:
    records = Records(tmp_path)
    ways = [
        lambda: records.run("latest"),
        lambda: records.verify("latest"),
        lambda: records.reproduce("latest"),
        lambda: records.diff("latest", dead.run_id),
        lambda: records.export_run("latest", tmp_path / "run.tar"),
        lambda: records.sign_run("latest", tmp_path / "key.pem"),
        lambda: records.register("latest"),
    ]

    for way in ways:
        with pytest.raises(ManifestError, match=rf"after ingest, split.*`{COMMAND}` in the proj"):
            way()

    assert records.show("latest") == look_at(dead)
    assert not (tmp_path / "run.tar").exists()


def test_one_that_is_running_is_waited_for(dead) -> None:
    with dead.lock().acquire():
        found = look_at(dead)

    assert found.state == "running"
    assert found.way_on.startswith("wait for its end; `mlops-ray runs logs")


def test_one_that_another_run_went_on_with_names_the_latest_such(dead, workspace) -> None:
    for number, spec_id in enumerate(("sha256:s", "sha256:s", "sha256:other"), start=1):
        record_of(workspace, number).announce("demand", spec_id, AT)

    assert look_at(dead).continued_by == "20260101t000002-abcdef"
    assert "run 20260101t000002-abcdef went on with it" in look_at(dead).way_on


def test_one_that_died_before_it_said_anything_is_known_by_its_id_alone(workspace) -> None:
    found = look_at(record_of(workspace))

    assert (found.state, found.started_at) == ("interrupted", "2026-01-01T00:00:00Z")
    assert str(found) == "interrupted, no stage finished"
    assert "`mlops-ray run`" in found.way_on
    assert found.to_json()["spec_id"] is None


def test_one_that_ended_is_found(dead, spec, result, envelope) -> None:
    for document in (spec, result):
        dead.workspace.store.put(document.to_bytes())
    dead.seal(envelope.model_copy(update={"run_id": dead.run_id}))

    assert find_ended_run(dead.workspace, dead.run_id) == dead
