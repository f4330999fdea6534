from __future__ import annotations

import hashlib

import pytest

from mlops_ray.errors import DigestMismatchError, ManifestError
from mlops_ray.pipeline.objects import ObjectList
from mlops_ray.storage import ObjectStore


@pytest.fixture
def objects(tmp_path):
    return ObjectList(ObjectStore(tmp_path / "store"))


def test_what_is_put_can_be_got_and_is_listed_with_role_and_size(objects, tmp_path):
    (tmp_path / "rows.csv").write_bytes(b"a,b\n")

    names = [objects.put("spec", b"{}"), objects.put_file("input", tmp_path / "rows.csv")]

    assert names[0] == "sha256:" + hashlib.sha256(b"{}").hexdigest()
    assert [objects.store.get(name) for name in names] == [b"{}", b"a,b\n"]
    listed = {fact.sha256: (fact.role, fact.size_bytes) for fact in objects.facts()}
    assert listed == {names[0]: ("spec", 2), names[1]: ("input", 4)}


def test_the_list_is_sorted_by_digest_and_holds_each_object_once(objects):
    names = {objects.put(f"role {n}", b"%d" % (n % 5)) for n in range(10)}

    assert [fact.sha256 for fact in objects.facts()] == sorted(names)
    assert {fact.role for fact in objects.facts()} == {f"role {n}" for n in range(5)}


def test_an_object_that_is_there_already_can_be_noted(objects):
    name = objects.store.put(b"tree")

    assert objects.note("bundle", name) == name
    assert objects.facts()[0].role == "bundle"


def test_what_is_not_there_cannot_be_noted(objects):
    with pytest.raises(DigestMismatchError, match="missing"):
        objects.note("bundle", "sha256:" + "0" * 64)
    with pytest.raises(ManifestError, match="not a digest"):
        objects.note("bundle", "sha256:0")
    assert objects.facts() == []
