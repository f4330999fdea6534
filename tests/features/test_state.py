from pathlib import Path

import numpy as np
import pytest

from mlops_ray.errors import ManifestError
from mlops_ray.features import CompiledTransform, FeatureState
from mlops_ray.manifest.canonical import canonical_bytes, from_canonical

GOLDEN = Path(__file__).parent.parent / "golden" / "features_v1.json"


def test_a_state_survives_canonical_json_whole(state):
    written = canonical_bytes(state.to_json())

    read = FeatureState.from_json(from_canonical(written))

    assert read == state
    assert [type(item) for item in read.features[3].steps[0].fitted[0]["categories"]] == [int] * 3
    assert canonical_bytes(read.to_json()) == written


def test_version_1_is_read_for_ever(state, records):
    read = FeatureState.from_json(from_canonical(GOLDEN.read_bytes()))

    assert read == state
    matrices = [CompiledTransform(one).from_records(records) for one in (read, state)]
    assert np.array_equal(*matrices, equal_nan=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "mlops-ray/features/v3"}, "upgrade mlops_ray"),
        ({"outputs": ["x"]}, "do not follow"),
    ],
)
def test_other_versions_and_contradictions_are_refused(state, change, message):
    with pytest.raises(ManifestError, match=message):
        FeatureState.from_json({**state.to_json(), **change})


def test_unknown_members_are_passed_over(state):
    assert FeatureState.from_json({**state.to_json(), "later": 1}) == state
