"""`mlops_ray.manifest.reachable`: everything a document names is kept, whoever wrote it."""

import pytest

from mlops_ray.errors import ManifestError
from mlops_ray.manifest import canonical_bytes
from mlops_ray.manifest.reachable import Roots
from mlops_ray.storage import ObjectStore, digest

RUN = "runs/20260101t000000-aaaaaa/sealed.json"
STAGE = f"stages/key-{'0' * 64}.json"


@pytest.fixture
def store(tmp_path) -> ObjectStore:
    return ObjectStore(tmp_path)


def _run(store: ObjectStore, document: object) -> str:
    name = store.put(canonical_bytes(document))
    store.write_record(RUN, canonical_bytes({"envelope": name}))
    return name


def test_every_digest_in_a_document_is_reached_wherever_it_stands(store: ObjectStore) -> None:
    listed, nested, as_key, plain = (digest(b"%d" % i) for i in range(4))
    entry = {"sha256": listed, "size_bytes": 3, "role": "log", "intermediate": True, "new": 1}
    document = {"objects": [entry], "later": {"deep": [{"x": nested}], as_key: f"not {plain}"}}
    name = _run(store, document)

    roots = Roots(store)
    contents = roots.contents(RUN)

    assert roots.reached() == {name, listed, nested, as_key}
    assert contents is not None
    assert [(r.name, r.size_bytes, r.role, r.is_intermediate) for r in contents.needed] == [
        (listed, 3, "log", True)
    ]


def test_only_pointers_of_ended_runs_and_finished_stages_and_bundles_are_roots(
    store: ObjectStore,
) -> None:
    tree = store.put(canonical_bytes({"files": [{"path": "a", "size": 1, "sha256": digest(b"a")}]}))
    document = store.put(canonical_bytes({}))
    for key in (RUN, "runs/x/running.json", "runs/x/signatures/sealed.json", "stages/other.json"):
        store.write_record(key, canonical_bytes({"envelope": document}))
    store.write_record(STAGE, canonical_bytes({"record": document}))

    roots = Roots(store, lambda: [tree])

    assert list(roots.keys()) == [RUN, STAGE, tree]
    assert roots.reached() == {document, tree, digest(b"a")}
    assert roots.reached(without={tree, RUN}) == {document}


def test_a_bundle_that_is_missing_is_named(store: ObjectStore) -> None:
    absent = digest(b"absent")

    with pytest.raises(ManifestError, match=f"bundle {absent}"):
        Roots(store, lambda: [absent]).reached()


@pytest.mark.parametrize(
    "document", [[], {"objects": [{}]}, {"objects": [{"sha256": "x"}]}, {"files": ["x"]}]
)
def test_a_document_that_cannot_be_understood_is_not_passed_over(
    store: ObjectStore, document: object
) -> None:
    _run(store, document)

    with pytest.raises(ManifestError, match=RUN):
        Roots(store).reached()


class _GivenUp(ObjectStore):
    """Its pointer is deleted, and its document collected, between two looks."""

    def get(self, name: str) -> bytes:
        self.delete_record(RUN)
        self.delete(name)
        return super().get(name)


def test_a_pointer_that_is_given_up_meanwhile_is_no_fault(tmp_path) -> None:
    store = _GivenUp(tmp_path)
    _run(store, {})

    assert list(Roots(store).keys()) == [RUN]
    assert Roots(store).reached() == set()
