"""A run for TensorBoard and MLflow: read back from what was written, with their own readers."""

from __future__ import annotations

import importlib
import struct

import pytest
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

from mlops_ray.errors import ClusterError, ConfigError, StoreError
from mlops_ray.manifest import ObjectFacts, RunRecord
from mlops_ray.pipeline.run import Run
from mlops_ray.pipeline.tracker import export_to_tracker
from mlops_ray.search.trial import TrialRecord, trial_table
from mlops_ray.storage import find_workspace

CURVE = ((10, 3.5), (20, 2.5))
RECORDS = [
    TrialRecord(0, {"alpha": 0.5, "kind": None}, "1", "finished", 3.0, {"rmse": 3.0, "r2": 0.25}),
    TrialRecord(1, {"alpha": 1.5}, "2", "failed", error="ModelError", message="bad"),
    TrialRecord(2, {"alpha": 0.25}, "3", "finished", 2.5, {"rmse": 2.5}, rounds=20, curve=CURVE),
    TrialRecord(3, {"alpha": 9.0}, "4", "pruned", rungs=((10, 7.0),)),
    TrialRecord(4, {"alpha": 8.0}, "5", "pruned", rungs=((1 / 3, 6.5),), by="data_share"),
]


@pytest.fixture
def run(tmp_path, spec, result, envelope):
    workspace = find_workspace(tmp_path)
    table = trial_table(RECORDS)
    facts = ObjectFacts(role="trials", sha256=workspace.store.put(table), size_bytes=len(table))
    ended = envelope.model_copy(update={"objects": [facts]})
    return Run(RunRecord(workspace, ended.run_id), ended, spec, result)


def _events(folder):
    """Events of a folder's one file, which is TFRecords: length, checksum, bytes, checksum."""
    (path,) = folder.glob("events.*")
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        (n_bytes,) = struct.unpack_from("<Q", data, at)
        found.append(Event.FromString(data[at + 12 : at + 12 + n_bytes]))
        at += 16 + n_bytes
    return found


def _scalars(folder):
    values = ((e.step, v) for e in _events(folder) for v in e.summary.value)
    return {(v.tag, step): v.simple_value for step, v in values if not v.HasField("metadata")}


def _params(folder):
    for event in _events(folder):
        for value in event.summary.value:
            if value.tag == "_hparams_/session_start_info":
                content = HParamsPluginData.FromString(value.metadata.plugin_data.content)
                found = content.session_start_info.hparams
                return {name: getattr(v, v.WhichOneof("kind")) for name, v in found.items()}
    return {}


def test_tensorboard_finds_trials_with_parameters_metrics_and_curves(run, tmp_path):
    out = tmp_path / "events"

    assert export_to_tracker(run, "tensorboard", str(out)) == 5

    assert sorted(path.name for path in out.iterdir()) == [
        "search", "trial-0", "trial-1", "trial-2", "trial-3", "trial-4",
    ]  # fmt: skip
    assert _scalars(out / "search") == {
        ("best_so_far/rmse", 0): 3.0,
        ("best_so_far/rmse", 2): 2.5,
        ("test/rmse", 0): 2.0,
    }
    assert _scalars(out / "trial-0") == {("valid/rmse", 0): 3.0, ("valid/r2", 0): 0.25}
    assert _scalars(out / "trial-1") == {}
    assert _scalars(out / "trial-2") == {
        ("valid/rmse", 0): 2.5,
        ("rounds/rmse", 10): 3.5,
        ("rounds/rmse", 20): 2.5,
    }
    assert _scalars(out / "trial-3") == {("rounds/rmse", 10): 7.0}
    assert _scalars(out / "trial-4") == {("rows_of_a_million/rmse", 333_333): 6.5}
    assert _params(out / "trial-0") == {"alpha": 0.5, "kind": "none", "status": "finished"}
    assert _params(out / "trial-1") == {"alpha": 1.5, "status": "failed"}


def test_a_folder_that_is_there_is_left_alone(run, tmp_path):
    with pytest.raises(StoreError, match="is there already"):
        export_to_tracker(run, "tensorboard", str(tmp_path))


@pytest.mark.parametrize(
    ("tracker", "package"), [("tensorboard", "tensorboardX"), ("mlflow", "mlflow")]
)
def test_a_package_that_is_not_installed_is_named_with_the_way_to_it(
    run, tmp_path, monkeypatch, tracker, package
):
    monkeypatch.setitem(importlib.import_module("sys").modules, package, None)

    with pytest.raises(ConfigError, match=f"export to {tracker} needs") as caught:
        export_to_tracker(run, tracker, str(tmp_path / "out"))

    assert caught.value.got == f"no {package}"
    assert f"mlops-ray[{tracker}]" in caught.value.hint


@pytest.fixture
def mlflow(monkeypatch):
    package = pytest.importorskip("mlflow", reason="mlflow-skinny is an extra, not installed here")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # A store without a server.
    return package


def test_mlflow_finds_the_run_and_its_trials_below_it(run, tmp_path, mlflow):
    address = str(tmp_path / "mlruns")

    assert export_to_tracker(run, "mlflow", address) == 5

    client = mlflow.MlflowClient(tracking_uri=address)
    experiment = client.get_experiment_by_name("demand").experiment_id
    found = client.search_runs([experiment])
    (parent,) = [item for item in found if "mlflow.parentRunId" not in item.data.tags]
    trials = {item.info.run_name: item for item in found if item is not parent}
    assert parent.data.tags["mlops_ray.run_id"] == run.run_id
    assert parent.data.metrics == {"test/rmse": 2.0}
    assert set(trials) == {"trial 0", "trial 1", "trial 2", "trial 3", "trial 4"}
    assert {item.data.tags["mlflow.parentRunId"] for item in trials.values()} == {
        parent.info.run_id
    }
    assert trials["trial 0"].data.params == {"alpha": "0.5", "kind": "None"}
    assert trials["trial 0"].data.metrics == {"valid/rmse": 3.0, "valid/r2": 0.25}
    assert trials["trial 1"].data.tags["mlops_ray.reason"] == "ModelError: bad"
    statuses = {name: item.info.status for name, item in trials.items()}
    assert statuses == {
        "trial 0": "FINISHED", "trial 1": "FAILED", "trial 2": "FINISHED", "trial 3": "KILLED",
        "trial 4": "KILLED",
    }  # fmt: skip
    curve = client.get_metric_history(trials["trial 2"].info.run_id, "rounds/rmse")
    assert [(point.step, point.value) for point in curve] == list(CURVE)
    at = "rows_of_a_million/rmse"
    shares = client.get_metric_history(trials["trial 4"].info.run_id, at)
    assert [(point.step, point.value) for point in shares] == [(333_333, 6.5)]
    export_to_tracker(run, "mlflow", address)  # Once more into the same experiment.
    assert len(client.search_runs([experiment])) == 12


def test_an_address_that_mlflow_does_not_know_is_told(run, mlflow):
    assert mlflow is not None

    with pytest.raises(ClusterError, match="does not take the run"):
        export_to_tracker(run, "mlflow", "nowhere://here")
