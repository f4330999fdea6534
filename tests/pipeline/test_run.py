"""A run as its user sees it."""

from __future__ import annotations

import json
import types

import pytest

from mlops_ray.errors import DigestMismatchError, ManifestError
from mlops_ray.manifest import ErrorFacts, RunRecord, new_run
from mlops_ray.pipeline.records import Records
from mlops_ray.pipeline.run import Run, load_run, summarize
from mlops_ray.storage import find_workspace


@pytest.fixture
def record(tmp_path) -> RunRecord:
    return new_run(find_workspace(tmp_path))


@pytest.fixture
def sealed(record, spec, result, envelope):
    for document in (spec, result):
        record.workspace.store.put(document.to_bytes())
    record.seal(envelope)
    return record


VERSION = types.SimpleNamespace(model="demand", version=3, bundle="sha256:b")


def test_documents_come_back_behind_plain_names(sealed, spec, result):
    run = load_run(sealed)

    assert (run.spec_id, run.result_id) == (spec.digest, result.digest)
    assert (run.spec, run.result, run.state) == (spec, result, "sealed")
    assert run.metrics == {"rmse": 2.0}  # Of the test rows, not of the validation rows.
    assert run.wall_s == 8.5
    assert run.model is None


def test_json_has_the_members_of_the_interface(sealed):
    content = load_run(sealed, VERSION).to_json()

    wanted = "run_id spec_id result_id determinism state metrics gates model stages trials wall_s"
    assert {*wanted.split(), "ray_start_s", "peak_pss_bytes"} <= content.keys()
    assert content["model"] == {"name": "demand", "version": 3, "bundle": "sha256:b"}
    assert content["trials"] == {
        "finished": 2,
        "pruned": 0,
        "failed": 1,
        "best": {"index": 1, "params": {"alpha": 0.5}, "value": 2.5},
    }
    assert [(s["name"], bool(s["outputs"])) for s in content["stages"]] == [
        ("ingest", True),
        ("split", False),
    ]
    assert {"name", "key", "cache", "wall_s", "outputs"} <= content["stages"][0].keys()
    assert json.loads(json.dumps(content)) == content


def test_reference_names_the_registered_version(sealed):
    assert load_run(sealed, VERSION).model_reference == "demand@3"
    with pytest.raises(ManifestError, match="registered no model: got sealed"):
        _ = load_run(sealed).model_reference


def test_a_failed_run_has_no_result_but_an_error(record, spec, envelope):
    record.workspace.store.put(spec.to_bytes())
    error = ErrorFacts(code="column", message="x: all null")
    changes = {"state": "failed", "result_id": None, "error": error}
    record.seal(envelope.model_copy(update=changes))

    run = load_run(record)

    assert (run.result, run.metrics, run.gates) == (None, {}, [])
    content = run.to_json()
    assert content["trials"] == {"finished": 0, "pruned": 0, "failed": 0, "best": None}
    assert content["error"] == {"code": "column", "message": "x: all null"}
    assert content["result_id"] is None
    assert summarize(record).metric == ""


def test_a_run_that_has_not_ended_cannot_be_loaded_but_is_listed(record):
    record.announce("demand", "sha256:s", "2026-01-01T00:00:00.000Z")

    with pytest.raises(ManifestError, match="has no manifest"):
        load_run(record)

    assert summarize(record).state == "interrupted"
    assert (summarize(record).name, summarize(record).started_at[:4]) == ("demand", "2026")
    with record.lock().acquire():
        assert summarize(record).state == "running"


def test_a_run_that_died_before_it_had_a_spec_is_listed_too(record):
    assert (summarize(record).name, summarize(record).state) == ("?", "interrupted")


def test_a_damaged_document_is_not_read(sealed, result):
    path = sealed.workspace.store.path(result.digest)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"2.5", b"2.4"))

    with pytest.raises(DigestMismatchError):
        load_run(sealed)


def test_summary_shows_the_objective_on_the_test_rows(sealed):
    summary = summarize(sealed)

    assert (summary.name, summary.state, summary.metric) == ("demand", "sealed", "rmse=2.0000")


def test_a_torn_last_line_of_a_log_is_left_out(record, tmp_path):
    record.log_path.write_bytes(b'{"event": "run_started"}\n{"event": "stage_st')

    lines = Records(tmp_path, store=record.workspace.store_root).log(record.run_id)

    assert lines == [{"event": "run_started"}]


def test_a_run_is_immutable(sealed):
    run = load_run(sealed)

    assert isinstance(run, Run)
    with pytest.raises(AttributeError):
        run.version = VERSION
