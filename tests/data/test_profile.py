import pyarrow as pa
import pytest

from mlops_ray.data.profile import Profile
from mlops_ray.errors import ColumnError, ManifestError

SCHEMA = {"x": "float", "s": "string"}
TABLE = pa.table({"x": [1.0, None, 3.0], "s": ["a", "b", None]})


def test_profiles_of_parts_merge_in_any_order():
    whole = Profile.of(TABLE, SCHEMA)
    one, other = (Profile.of(TABLE.slice(at, n), SCHEMA) for at, n in ((0, 1), (1, 2)))

    assert one.merge(other) == other.merge(one) == whole
    assert Profile.from_json(whole.to_json()) == whole
    assert list(whole.columns) == ["x", "s"]


def test_other_columns_and_other_documents_are_refused():
    whole = Profile.of(TABLE, SCHEMA)

    with pytest.raises(ColumnError, match=r"^s: only one"):
        whole.merge(Profile.of(TABLE, {"x": "float"}))
    with pytest.raises(ManifestError, match="wanted mlops-ray/profile/v1"):
        Profile.from_json({**whole.to_json(), "schema": "mlops-ray/profile/v2"})
