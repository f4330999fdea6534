import json
import os
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from mlops_ray.cli.main import app
from mlops_ray.errors import ColumnError, StoreError
from mlops_ray.features import table_output
from mlops_ray.manifest import digest_json, from_canonical
from mlops_ray.pipeline.new_folder import whole_or_nothing
from mlops_ray.pipeline.pipeline import Pipeline
from mlops_ray.storage import digest_file

CONFIG = {
    "version": 1,
    "name": "tiny",
    "objective": {"metric": "rmse"},
    "data": {"source": "rows", "task": "regression", "target": "y", "key": ["id"]},
    "split": {"test": {"share": 0.2}, "valid": {"share": 0.2}},
    "features": [{"columns": ["x"], "steps": [{"impute": "mean"}, "standardize"]}],
    "model": {"family": "linear", "params": {}},
    "search": {"trials": 2, "space": {"alpha": {"log_uniform": [0.1, 1.0]}}},
}


@pytest.fixture
def pipeline(tmp_path):
    """A project of 90 rows in three files."""
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "pipeline.yaml").write_text(json.dumps(CONFIG))
    rng = np.random.default_rng(0)
    (tmp_path / "rows").mkdir()
    for at in range(3):
        ids = np.arange(30) + 30 * at
        rows = pa.table({"id": ids, "x": rng.normal(5, 2, 30), "y": ids * 1.0})
        pq.write_table(rows, tmp_path / "rows" / f"{at}.parquet")
    return Pipeline(tmp_path / "pipeline.yaml", store=tmp_path / "store")


def _manifest(folder):
    return from_canonical((folder / "_manifest.json").read_bytes())


def test_a_table_has_all_rows_and_a_manifest_that_holds(pipeline, tmp_path):
    table = pipeline.build_features(tmp_path / "out")

    manifest = _manifest(tmp_path / "out")
    files = {file["name"]: file for file in manifest["files"]}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*files, "_manifest.json"}
    for name, file in files.items():
        assert digest_file(tmp_path / "out" / name) == file["sha256"]
    written = pa.concat_tables(pq.read_table(tmp_path / "out" / name) for name in files)
    assert written.column_names == manifest["columns"] == ["id", "split", "x"]
    assert written["id"].to_pylist() == list(range(90))
    train = written.filter(pc.equal(written["split"].cast(pa.string()), "train"))
    assert train["x"].to_numpy().mean() == pytest.approx(0.0, abs=1e-6)  # Fitted on these alone.
    assert train["x"].to_numpy().std() == pytest.approx(1.0, rel=1e-6)
    assert table.to_json()["rows"] == 90
    assert [stage["name"] for stage in table.stages] == ["ingest", "split", "profile", "write"]


def test_stages_are_shared_and_what_is_computed_again_is_the_same(pipeline, tmp_path):
    pipeline.build_features(tmp_path / "one")
    again = pipeline.build_features(tmp_path / "two")
    fresh = pipeline.build_features(tmp_path / "three", no_cache=True)

    assert [stage["cache"] for stage in again.stages] == ["hit", "hit", "hit", "miss"]
    assert [stage["cache"] for stage in fresh.stages] == ["miss"] * 4
    assert _manifest(tmp_path / "one") == again.manifest == fresh.manifest


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
def test_on_a_cluster_the_bytes_are_the_same(pipeline, tmp_path):
    here = pipeline.build_features(tmp_path / "here")
    there = pipeline.build_features(tmp_path / "there", in_process_below_bytes=0, no_cache=True)

    assert there.manifest == here.manifest


@pytest.mark.usefixtures("pipeline")
def test_rows_that_the_contract_sets_aside_are_not_written(tmp_path):
    rule = {"columns": {"x": {"range": {"max": 6.0, "on_violation": "quarantine"}}}}
    changed = {**CONFIG, "data": {**CONFIG["data"], "contract": rule}}
    (tmp_path / "pipeline.yaml").write_text(json.dumps(changed))
    table = Pipeline(tmp_path / "pipeline.yaml", store=tmp_path / "store").build_features(
        tmp_path / "out"
    )

    rows = pq.read_table(tmp_path / "rows")
    kept = rows.filter(pc.less_equal(rows["x"], 6.0))["id"].to_pylist()
    written = [pq.read_table(tmp_path / "out" / file["name"]) for file in table.manifest["files"]]
    assert pa.concat_tables(written)["id"].to_pylist() == kept
    assert len(kept) < rows.num_rows


