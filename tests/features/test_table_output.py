import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_ray.config.feature_steps import FeatureGroup
from mlops_ray.config.model import SplitConfig
from mlops_ray.data.profile import Profile
from mlops_ray.data.source import FoundFile
from mlops_ray.data.split import SPLITS, SplitRows, assign_split
from mlops_ray.data.unit import list_units
from mlops_ray.data.unit_rows import read_unit
from mlops_ray.data.unit_schema import read_schema
from mlops_ray.errors import ColumnError
from mlops_ray.features import table_output
from mlops_ray.features.compiled import CompiledTransform
from mlops_ray.features.fit import fit_features
from mlops_ray.features.plan import resolve_features
from mlops_ray.features.table_output import TablePlan, write_unit
from mlops_ray.manifest.canonical import from_canonical
from mlops_ray.storage import digest_file

RNG = np.random.default_rng(5)
TABLE = pa.table(
    {
        "id": np.arange(500),
        "x": pa.array(RNG.normal(size=500), mask=RNG.random(500) < 0.1),
        "s": RNG.choice(["a", "b", "c"], 500),
    }
)
GROUPS = [
    {"columns": ["x"], "steps": [{"impute": "mean"}, "standardize"]},
    {"columns": ["s"], "steps": ["one_hot"]},
]
RULE = SplitConfig.model_validate({"test": {"share": 0.3}, "valid": {"share": 0.2}})


def planned(tmp_path, table):
    """A plan, and the one unit of the table."""
    path = tmp_path / "rows.parquet"
    pq.write_table(table, path, write_page_checksum=True)
    files = [FoundFile(path.name, path, "parquet", path.stat().st_size)]
    schema, (unit,) = read_schema(files), list_units(files)
    groups = [FeatureGroup.model_validate(group) for group in GROUPS]
    specs = resolve_features(groups, schema, {"id"})
    state = fit_features(specs, Profile.of(read_unit(unit, schema), schema))
    return TablePlan(
        schema, CompiledTransform(state), SplitRows(RULE, ("id",), None, 3), tmp_path
    ), unit


def test_a_file_holds_key_part_and_what_the_transform_makes_of_each_row(tmp_path, monkeypatch):
    monkeypatch.setattr(table_output, "_PIECE_CELLS", 6 * 64)  # Several row groups.
    plan, unit = planned(tmp_path, TABLE)

    facts = from_canonical(write_unit(plan, unit))

    path = tmp_path / facts["name"]
    written = pq.read_table(path)
    assert written.column_names == ["id", "split", "x", "s=a", "s=b", "s=c"]
    rows = read_unit(unit, plan.schema)
    matrix = plan.transform.from_table(rows)
    for at, name in enumerate(plan.transform.state.outputs):
        assert written[name].type == pa.float32()
        assert written[name].to_numpy().tobytes() == matrix[:, at].tobytes()
    parts = [SPLITS[code] for code in assign_split(rows, plan.schema, plan.split)]
    assert written["split"].cast(pa.string()).to_pylist() == parts
    assert written["id"].to_pylist() == list(range(500))
    assert (facts["rows"], facts["size_bytes"]) == (500, path.stat().st_size)
    assert facts["sha256"] == digest_file(path)


def test_the_same_rows_give_the_same_bytes(tmp_path):
    plan, unit = planned(tmp_path, TABLE)

    assert write_unit(plan, unit) == write_unit(plan, unit)


def test_a_feature_named_as_the_part_is_refused(tmp_path):
    table = TABLE.rename_columns(["id", "split", "s"])
    groups = [FeatureGroup.model_validate({"columns": ["split"], "steps": ["standardize"]})]
    schema = {"id": "integer", "split": "float", "s": "string"}
    specs = resolve_features(groups, schema, {"id"})
    state = fit_features(specs, Profile.of(table, {"split": "float"}))
    plan = TablePlan(schema, CompiledTransform(state), SplitRows(RULE, ("id",), None, 3), tmp_path)

    with pytest.raises(ColumnError, match="the name of a key column"):
        _ = plan.names


def test_a_sparse_file_has_the_features_of_the_dense_one(tmp_path, monkeypatch):
    monkeypatch.setattr(table_output, "_PIECE_CELLS", 6 * 64)
    plan, unit = planned(tmp_path, TABLE)
    dense = pq.read_table(tmp_path / from_canonical(write_unit(plan, unit))["name"])

    sparse = dataclasses.replace(plan, is_sparse=True)
    written = pq.read_table(tmp_path / from_canonical(write_unit(sparse, unit))["name"])

    assert written.column_names == ["id", "split", "indices", "values"]
    matrix = np.zeros((500, len(plan.transform.state.outputs)), np.float32)
    for at, row in enumerate(written.to_pylist()):
        matrix[at, row["indices"]] = row["values"]
    for at, name in enumerate(plan.transform.state.outputs):
        assert matrix[:, at].tobytes() == dense[name].to_numpy().tobytes()


def test_too_many_columns_are_refused_with_the_way_out(tmp_path, monkeypatch):
    monkeypatch.setattr(table_output, "MAX_COLUMNS", 3)
    plan, unit = planned(tmp_path, TABLE)

    with pytest.raises(ColumnError, match=r"got 4 features, wanted at most 3; .*--sparse"):
        write_unit(plan, unit)
    assert write_unit(dataclasses.replace(plan, is_sparse=True), unit)
