import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mlops_ray.data.profile import Profile
from mlops_ray.errors import ColumnError, ManifestError
from mlops_ray.manifest.canonical import canonical_bytes

SCHEMA = {"x": "float", "s": "string"}
TABLE = pa.table({"x": [1.0, None, 3.0], "s": ["a", "b", None]})


def test_profiles_of_parts_merge_in_any_order():
    whole = Profile.of(TABLE, SCHEMA)
    one, other = (Profile.of(TABLE.slice(at, n), SCHEMA) for at, n in ((0, 1), (1, 2)))

    assert Profile.merged([one, other]) == Profile.merged([other, one]) == whole
    assert Profile.from_json(whole.to_json()) == whole
    assert list(whole.columns) == ["x", "s"]


def test_other_columns_and_other_documents_are_refused():
    whole = Profile.of(TABLE, SCHEMA)

    with pytest.raises(ColumnError, match=r"^s: only one"):
        Profile.merged([whole, Profile.of(TABLE, {"x": "float"})])
    with pytest.raises(ManifestError, match="wanted mlops-ray/profile/v2"):
        Profile.from_json({**whole.to_json(), "schema": "mlops-ray/profile/v3"})


def test_a_document_stays_small_however_many_values_there_are():
    rng = np.random.default_rng(0)
    words = pa.array([f"word {value:06}" for value in range(100_000)])
    table = pa.table(
        {"x": rng.normal(size=100_000), "i": rng.integers(0, 9_000, 100_000), "s": words}
    )

    whole = Profile.of(table, {"x": "float", "i": "integer", "s": "string"})

    assert len(canonical_bytes(whole.to_json())) < 30_000
    read = Profile.from_json(whole.to_json()).columns
    assert (read["s"].counts.n_distinct, len(read["s"].counts.counts)) == (100_000, 256)
    assert read["x"] == whole.columns["x"]
    assert len(whole.columns["s"].counts.counts) == 100_000


def test_version_1_is_still_read():
    golden = Path(__file__).parents[1] / "golden" / "profile_v1.json"

    read = Profile.from_json(json.loads(golden.read_bytes())).columns

    table = pa.table(
        {"i": [3, None, 2**60, -3], "f": [0.5, None, 0.0, np.inf], "s": ["", "a", None, "é"]}
    )
    expected = Profile.of(table, {"i": "integer", "f": "float", "s": "string"}).columns
    assert read["i"] == expected["i"]
    assert read["s"] == expected["s"]
    assert read["f"].counts.is_overflow  # Floats were not counted then.
    assert read["f"].histogram == expected["f"].histogram
    assert read["f"].sums == expected["f"].sums