def test_a_file_that_is_left_out_stands_in_the_manifest(pipeline, tmp_path):
    whole = pipeline.build_features(tmp_path / "whole")
    torn = tmp_path / "rows/1.parquet"
    torn.write_bytes(torn.read_bytes()[:-20])

    lenient = Pipeline(
        tmp_path / "pipeline.yaml",
        overrides=["data.on_bad_file=quarantine"],
        store=tmp_path / "store",
    )
    table = lenient.build_features(tmp_path / "out")

    (left_out,) = _manifest(tmp_path / "out")["left_out"]
    assert (left_out["name"], left_out["n_rows"]) == ("1.parquet", None)  # Its footer is gone.
    assert (table.to_json()["rows"], table.to_json()["left_out"]) == (60, [left_out])
    assert ("left_out" in whole.manifest, whole.to_json()["left_out"]) == (False, [])


def test_a_sparse_table_says_so_and_has_the_same_state(pipeline, tmp_path):
    dense = pipeline.build_features(tmp_path / "dense")
    sparse = pipeline.build_features(tmp_path / "sparse", sparse=True)

    assert sparse.manifest["state"] == dense.manifest["state"]
    assert (dense.manifest.get("layout"), sparse.manifest["layout"]) == (None, "sparse")
    assert sparse.manifest["columns"] == ["id", "split", "indices", "values"]


def test_a_folder_that_is_there_is_not_touched(pipeline, tmp_path):
    (tmp_path / "out").mkdir()

    with pytest.raises(StoreError, match="out is there already"):
        pipeline.build_features(tmp_path / "out")

    assert not list((tmp_path / "out").iterdir())


def test_a_place_without_a_name_or_a_folder_is_told(pipeline, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match=r"^\. is there already"):
        pipeline.build_features("")
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot write the folder out: .*choose another folder"):
        pipeline.build_features(tmp_path / "file" / "out")


def test_a_failure_on_the_way_leaves_nothing(pipeline, tmp_path, monkeypatch):
    def fail(*_):
        raise ColumnError("broken on the way")

    before = set(tmp_path.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(table_output, "_piece", fail)
        with pytest.raises(ColumnError):
            pipeline.build_features(tmp_path / "out")

    assert {path.name for path in set(tmp_path.iterdir()) - before} <= {"store", ".mlops_ray"}
    assert pipeline.build_features(tmp_path / "out").path.is_dir()


def test_the_command_says_in_one_line_what_was_written(pipeline, tmp_path, monkeypatch, capfd):
    arguments = ["features", "build", str(pipeline.records.root / "pipeline.yaml")]
    arguments += ["--out", str(tmp_path / "out"), "--store", str(tmp_path / "store"), "--json"]
    monkeypatch.setattr(sys, "argv", ["mlops-ray", *arguments])

    done = CliRunner().invoke(app, arguments)

    assert done.exit_code == 0, done.output
    line = json.loads(capfd.readouterr().out)
    assert line["schema"] == "mlops-ray/features_build/v1"
    manifest = _manifest(tmp_path / "out")
    assert line["fingerprint"] == manifest["fingerprint"]
    assert line["state"] == digest_json(manifest["fitted"])


@pytest.mark.parametrize(
    ("point", "is_there"), [("features.written", False), ("features.renamed", True)]
)
def test_killed_it_leaves_a_whole_folder_or_none(pipeline, tmp_path, point, is_there):
    reached = tmp_path / "reached"
    points = {"MLOPS_RAY_FAIL_POINT": point, "MLOPS_RAY_FAIL_POINT_REACHED": str(reached)}
    build = [
        sys.executable,
        "-m",
        "mlops_ray",
        "features",
        "build",
        "pipeline.yaml",
        "--out",
        "out",
    ]
    process = subprocess.Popen(
        [*build, "--store", "store"],
        cwd=tmp_path,
        env={**os.environ, **points},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not reached.exists() and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.wait()

    assert process.returncode == -9
    assert (tmp_path / "out").exists() == is_there
    table = pipeline.build_features(tmp_path / "again")
    assert {stage["name"]: stage["cache"] for stage in table.stages}["ingest"] == "hit"
    if is_there:
        assert _manifest(tmp_path / "out") == table.manifest
    else:
        assert list(tmp_path.glob(".out.*"))
        pipeline.build_features(tmp_path / "out")
        assert not list(tmp_path.glob(".out.*"))


def test_the_next_build_sweeps_what_a_killed_one_left_and_spares_what_lives(tmp_path):
    left, other = tmp_path / f".out.{'0' * 16}", tmp_path / f".out.old.{'0' * 16}"
    for folder in (left, other):
        folder.mkdir()
        (folder / "part-000000.parquet").touch()
        folder.with_name(f"{folder.name}.lock").touch()

    def overtaken():
        with whole_or_nothing(tmp_path / "out") as slower:
            (slower / "mine").touch()
            with whole_or_nothing(tmp_path / "out") as faster:
                assert (slower / "mine").exists()
                (faster / "first").touch()

    with pytest.raises(StoreError, match="cannot write the folder out"):
        overtaken()

    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"out", other.name, f"{other.name}.lock"}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["first"]
