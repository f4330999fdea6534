"""Bad input gets a clear answer, the same both ways, and leaves no half of a record."""

from __future__ import annotations

import os
import re
from importlib import import_module

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_ray import Project, exit_code
from mlops_ray.errors import (
    ColumnError,
    ConfigError,
    DataError,
    InvalidConfigError,
    ResourceError,
    SearchError,
    SourceError,
)
from mlops_ray.pipeline import stages

pytestmark = pytest.mark.ray


@pytest.fixture(params=[0, None], ids=["ray_data", "driver"])
def refused(request, bench):
    """Runs a pipeline that has to fail; returns the error and the project."""

    def run(config, table=None):
        if table is not None:
            bench.write(table)
        store = bench.fresh_store()
        with pytest.raises(Exception) as caught:  # noqa: PT011 - the caller looks at the class
            bench.pipeline(config, store).run(in_process_below_bytes=request.param)
        registry = store.with_suffix(".db")
        return caught.value, Project(bench.folder, store=store, registry=registry)

    return run


def _config(tables, **data):
    config = tables.config_of("xgboost")
    return {**config, "data": {**config["data"], **data}}


def _is(error, kind, code, *texts):
    assert type(error) is kind, repr(error)
    assert exit_code(error) == code
    for text in texts:
        assert re.search(text, str(error)), str(error)


def _nothing_kept(project):
    assert project.runs() == []
    assert not project.workspace.store_root.exists()


def _kept_as_failed(project, error):
    """The whole record of a run that failed, and nothing else."""
    run = project.run()
    assert run.state == "failed"
    assert (run.envelope.error.code, run.envelope.error.message) == (error.code, str(error))
    assert run.result is None
    assert run.model is None
    assert project.verify().is_ok
    assert project.versions() == []
    assert [summary.state for summary in project.runs()] == ["failed"]
    assert run.to_json()["trials"]["best"] is None
    leftovers = [path for path in project.workspace.store_root.rglob("*") if ".tmp" in path.name]
    assert leftovers == []


def test_a_missing_file(refused, tables):
    error, project = refused(_config(tables, source="nowhere/homes.parquet"))

    _is(error, SourceError, 65, "no such file or folder", "nowhere/homes.parquet", "start at /")
    _nothing_kept(project)


def test_an_empty_folder(refused, tables, bench):
    (bench.folder / "empty").mkdir()

    error, project = refused(_config(tables, source="empty"))

    _is(error, SourceError, 65, "the folder holds no data file", "an empty folder", r"\.parquet")
    _nothing_kept(project)


def test_files_without_rows(refused, tables):
    error, project = refused(_config(tables), tables.homes().slice(0, 0))

    _is(error, SourceError, 65, "the input files hold no rows", "at least 1")
    _kept_as_failed(project, error)


def test_a_file_that_is_no_parquet(refused, tables, bench):
    (bench.write(tables.homes()) / "part-1.parquet").write_bytes(b"PAR1 not really PAR1")

    error, project = refused(_config(tables))

    _is(error, SourceError, 65, r"part-1\.parquet")
    _nothing_kept(project)


def test_files_that_disagree(refused, tables, bench):
    folder = bench.write(tables.homes())
    odd = tables.homes().slice(0, 50)
    texts = pa.array([str(value) for value in odd["rooms"].to_pylist()])
    at = odd.column_names.index("rooms")
    pq.write_table(odd.set_column(at, "rooms", texts), folder / "part-1.parquet")

    error, project = refused(_config(tables))

    _is(error, SourceError, 65, "rooms", r"part-1\.parquet", "string", "integer")
    _nothing_kept(project)


def test_an_absent_target(refused, tables):
    error, project = refused(_config(tables, target="solt"), tables.homes())

    _is(error, ColumnError, 65, "no column 'solt'", "did you mean 'sold'", r"pipeline\.yaml:1:")
    _nothing_kept(project)


def test_an_absent_feature(refused, tables):
    config = _config(tables)
    config["features"][0]["columns"] = ["agee"]

    error, project = refused(config, tables.homes())

    _is(error, ConfigError, 2, "'agee'", "did you mean 'age'")
    _nothing_kept(project)


def test_a_step_that_does_not_fit_the_type(refused, tables):
    config = _config(tables)
    config["features"][0]["columns"] = ["city"]
    config["features"].pop(2)

    error, project = refused(config, tables.homes())

    _is(
        error,
        ColumnError,
        65,
        r"pipeline\.yaml:1:\d+: features",
        "'city'",
        "on a column of type string",
    )
    _nothing_kept(project)


def test_a_misspelt_parameter(refused, tables):
    config = _config(tables)
    config["model"]["params"] = {"n_estimator": 8}

    error, project = refused(config, tables.homes())

    _is(error, InvalidConfigError, 2, "n_estimator", "n_estimators", r"pipeline\.yaml:1:")
    _nothing_kept(project)


def test_more_threads_than_the_cluster_has(refused, tables):
    config = _config(tables)
    config["model"]["threads"] = 200

    error, project = refused(config, tables.homes())

    _is(error, ResourceError, 2, r"model\.threads = 200", "at most", "lower model.threads")
    _nothing_kept(project)


