"""`mlops_ray.pipeline.plan` and `last_records`, without Ray: over stages that are said to be done.

That a run does as planned is shown in `tests/integration/test_mutations.py`.
"""

import json
import os
from pathlib import Path

import pytest

from mlops_ray.errors import NotFoundError
from mlops_ray.manifest import ObjectFacts, Spec, StageFacts, StageRecord, list_runs
from mlops_ray.manifest.run_record import RunRecord
from mlops_ray.pipeline.capture import captured, facts_of
from mlops_ray.pipeline.declared import STAGE_NAMES, STAGES
from mlops_ray.pipeline.engine import declared_members
from mlops_ray.pipeline.freeze import spec_of
from mlops_ray.pipeline.last_records import LastStage, last_stages
from mlops_ray.pipeline.pin import digested_inputs
from mlops_ray.pipeline.pipeline import Pipeline
from mlops_ray.pipeline.stage_cache import keep, pointer_key, record_facts
from mlops_ray.storage import DigestCache

# What each stage puts out, as far as later ones ask for it.
OUTPUTS = {
    "ingest": ("fingerprint", "scan"),
    "split": ("train",),
    "profile": ("train",),
    "features": ("state", "labels", "train", "valid"),
    "search": ("trials",),
    "refit": ("bundle",),
    "evaluate": ("metrics",),
    "gate": ("verdicts",),
}
CONFIG = {
    "version": 1,
    "name": "tiny",
    "objective": {"metric": "rmse"},
    "data": {"source": "rows.csv", "task": "regression", "target": "y", "key": ["id"]},
    "split": {"test": {"share": 0.2}, "valid": {"share": 0.2}},
    "features": [{"columns": ["x"], "steps": ["standardize"]}],
    "model": {"family": "linear", "params": {}},
    "search": {"trials": 2, "space": {"alpha": {"log_uniform": [0.1, 1.0]}}},
}


@pytest.fixture
def pipeline(tmp_path):
    """A project that has never run."""
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "rows.csv").write_text("id,x,y\n" + "".join(f"{n},{n}.5,{n}\n" for n in range(9)))
    return _again(tmp_path)


def _again(folder: Path, **changes) -> Pipeline:
    path = folder / "pipeline.yaml"
    path.write_text(json.dumps({**CONFIG, **changes}))
    return Pipeline(path, store=folder / "store", registry=folder / "registry.db")


def _pretend(pipeline: Pipeline, envelope) -> dict[str, StageRecord]:
    """The records that a run would have left, each with one object an output."""
    workspace, root = pipeline.records.workspace, pipeline.records.root
    resolved, digests = pipeline._resolved(), DigestCache(workspace.store_root / "digests.db")
    bundle = captured(root, resolved.loaded.config.code, workspace.store_root)
    asked = spec_of(resolved, digested_inputs(resolved, digests, root), facts_of(bundle))
    spec, store = Spec.from_bytes(asked.to_bytes()), workspace.store
    done, records = {}, {}
    for stage in STAGES:
        members = declared_members(spec, stage, done, bundle.files)
        outputs = {n: store.put(f"{members['key']} {n}".encode()) for n in OUTPUTS[stage.name]}
        objects = [ObjectFacts(role=n, sha256=d, size_bytes=99) for n, d in outputs.items()]
        record = StageRecord(**members, outputs=outputs, objects=objects)
        keep(store, record, "driver", {})
        done[stage.name], records[stage.name] = outputs, record
    number = len(list_runs(workspace))  # Ids of one second have no order.
    run = RunRecord(workspace, f"20260101t00000{number}-abcdef")
    run.folder.mkdir(parents=True)
    run.announce(spec.name, spec.digest, "2026-01-01T00:00:00.000Z")
    stages = [
        StageFacts(name=name, key=record.key, cache="miss", wall_s=0.1, engine="driver")
        for name, record in records.items()
    ]
    kept = [record_facts(r, r.digest, len(r.to_bytes())) for r in records.values()]
    changes = {"run_id": run.run_id, "stages": stages, "log": store.put(b""), "objects": kept}
    run.seal(envelope.model_copy(update=changes))
    return records


def _because(plan) -> dict[str, list[tuple[str, str]]]:
    return {
        stage.name: [(reason.kind, reason.what) for reason in stage.because]
        for stage in plan.stages
        if stage.action == "run"
    }


def _all(stages, kind: str, what: str) -> dict[str, list[tuple[str, str]]]:
    return {stage: [(kind, what)] for stage in stages}


def test_what_never_ran_runs_because_it_is_new(pipeline) -> None:
    assert _because(pipeline.plan()) == _all(STAGE_NAMES, "new", "it never ran here")


def test_looking_at_a_fresh_project_leaves_nothing_behind(pipeline) -> None:
    before, records = sorted(pipeline.records.root.rglob("*")), pipeline.records

    pipeline.plan()
    assert (records.runs(), records.versions()) == ([], [])
    for look in (records.verify, records.verify_store, records.collect_garbage):
        with pytest.raises(NotFoundError):
            look()

    assert sorted(pipeline.records.root.rglob("*")) == before


def test_what_is_done_is_reused_and_options_win(pipeline, envelope) -> None:
    _pretend(pipeline, envelope)

    assert _because(pipeline.plan()) == {}
    assert _because(pipeline.plan(no_cache=True)) == _all(STAGE_NAMES, "option", "--no-cache")
    later = _because(pipeline.plan(from_stage="refit"))
    assert later == _all(("refit", "evaluate", "gate"), "option", "--from-stage refit")


