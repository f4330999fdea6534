"""Bundles: named by their content, verified before anything is parsed."""

from __future__ import annotations

import hashlib
import json

import pytest

from mlops_ray.errors import DigestMismatchError, ManifestError
from mlops_ray.models.bundle import Bundle, load_bundle
from mlops_ray.storage import ObjectStore


@pytest.fixture
def store(tmp_path):
    return ObjectStore(tmp_path / "store")


@pytest.fixture
def bundle():
    return Bundle({"signature.json": b"{}", "features.json": b"[]", "model.ubj": b"trees"})


def _overwrite(store, name, data):
    path = store.path(name)
    path.chmod(0o644)
    path.write_bytes(data)


def test_digest_is_the_sha256_of_the_tree_object(store, bundle):
    name = bundle.save(store)

    assert name == bundle.digest
    assert name == "sha256:" + hashlib.sha256(store.get(name)).hexdigest()


def test_tree_lists_files_sorted_with_size_and_digest(bundle):
    files = bundle.tree()["files"]

    assert [entry["path"] for entry in files] == ["features.json", "model.ubj", "signature.json"]
    assert files[1]["size"] == 5
    assert files[1]["sha256"] == "sha256:" + hashlib.sha256(b"trees").hexdigest()


def test_order_of_the_files_has_no_part_in_the_digest(bundle):
    assert Bundle(dict(reversed(bundle.files.items()))).digest == bundle.digest


def test_loading_gives_back_every_byte(store, bundle):
    assert load_bundle(store, bundle.save(store)) == bundle


def test_model_files_are_those_of_the_estimator(bundle):
    assert bundle.model_files == {"model.ubj": b"trees"}


@pytest.mark.parametrize("path", ["features.json", "model.ubj", "signature.json"])
def test_a_flipped_bit_names_the_file(store, bundle, path):
    name = bundle.save(store)
    data = bytearray(bundle.files[path])
    data[0] ^= 1
    entry = next(item for item in bundle.tree()["files"] if item["path"] == path)
    _overwrite(store, entry["sha256"], bytes(data))

    with pytest.raises(DigestMismatchError, match=f"bundle file '{path}'.*damaged"):
        load_bundle(store, name)


def test_a_missing_file_is_named(store, bundle):
    name = bundle.save(store)
    store.path(bundle.tree()["files"][1]["sha256"]).unlink()

    with pytest.raises(DigestMismatchError, match=r"'model\.ubj'.*missing"):
        load_bundle(store, name)


def test_a_damaged_tree_is_refused_before_it_is_read(store, bundle):
    name = bundle.save(store)
    _overwrite(store, name, b"{}")

    with pytest.raises(DigestMismatchError):
        load_bundle(store, name)


@pytest.mark.parametrize(
    "tree",
    [
        {"schema": "mlops-ray/bundle/v2", "files": []},
        {"schema": "mlops-ray/bundle/v1", "files": [{"path": "a"}]},
        {"schema": "mlops-ray/bundle/v1", "files": [{"path": "a", "sha256": "../../etc"}]},
        {"schema": "mlops-ray/bundle/v1", "files": "a"},
        [],
    ],
)
def test_trees_that_cannot_be_used_are_refused(store, tree):
    with pytest.raises(ManifestError):
        load_bundle(store, store.put(json.dumps(tree).encode()))


def test_a_tree_that_names_a_file_twice_is_refused(store):
    entry = {"path": "a", "size": 1, "sha256": store.put(b"a")}
    tree = {"schema": "mlops-ray/bundle/v1", "files": [entry, entry]}

    with pytest.raises(ManifestError, match="twice"):
        load_bundle(store, store.put(json.dumps(tree).encode()))


def test_asking_for_an_absent_file_lists_those_present(bundle):
    with pytest.raises(ManifestError, match=r"golden\.json.*features\.json"):
        bundle.file("golden.json")
