"""`mlops_ray.storage.check`: every file among the objects is one, or is named."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_ray.storage import ObjectStore, digest
from mlops_ray.storage.check import check_store

WEIGHTS = digest(b"weights")


def _flip(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(b"wEights")


def _empty(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(b"")


def _misplace(path: Path) -> None:
    (path.parent.parent / "zz").mkdir()
    path.rename(path.parent.parent / "zz" / path.name)


def _link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


def _add(path: Path) -> None:
    path.with_name("notes.txt").write_bytes(b"foreign")


@pytest.mark.parametrize(
    ("damage", "is_seen_by_looking", "named"),
    [
        (_flip, False, WEIGHTS),
        (_empty, True, WEIGHTS),
        (_misplace, True, "objects/zz/" + WEIGHTS[7:]),
        (_link, True, f"objects/{WEIGHTS[7:9]}/{WEIGHTS[7:]}"),
        (_add, True, f"objects/{WEIGHTS[7:9]}/notes.txt"),
    ],
)
def test_what_is_no_whole_object_is_named(
    tmp_path: Path, damage: Callable[[Path], None], is_seen_by_looking: bool, named: str
) -> None:
    store = ObjectStore(tmp_path)
    store.put(b"twin")
    damage(store.path(store.put(b"weights")))

    looked = check_store(store, read_data=False).problems
    read = check_store(store, read_data=True).problems

    assert [problem.object for problem in looked] == [named] * is_seen_by_looking
    assert [problem.object for problem in read] == [named]


def test_a_whole_store_has_no_problems_though_a_writer_left_a_temporary(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    names = {store.put(data): len(data) for data in (b"weights", b"")}
    (store.path(WEIGHTS).parent / ".tmp-0123456789abcdef").write_bytes(b"wei")

    checked = check_store(store, read_data=True)

    assert checked.problems == []
    assert checked.sizes == names
