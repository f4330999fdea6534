"""What a gate refuses stays on record and goes no further; what it lets through is registered."""

from __future__ import annotations

import pytest

from mlops_ray.errors import GateError, ManifestError, NotFoundError
from mlops_ray.pipeline.run import run_of_version
from mlops_ray.storage import find_workspace

pytestmark = pytest.mark.ray


def test_a_failed_gate_keeps_the_manifest_and_registers_nothing(binary, bench):
    gates = [{"metric": "accuracy", "at_least": 0.1}, {"metric": "roc_auc", "at_least": 0.9999}]

    pair = bench.run({**binary.config, "gates": gates}, binary.table)

    for engine, run in pair.runs.items():
        project = pair.projects[engine]
        assert run.state == "rejected"
        assert [gate.verdict for gate in run.gates] == ["PASS", "FAIL"]
        assert run.gates[1].value == binary.run.metrics["roc_auc"]
        assert run.envelope.error.code == "gate"
        assert "its gate wants >= 0.9999" in run.envelope.error.message
        assert run.model is None
        assert project.versions() == []
        assert project.verify().is_ok
        assert [summary.state for summary in project.runs()] == ["rejected"]
        with pytest.raises(GateError, match="got rejected"):
            project.register("latest")
        with pytest.raises(ManifestError, match="registered no model"):
            _ = run.model_reference
        with pytest.raises(NotFoundError):
            project.predictor(f"{run.spec.name}@1")
    assert pair.run.result.model.bundle == binary.run.result.model.bundle
    assert pair.run.result_id != binary.run.result_id


def test_a_rejected_run_shows_no_model_though_an_earlier_one_registered_its_bundle(
    binary, bench, tmp_path
):
    registry = tmp_path / "registry.db"
    registered = bench.run(binary.config, binary.table, registry=registry)
    gates = [{"metric": "roc_auc", "at_least": 0.9999}]

    rejected = bench.run({**binary.config, "gates": gates}, binary.table, registry=registry)

    shown = rejected.project.run()
    assert shown.result.model.bundle == registered.run.result.model.bundle
    assert (shown.state, shown.model) == ("rejected", None)
    assert registered.project.run().model["version"] == 1


def test_a_version_is_found_in_any_store_that_holds_a_sealed_run_of_its_bundle(
    binary, bench, tmp_path
):
    pair = bench.run(binary.config, binary.table, registry=tmp_path / "registry.db")
    version = pair.project.version("xgboost@1")

    found = [run_of_version(project.workspace, version) for project in pair.projects.values()]

    assert len({run.run_id for run in found}) == 2
    assert {run.result.model.bundle for run in found} == {version.bundle}
    with pytest.raises(NotFoundError, match=r"no run that made xgboost@1.*--store"):
        run_of_version(find_workspace(tmp_path / "elsewhere"), version)


def test_equal_bundles_share_a_version_and_another_moves_the_alias(binary, bench, tmp_path):
    registry = tmp_path / "registry.db"

    first = bench.run(binary.config, binary.table, registry=registry)
    second = bench.run({**binary.config, "seed": 8}, binary.table, registry=registry)

    project = second.project
    assert [run.model["version"] for run in first.runs.values()] == [1, 1]
    assert [run.model["version"] for run in second.runs.values()] == [2, 2]
    versions = {version.version: version for version in project.versions()}
    assert list(versions) == [1, 2]
    assert [versions[n].aliases for n in (1, 2)] == [(), ("challenger",)]
    assert versions[1].bundle == binary.run.result.model.bundle
    assert versions[1].run_id == first.run.run_id
    assert versions[1].metrics == binary.run.metrics
    assert project.version("xgboost@challenger").version == 2
    with pytest.raises(NotFoundError, match="mlops-ray models promote"):
        project.version("xgboost")

    moved = project.promote("xgboost@1")

    assert (moved.alias, moved.version, moved.has_moved) == ("champion", 1, True)
    assert project.version("xgboost").version == 1
    kinds = [event.kind for event in project.history("xgboost")]
    assert kinds.count("registered") == 2
    assert kinds[-1] == "promoted"


def test_without_register_a_sealed_run_stays_out_of_the_registry_until_asked(binary, bench):
    config = {key: value for key, value in binary.config.items() if key != "register"}

    pair = bench.run(config, binary.table)

    assert pair.run.state == "sealed"
    assert pair.run.model is None
    assert pair.project.versions() == []
    assert pair.project.register("latest", "blue").version == 1
    assert pair.project.run().model_reference == "xgboost@1"


def test_runs_and_logs_tell_what_happened(binary):
    (summary,) = binary.project.runs()
    entries = binary.project.log()

    assert (summary.run_id, summary.state) == (binary.run.run_id, "sealed")
    assert summary.metric == f"roc_auc={binary.run.metrics['roc_auc']:.4f}"
    assert summary.size_bytes > 10_000
    events = [entry["event"] for entry in entries]
    assert (events[0], events[-1]) == ("run_started", "run_ended")
    assert events.count("stage_finished") == 8
    assert events.count("trial_finished") == 3
    assert binary.project.run(binary.run.run_id[:-2]).result == binary.run.result
