import json
from pathlib import Path

import numpy as np
import pytest

from mlops_ray.errors import ManifestError
from mlops_ray.features import CompiledTransform, FeatureState
from mlops_ray.manifest.canonical import canonical_bytes, from_canonical

GOLDEN = Path(__file__).parent.parent / "golden"


def test_a_state_survives_canonical_json_whole(state):
    written = canonical_bytes(state.to_json())

    read = FeatureState.from_json(from_canonical(written))

    assert read == state
    assert [type(item) for item in read.features[3].steps[0].fitted[0]["categories"]] == [int] * 3
    assert canonical_bytes(read.to_json()) == written


def test_version_1_is_what_it_was(state):
    assert (
        FeatureState.from_json(from_canonical((GOLDEN / "features_v1.json").read_bytes())) == state
    )


@pytest.mark.parametrize("version", [1, 2])
def test_every_version_is_read_for_ever_and_gives_the_bits_it_gave(version):
    document = from_canonical((GOLDEN / f"features_v{version}.json").read_bytes())
    recorded = json.loads((GOLDEN / f"features_v{version}_bits.json").read_text())

    matrix = CompiledTransform(FeatureState.from_json(document)).from_records(recorded["records"])

    assert matrix.view(np.uint32).tolist() == recorded["bits"]


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
