"""Everything that a trial can reach is opened, and none of 1,000 planted test keys is in it."""

from __future__ import annotations

import gc
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import ray

from mlops_ray.pipeline.declared import STAGES
from mlops_ray.search import tuner
from mlops_ray.search.slot import SearchSlot

pytestmark = pytest.mark.ray

N_ROWS = 4600
_FIRST = 5_000_011  # Exact as float32, and in no other use.


def keys_in(data: bytes, keys: np.ndarray) -> set[int]:
    """Which keys stand in bytes: as text, or as a number of 4 or 8 bytes at any offset."""
    texts = np.array([int(text) for text in re.findall(rb"(?=(500\d{4}))", data)], dtype=np.int64)
    found = set(np.intersect1d(texts, keys).tolist())
    for dtype in ("<f4", "<f8", "<i4", "<i8"):
        wanted, size = keys.astype(dtype), np.dtype(dtype).itemsize
        for offset in range(size):
            n = (len(data) - offset) // size
            if n > 0:
                seen = np.frombuffer(data, dtype, n, offset)
                found |= {int(key) for key in wanted[np.isin(wanted, seen)]}
    return found


def spying_on(folder: Path) -> type[SearchSlot]:
    """A slot that writes all it can reach to a folder, a file a trial."""

    class Spy(SearchSlot):
        def step(self) -> dict[str, Any]:
            references = [o for o in gc.get_objects() if isinstance(o, ray.ObjectRef)]
            references = [reference for reference in references if not reference.is_nil()]
            parts = [pickle.dumps(self._runner._task), pickle.dumps((self._step, self.config))]
            parts += [pickle.dumps(ray.get(reference, timeout=20)) for reference in references]
            files = [path for path in Path(self.logdir).parent.rglob("*") if path.is_file()]
            parts += [path.read_bytes() for path in files]
            (folder / f"trial-{self._step.index}").write_bytes(b"\0".join(parts))
            return super().step()

    return Spy


def test_no_test_key_is_in_anything_that_a_trial_can_reach(bench, tables, tmp_path, monkeypatch):
    config = tables.config_of("xgboost")
    config["features"].append({"columns": ["mark"]})  # The key's number, as it is.
    config["search"]["trials"] = 2
    table = tables.homes(N_ROWS)
    table = table.set_column(0, "id", pa.array(np.arange(N_ROWS) + _FIRST))
    table = table.append_column("mark", pa.array((np.arange(N_ROWS) + _FIRST).astype(float)))
    parts = tables.parts_of(table, config)
    planted = {part: table["id"].to_numpy()[parts == part][:1000] for part in ("train", "test")}
    assert all(len(keys) == 1000 for keys in planted.values())
    bench.write(table)
    spied = tmp_path / "spied"
    spied.mkdir()
    monkeypatch.setattr(tuner, "SearchSlot", spying_on(spied))
    store = bench.fresh_store()

    run = bench.pipeline(config, store).run()

    trials = [path.read_bytes() for path in spied.iterdir()]
    assert len(trials) == 2
    search = next(stage for stage in STAGES if stage.name == "search")
    outputs = {stage.name: stage.outputs for stage in run.result.stages}
    inputs = search.inputs(run.spec, outputs).values()
    objects = [run.record.workspace.store.get(name) for name in inputs]
    for reached in (trials[0], trials[1], b"\0".join(objects)):
        assert keys_in(reached, planted["test"]) == set()
        assert len(keys_in(reached, planted["train"])) == 1000  # So they would have been found.
