"""A file that a run reads in place must stay what it was when the run was frozen."""

from __future__ import annotations

import pytest

from mlops_ray.data.source import InputFile
from mlops_ray.errors import SourceError
from mlops_ray.pipeline.inputs import check_unchanged
from mlops_ray.storage import DigestCache, ObjectStore, digest_file


@pytest.fixture
def cited(tmp_path):
    """Two files that a spec cites by digest."""

    def cite(name):
        path = tmp_path / name
        path.write_text("id,x\n1,2\n")
        return InputFile(name, path, "csv", path.stat().st_size, digest_file(path))

    return [cite("a.csv"), cite("b.csv")]


def _replace(file):
    other = file.path.with_suffix(".new")
    other.write_text("id,x\n1,3\n")
    other.replace(file.path)


@pytest.mark.parametrize("change", [_replace, lambda file: file.path.unlink()])
def test_the_one_file_that_changed_is_named(cited, tmp_path, change):
    store, digests = ObjectStore(tmp_path / "store"), DigestCache(tmp_path / "digests.db")
    check_unchanged(cited, store, digests)

    change(cited[1])

    check_unchanged(cited[:1], store, digests)
    with pytest.raises(SourceError, match=r"^b\.csv: the input file changed while the run read it"):
        check_unchanged(cited, store, digests)


def test_a_copy_in_the_store_is_not_read_again(cited, tmp_path):
    store, read = ObjectStore(tmp_path / "store"), []
    name = store.put_file(cited[0].path)
    copy = InputFile("a.csv", store.path(name), "csv", cited[0].size_bytes, name)

    class Digests(DigestCache):
        def digest_file(self, path):
            read.append(path.name)
            return super().digest_file(path)

    check_unchanged([copy, cited[1]], store, Digests(tmp_path / "digests.db"))

    assert read == ["b.csv"]