def test_more_threads_than_the_joined_cluster_has(refused, tables, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 64)  # The driver's machine is larger.
    config = _config(tables)
    config["model"]["threads"] = 32

    error, project = refused(config, tables.homes())

    _is(error, ResourceError, 2, r"model\.threads = 32", "at most 2")
    _kept_as_failed(project, error)


def test_a_constant_target(refused, tables):
    table = tables.changed(tables.homes(), "sold", slice(None), "no")

    error, project = refused(_config(tables), table)

    _is(error, ColumnError, 65, "^sold: the target is constant", r"'no': \d+", "2 classes")
    assert "declare another 'data.target'" in str(error)
    _kept_as_failed(project, error)


def test_a_constant_number_to_regress_on(refused, tables):
    config = tables.config_of("linear")

    error, project = refused(config, tables.changed(tables.homes(), "price", slice(None), 4.5))

    _is(error, ColumnError, 65, "^price: the target is constant", r"4\.5 in all \d+ training rows")
    _kept_as_failed(project, error)


def test_nulls_in_the_target(refused, tables):
    table = tables.changed(tables.homes(), "sold", [3, 5, 8], None)

    error, project = refused(_config(tables), table)

    _is(error, ColumnError, 65, "^sold: the target holds nulls", r"\d in the \d+ rows of")
    _kept_as_failed(project, error)


def test_a_target_of_the_wrong_type(refused, tables):
    error, project = refused(_config(tables, target="price"), tables.homes())

    _is(error, ColumnError, 65, "price", "float", "boolean or integer or string")
    _nothing_kept(project)


def test_more_than_two_classes_for_a_binary_task(refused, tables):
    error, project = refused(_config(tables, target="level"), tables.homes())

    _is(error, ColumnError, 65, "^level: ", "3 classes in the training rows", "task: multiclass")
    _kept_as_failed(project, error)


@pytest.mark.parametrize("column", ["age", "city"])
def test_a_column_without_any_value(refused, tables, column):
    table = tables.changed(tables.homes(), column, slice(None), None)

    error, project = refused(_config(tables), table)

    _is(error, ColumnError, 65, f"^{column}: .*all null", r"(\d+) nulls in \1 training rows")
    _kept_as_failed(project, error)


def test_an_infinite_value(refused, tables):
    table = tables.changed(tables.homes(), "area", [17], np.inf)

    error, project = refused(_config(tables), table)

    _is(error, ColumnError, 65, "^area: .*infinite", r"1 in the \d+ rows of", "write null")
    _kept_as_failed(project, error)


def test_a_null_in_the_key(refused, tables):
    table = tables.changed(tables.homes(), "id", [17], None)

    error, project = refused(_config(tables), table)

    _is(error, ColumnError, 65, "^id: the key column", "1 nulls in 70 rows")
    _kept_as_failed(project, error)


def test_a_split_that_leaves_no_test_rows(refused, tables):
    config = _config(tables, time="year")
    config["split"]["test"] = {"time_from": 2030}

    error, project = refused(config, tables.homes())

    _is(error, DataError, 65, "leaves no rows to test", "test 0", "'time_from'")
    _kept_as_failed(project, error)


def test_rows_that_order_by_cannot_tell_apart(refused, tables):
    error, project = refused(_config(tables, order_by=["year"]), tables.homes())

    told = ("does not tell all rows apart", r"\d+ rows of train equal to another in year")
    _is(error, DataError, 65, *told, "leave 'order_by' out")
    _kept_as_failed(project, error)


def test_a_search_in_which_every_trial_fails(refused, tables):
    config = tables.config_of("linear")
    config["features"][0].pop("steps")  # Nulls stay nulls, and the linear model refuses them.

    error, project = refused(config, tables.homes())

    assert type(error) in {SearchError, ColumnError}
    assert "null" in str(error) or "missing" in str(error)
    _kept_as_failed(project, error)


def _other_rows(path, table):
    pq.write_table(table.slice(0, 100), path, row_group_size=70)


def _one_value_and_the_old_time(path, table):
    before = path.stat()
    value = np.float64(table["area"][0].as_py()).tobytes()
    content = path.read_bytes()
    assert content.count(value) == 1
    path.write_bytes(content.replace(value, np.float64(1.0).tobytes()))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert pq.read_table(path)["area"][0].as_py() == 1.0


@pytest.mark.parametrize("change", [_other_rows, _one_value_and_the_old_time])
@pytest.mark.parametrize("stage", ["search", "refit", None])
def test_a_cited_file_that_changes_between_the_stages(bench, tables, monkeypatch, stage, change):
    table = tables.homes()
    path = bench.write(table) / "part-1.parquet"
    part = table.slice(140, 140)
    pq.write_table(part, path, compression="none", use_dictionary=False, write_statistics=False)
    config = {**_config(tables), "store": {"copy_inputs_below": 0}}
    if stage:
        module = import_module(f"{stages.__name__}.{stage}")
        real = module.execute

        def change_first(*arguments):
            change(path, part)
            return real(*arguments)

        monkeypatch.setattr(module, "execute", change_first)
    pipeline = bench.pipeline(config, bench.fresh_store())

    if stage is None:
        assert pipeline.run().state == "sealed"
        return
    with pytest.raises(SourceError) as caught:
        pipeline.run()

    _is(caught.value, SourceError, 65, r"part-1\.parquet: the input file changed while")
    _kept_as_failed(pipeline.project, caught.value)
