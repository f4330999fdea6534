"""The splits that look at more than the key, through whole runs."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

pytestmark = pytest.mark.ray


def test_a_stratified_run_gives_each_class_its_share_and_is_reused(bench, tables):
    config = tables.config_of("xgboost")
    config["split"] = {"test": {"share": 0.25}, "valid": {"share": 0.25}, "stratify": True}
    table = tables.homes()
    rare = np.where(np.arange(table.num_rows) % 10 == 0, "yes", "no")
    table = table.set_column(table.column_names.index("sold"), "sold", pa.array(rare))

    pair = bench.run(config, table)

    counts = {
        part: dict(pair.run.profile(part).columns["sold"].counts.counts)
        for part in ("train", "valid", "test")
    }
    assert all(abs(counts[part]["yes"] - 0.25 * 42) <= 1.5 for part in ("valid", "test"))
    plan = bench.pipeline(config, pair.project.workspace.store_root).plan()
    assert {stage.action for stage in plan.stages} == {"reuse"}
    assert pair.outputs("ingest")["strata"].startswith("sha256:")
