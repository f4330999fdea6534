"""Canonical skops: one byte string for one estimator, in any process, and nothing unlisted."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KernelDensity
from sklearn.tree import DecisionTreeRegressor

from mlops_ray.errors import ModelError
from mlops_ray.models.families import family_named
from mlops_ray.models.skops_canonical import canonical_dumps, checked_loads

_FIT_ELSEWHERE = """
import hashlib, numpy as np
from mlops_ray.models.families import family_named
X = np.arange(400, dtype=np.float32).reshape(100, 4) % 7
y = X[:, 0].astype(np.float64)
fitted = family_named("hist_gradient_boosting").fit(
    X, y, {"max_iter": 3}, task="regression", n_classes=0, seed=1, threads=1
)
for name, data in fitted.to_files().items():
    print(name, hashlib.sha256(data).hexdigest())
"""


@pytest.fixture
def rows():
    X = np.arange(400.0).reshape(100, 4) % 7
    return X, X[:, 0]


def test_dumping_twice_gives_equal_bytes_where_skops_alone_does_not(rows):
    model = LogisticRegression().fit(rows[0], rows[1] > 3)

    assert canonical_dumps(model) == canonical_dumps(model)
    assert skops.io.dumps(model) != canonical_dumps(model)


def test_a_loaded_estimator_dumps_to_the_same_bytes(rows):
    data = canonical_dumps(HistGradientBoostingRegressor(max_iter=3).fit(*rows))

    assert canonical_dumps(checked_loads(data, HistGradientBoostingRegressor)) == data


@pytest.mark.parametrize("hash_seed", ["0", "77"])
def test_another_process_gives_the_same_bytes(rows, hash_seed):
    X, y = rows
    fitted = family_named("hist_gradient_boosting").fit(
        X.astype(np.float32),
        y,
        {"max_iter": 3},
        task="regression",
        n_classes=0,
        seed=1,
        threads=1,
    )
    files = fitted.to_files().items()

    elsewhere = subprocess.run(
        [sys.executable, "-c", _FIT_ELSEWHERE],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )

    here = [f"{name} {hashlib.sha256(data).hexdigest()}" for name, data in files]
    assert here
    assert elsewhere.stdout.splitlines() == here


def test_scalars_that_are_one_object_or_two_give_equal_bytes():
    one = float("0.25")
    two = float("0.25")
    assert one is not two

    shared = Ridge(alpha=one, tol=one)
    separate = Ridge(alpha=one, tol=two)

    assert canonical_dumps(shared) == canonical_dumps(separate)


def test_an_array_held_twice_is_stored_once_and_loaded_as_one():
    model = Ridge()
    model.coef_ = model.copy_of_coef_ = np.arange(3.0)

    data = canonical_dumps(model)

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["000000.npy", "schema.json"]
    loaded = checked_loads(data, Ridge)
    assert loaded.coef_ is loaded.copy_of_coef_


def test_archive_holds_no_time_and_no_compression(rows):
    with zipfile.ZipFile(io.BytesIO(canonical_dumps(Ridge().fit(*rows)))) as archive:
        assert {item.date_time for item in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {item.compress_type for item in archive.infolist()} == {zipfile.ZIP_STORED}


def test_predictions_survive_bit_for_bit(rows):
    model = HistGradientBoostingRegressor(max_iter=3).fit(*rows)

    loaded = checked_loads(canonical_dumps(model), HistGradientBoostingRegressor)

    assert np.array_equal(loaded.predict(rows[0]), model.predict(rows[0]))


def test_types_off_the_list_are_refused(rows):
    data = canonical_dumps(KernelDensity(kernel="gaussian", metric="chebyshev").fit(rows[0]))

    with pytest.raises(ModelError, match=r"not on the list of trusted types.*ChebyshevDistance"):
        checked_loads(data, KernelDensity)


def test_a_tree_is_written_without_what_lies_between_its_fields(rows):
    tree = DecisionTreeRegressor(max_depth=2, random_state=0).fit(*rows)
    data = canonical_dumps(tree)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        arrays = [np.load(io.BytesIO(archive.read(n))) for n in archive.namelist() if ".npy" in n]
    (nodes,) = (array for array in arrays if array.dtype.names)

    used = sum(nodes.dtype[name].itemsize for name in nodes.dtype.names)
    gaps = np.frombuffer(nodes.tobytes(), np.uint8).reshape(nodes.size, -1)[:, used:]
    assert gaps.shape == (nodes.size, 7)
    assert not gaps.any()
    assert canonical_dumps(checked_loads(data, DecisionTreeRegressor)) == data


def test_a_function_smuggled_into_the_schema_is_refused(rows):
    source = io.BytesIO(canonical_dumps(Ridge().fit(*rows)))
    forged = io.BytesIO()
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(forged, "w") as target:
        schema = json.loads(archive.read("schema.json"))
        schema["__module__"], schema["__class__"] = "os", "system"
        for name in archive.namelist():
            data = archive.read(name)
            target.writestr(name, json.dumps(schema) if name == "schema.json" else data)

    with pytest.raises(ModelError, match=r"os\.system"):
        checked_loads(forged.getvalue(), Ridge)


def test_another_estimator_is_refused(rows):
    with pytest.raises(ModelError, match="another estimator: got Ridge"):
        checked_loads(canonical_dumps(Ridge().fit(*rows)), LogisticRegression)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", b"\x80\x04K\x01."])
def test_bytes_that_are_no_archive_are_refused(damage):
    with pytest.raises(ModelError, match="cannot be read"):
        checked_loads(damage, Ridge)
