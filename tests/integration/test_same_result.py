"""Same spec, same result: whatever reads the data, cuts the files, or ends first."""

from __future__ import annotations

import json

import numpy as np
import pytest
from ray.data import DataContext

from mlops_ray.data import ray_map

pytestmark = pytest.mark.ray

STAGES = ["ingest", "split", "profile", "features", "search", "refit", "evaluate", "gate"]


def _objects(project, run):
    """Objects of a store by role, without those that tell of times."""
    listed = {fact.sha256: fact.role for fact in run.envelope.objects if fact.role != "log"}
    circumstances = {run.record.envelope_digest(), run.envelope.log}
    return listed, set(project.workspace.store.names()) - circumstances


def test_two_fresh_stores_hold_the_same_objects_whatever_read_the_data(case):
    (first, second), stores = case.runs.values(), case.projects

    assert stores["ray_data"].workspace.store_root != stores["driver"].workspace.store_root
    assert (first.spec_id, first.result_id) == (second.spec_id, second.result_id)
    assert _objects(stores["ray_data"], first) == _objects(stores["driver"], second)
    assert [stage.name for stage in first.envelope.stages] == STAGES
    assert [s.key for s in first.envelope.stages] == [s.key for s in second.envelope.stages]


def test_ray_did_the_work(case):
    engines = {stage.name: (stage.engine, stage.facts) for stage in case.run.envelope.stages}

    units = sum(1 if f.format == "csv" else 2 for f in case.run.spec.data.inputs)
    tasks = len(ray_map._dealt(units, 2))
    assert engines["ingest"] == ("ray_data", {"units": units, "tasks": tasks, "rows": 420})
    assert engines["features"][0] == "ray_data"
    engine, facts = engines["search"]
    assert (engine, facts["trials"], facts["finished"]) == ("ray_tune", 3, 3)
    assert facts["cpu_used_s"] > 0
    assert (engines["refit"][0], engines["evaluate"][0]) == ("ray_task", "ray_task")
    assert case.run.envelope.cluster == {"cpus": 2, "nodes": 1, "is_own": False}


def test_trials_and_fits_in_this_process_give_what_ray_workers_gave(binary, bench):
    here = bench.run(binary.config, binary.table)

    assert here.run.spec_id == binary.run.spec_id
    assert here.run.result_id == binary.run.result_id


def test_one_cpu_in_another_process_gives_what_two_gave(binary, one_cpu):
    done, store = one_cpu.done, one_cpu.store
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()

    answer = json.loads(line)
    assert answer["spec_id"] == binary.run.spec_id
    assert answer["result_id"] == binary.run.result_id
    assert answer["model"]["version"] == 1
    assert {stage["engine"] for stage in answer["stages"]} >= {"ray_data", "ray_tune", "ray_task"}
    (folder,) = (store / "runs").iterdir()
    envelope = json.loads((folder / "sealed.json").read_text())["envelope"][len("sha256:") :]
    cluster = json.loads((store / "objects" / envelope[:2] / envelope).read_text())["cluster"]
    assert cluster == {"cpus": 1, "is_own": True, "nodes": 1}


def test_another_seed_gives_another_result(binary, bench):
    other = bench.run({**binary.config, "seed": 8}, binary.table)

    assert other.run.spec_id != binary.run.spec_id
    assert other.run.result_id != binary.run.result_id
    assert other.run.result.data == binary.run.result.data
    assert other.run.result.split != binary.run.result.split


def test_format_and_cuts_of_the_files_show_in_the_spec_alone(binary, bench):
    other = bench.run(binary.config, binary.table, kind="csv", n_files=2)

    assert other.run.spec_id != binary.run.spec_id
    assert other.run.result_id == binary.run.result_id


def test_sizes_and_number_of_blocks_do_not_show(binary, bench, monkeypatch):
    n_blocks, collected = [], ray_map._collected

    def counted(dataset):
        kept = dataset.materialize()
        n_blocks.append(kept.num_blocks())
        return collected(kept)

    monkeypatch.setattr(ray_map, "_collected", counted)
    bench.write(binary.table)
    runs = []
    for n_bytes, tasks_per_cpu in ((None, 4), (1024, 1)):
        monkeypatch.setattr(ray_map, "_TASKS_PER_CPU", tasks_per_cpu)
        if n_bytes is not None:
            monkeypatch.setattr(DataContext.get_current(), "target_max_block_size", n_bytes)
        pipeline = bench.pipeline(binary.config, bench.fresh_store())
        runs.append(pipeline.run(in_process_below_bytes=0))

    tasks = [run.envelope.stages[0].facts["tasks"] for run in runs]
    assert tasks == [6, 2]
    assert n_blocks[:3] == [6, 6, 6]  # One a task.
    assert n_blocks[3] == tasks[1]  # Of the pass there is one answer a task,
    assert min(n_blocks[4:]) > tasks[1]  # the others are cut into more than one.
    assert {run.result_id for run in runs} == {binary.run.result_id}


def test_order_of_the_rows_shows_unless_a_column_orders_them(binary, bench):
    shuffled = binary.table.take(np.random.default_rng(0).permutation(420))
    ordered = {**binary.config, "data": {**binary.config["data"], "order_by": ["id"]}}

    other = bench.run(binary.config, shuffled)
    runs = [bench.run(ordered, table).run for table in (binary.table, shuffled)]

    assert other.run.result_id != binary.run.result_id
    assert other.run.result.data == binary.run.result.data  # The same rows, as a set.
    assert other.run.result.split == binary.run.result.split
    assert runs[0].spec_id != runs[1].spec_id
    assert runs[0].result_id == runs[1].result_id


def test_answers_taken_as_they_end_would_be_noticed(binary, bench, disorder):
    ordered = {**binary.config, "data": {**binary.config["data"], "order_by": ["id"]}}

    with disorder():
        broken = bench.run(binary.config, binary.table)
        protected = bench.run(ordered, binary.table)
    sound = bench.run(ordered, binary.table)

    assert broken.run.spec_id == binary.run.spec_id
    assert broken.run.result_id != binary.run.result_id
    # The one pass adds up exactly, so it does not mind but for the order that it tells;
    # the rows of the matrices do.
    first, second = ({**run.outputs("ingest")} for run in (broken, binary))
    assert first.pop("ordered_fingerprint") != second.pop("ordered_fingerprint")
    assert first == second
    assert "ordered_fingerprint" not in sound.outputs("ingest")
    for stage in ("split", "profile"):
        assert broken.outputs(stage) == binary.outputs(stage)
    assert broken.outputs("features")["state"] == binary.outputs("features")["state"]
    assert broken.outputs("features")["train"] != binary.outputs("features")["train"]
    assert protected.run.result_id == sound.run.result_id