def test_what_reads_a_stage_that_runs_is_planned_to_run(pipeline, envelope) -> None:
    _pretend(pipeline, envelope)
    search = {**CONFIG["search"], "trials": 3}

    found = _because(_again(pipeline.records.root, search=search).plan())

    assert found == {
        "search": [("config", "search.trials")],
        "refit": [("stage", "search")],
        "evaluate": [("stage", "search"), ("stage", "refit")],
        "gate": [("stage", "evaluate")],
    }


def test_an_object_that_is_gone_or_wrong_is_named(pipeline, envelope) -> None:
    records, store = _pretend(pipeline, envelope), pipeline.records.workspace.store
    (trials,) = records["search"].objects
    whole = store.path(trials.sha256).read_bytes()
    gone = {}
    for damage in (Path.unlink, lambda path: path.write_bytes(b"other")):
        store.path(trials.sha256).chmod(0o644)
        damage(store.path(trials.sha256))
        gone = _because(pipeline.plan())
        lost = f"the store lacks trials {trials.sha256} of stage search"
        assert gone["search"] == [("object", lost)]
        assert set(gone) == {"search", "refit", "evaluate", "gate"}
        store.path(trials.sha256).write_bytes(whole)

    assert _because(pipeline.plan()) == {}


def test_a_pointer_that_is_damaged_is_named_with_its_stage(pipeline, envelope) -> None:
    records, store = _pretend(pipeline, envelope), pipeline.records.workspace.store
    key = pointer_key(records["search"].key)
    whole = store.read_record(key)
    for content in (b"", b"{", b"\xff", b"[1]", b"{}", b'{"record": "sha256:zz"}'):
        store.write_record(key, content)

        found = _because(pipeline.plan())

        lost = f"the store lacks a readable pointer {key} of stage search"
        assert found["search"] == [("object", lost)]
        assert found["refit"] == [("stage", "search")]
    store.write_record(key, whole)
    assert _because(pipeline.plan()) == {}


def test_a_stage_that_the_store_forgot_is_not_called_new(pipeline, envelope) -> None:
    records, store = _pretend(pipeline, envelope), pipeline.records.workspace.store
    for record in records.values():
        store.delete_record(pointer_key(record.key))

    found = _because(pipeline.plan())

    assert found["ingest"] == [("object", "the store forgot stage ingest, as `store gc` makes it")]
    assert {kind for name in STAGE_NAMES[1:] for kind, _ in found[name]} == {"stage"}
    # What has changed since is known all the same.
    search = {**CONFIG["search"], "trials": 3}
    found = _because(_again(pipeline.records.root, search=search).plan())
    assert ("config", "search.trials") in found["search"]


def test_what_a_collection_forgot_is_planned_as_forgotten(pipeline, envelope) -> None:
    records, workspace = _pretend(pipeline, envelope), pipeline.records.workspace
    _age(workspace.store_root / pointer_key(records["gate"].key), days=31)

    pipeline.records.collect_garbage()

    forgot = "the store forgot stage gate, as `store gc` makes it"
    assert _because(pipeline.plan()) == {"gate": [("object", forgot)]}


def _age(path: Path, days: float) -> None:
    moment = path.stat().st_mtime - days * 86_400
    os.utime(path, (moment, moment))


def test_a_record_that_is_lost_leaves_unknown_what_changed_but_not_that_it_ran(
    pipeline, envelope
) -> None:
    records, workspace = _pretend(pipeline, envelope), pipeline.records.workspace
    lost = records["features"].digest
    workspace.store.path(lost).unlink()

    same = _because(pipeline.plan())
    other = [{**CONFIG["features"][0], "steps": []}]
    changed = _because(_again(pipeline.records.root, features=other).plan())

    assert same["features"] == [("object", f"the store lacks record {lost} of stage features")]
    assert changed["features"] == [("object", "the store lost what stage features last read")]
    assert same["search"] == changed["search"] == [("stage", "features")]


def test_outputs_that_are_there_but_were_never_read_are_named(pipeline, envelope) -> None:
    """As after a run over one table that failed in its split, and a whole run over another."""
    table = pipeline.records.root / "rows.csv"
    rows = table.read_text()
    first = _pretend(pipeline, envelope)
    table.write_text("id,x,y\n1,1.5,1\n")
    _pretend(_again(pipeline.records.root), envelope)
    table.write_text(rows)
    assert _because(_again(pipeline.records.root).plan()) == {}
    pipeline.records.workspace.store.delete_record(pointer_key(first["split"].key))

    found = _because(_again(pipeline.records.root).plan())

    assert found["split"] == [("new", "it never read these outputs of ingest")]


def test_runs_that_cannot_be_read_are_passed_over(pipeline, envelope) -> None:
    first = _pretend(pipeline, envelope)
    wanted = {name: LastStage(record.key, record) for name, record in first.items()}
    later = _again(pipeline.records.root, search={**CONFIG["search"], "trials": 3})
    _pretend(later, envelope)
    workspace = pipeline.records.workspace
    spec = Spec.model_construct(name="tiny")
    assert last_stages(workspace, spec) != wanted

    workspace.store.path(list_runs(workspace)[-1].envelope_digest()).unlink()

    assert last_stages(workspace, spec) == wanted
    assert last_stages(workspace, Spec.model_construct(name="other")) == {}


def test_of_two_runs_the_later_is_compared_with(pipeline, envelope) -> None:
    _pretend(pipeline, envelope)
    later = _again(pipeline.records.root, search={**CONFIG["search"], "trials": 3})
    records = _pretend(later, envelope)

    found = last_stages(later.records.workspace, Spec.model_construct(name="tiny"))

    assert found["search"] == LastStage(records["search"].key, records["search"])
    assert _because(_again(pipeline.records.root).plan()) == {}  # The first one's is there too.
