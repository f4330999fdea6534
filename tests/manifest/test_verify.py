"""`mlops_ray.manifest.verify`: whatever is done to a run is named, wherever the run lies.

Each damage is done to a run that passes before and, once it is undone, passes again.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlops_ray.errors import DigestMismatchError, ManifestError, NotFoundError
from mlops_ray.manifest import (
    Envelope,
    ObjectFacts,
    RunRecord,
    canonical_bytes,
    verify_export,
    verify_run,
)
from mlops_ray.manifest.archive_import import import_run
from mlops_ray.manifest.tar_layout import end_of, header_of, padding_of, read_members
from mlops_ray.storage import digest, find_workspace

Damage = Callable[[bytes], bytes]
DAMAGES = {
    "first byte flipped": lambda data: bytes([data[0] ^ 1]) + data[1:],
    "middle byte flipped": lambda data: (
        data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 16]) + data[len(data) // 2 + 1 :]
    ),
    "last byte flipped": lambda data: data[:-1] + bytes([data[-1] ^ 128]),
    "last byte lost": lambda data: data[:-1],
    "a byte too many": lambda data: data + b"\n",
    "cut to zero": lambda _: b"",
}
damages = pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)


class Place:
    """A run in a store or in a folder: files that can be damaged, and the check of them."""

    def __init__(self, root: Path, check: Callable[[], object]) -> None:
        self.root = root
        self.check = check

    def named(self) -> set[str]:
        found = self.check()
        assert found.is_ok == (not found.problems)
        return {problem.object for problem in found.problems}

    def objects(self) -> dict[str, Path]:
        return {f"sha256:{p.name}": p for p in sorted(self.root.glob("objects/??/*"))}

    def write(self, path: Path, data: bytes) -> None:
        path.chmod(0o644)
        path.write_bytes(data)


@pytest.fixture(params=["run", "folder"])
def place(request, small, folder) -> Iterator[Place]:
    """Both places, whole before and after."""
    if request.param == "run":
        root = small.workspace.store_root
        found = Place(root, lambda: verify_run(small.record))
    else:
        found = Place(folder, lambda: verify_export(folder))
    assert found.named() == set()
    yield found
    assert found.named() == set()


@damages
def test_damage_to_any_object_names_it_alone(place: Place, damage: Damage) -> None:
    for name, path in place.objects().items():
        whole = path.read_bytes()
        place.write(path, damage(whole))

        assert place.named() == {name}

        place.write(path, whole)


def test_an_object_that_is_gone_is_named_unless_it_can_be_computed_again(place: Place) -> None:
    intermediate = digest(b"\x01" * 5000)
    for name, path in place.objects().items():
        whole = path.read_bytes()
        path.unlink()

        assert place.named() == {name} - {intermediate}

        path.write_bytes(whole)


def test_two_objects_in_each_others_place_are_both_named(place: Place) -> None:
    names = list(place.objects())
    for one, two in zip(names, names[1:] + names[:1], strict=True):
        paths = [place.objects()[name] for name in (one, two)]
        data = [path.read_bytes() for path in paths]
        place.write(paths[0], data[1])
        place.write(paths[1], data[0])

        assert place.named() == {one, two}

        place.write(paths[0], data[0])
        place.write(paths[1], data[1])


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]", b"{}", b"[" * 100_000, b"[" * 3000, b'{"envelope": 7}',
     b'{"envelope": "sha256:zz"}'],
)  # fmt: skip
def test_a_damaged_pointer_is_named(place: Place, content: bytes) -> None:
    (path,) = place.root.rglob("sealed.json")
    whole = path.read_bytes()
    place.write(path, content)

    assert place.named() == {"sealed.json"}

    path.write_bytes(whole)


def test_any_bit_of_the_pointer_counts(place: Place) -> None:
    (path,) = place.root.rglob("sealed.json")
    whole = path.read_bytes()
    for at in range(len(whole)):
        place.write(path, whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])

        assert place.named() != set()

        path.write_bytes(whole)


def test_a_pointer_to_any_other_object_is_found(place: Place) -> None:
    (path,) = place.root.rglob("sealed.json")
    whole = path.read_bytes()
    for name in set(place.objects()) - {json.loads(whole)["envelope"]}:
        place.write(path, canonical_bytes({"envelope": name}))

        assert name in place.named()

        path.write_bytes(whole)


def test_the_envelope_of_another_run_is_found_in_a_store(small, other) -> None:
    for name in other.workspace.store.names():
        small.workspace.store.put(other.workspace.store.get(name))
    whole = small.record.pointer_path.read_bytes()
    small.record.pointer_path.write_bytes(other.record.pointer_path.read_bytes())

    (problem,) = verify_run(small.record).problems

    assert (problem.object, problem.got) == ("sealed.json", other.run_id)
    small.record.pointer_path.write_bytes(whole)
    assert verify_run(small.record).is_ok


def test_the_envelope_of_another_run_is_found_in_a_folder(folder: Path, other) -> None:
    envelope = other.record.envelope_digest()
    target = folder / "objects" / envelope[7:9] / envelope[7:]
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(other.workspace.store.get(envelope))

    assert {p.object for p in verify_export(folder).problems} == {envelope}

    (folder / "run/sealed.json").write_bytes(other.record.pointer_path.read_bytes())
    assert not verify_export(folder).is_ok


def test_what_does_not_belong_in_a_folder_is_named(folder: Path, tmp_path: Path) -> None:
    stranger = digest(b"stranger")
    hexed = stranger[7:]
    secret = tmp_path / "secret"
    secret.write_bytes(b"stranger")
    (folder / "run" / "notes.txt").write_text("hello")
    (folder / "objects" / hexed[:2]).mkdir(exist_ok=True)
    (folder / "objects" / hexed[:2] / hexed).write_bytes(b"stranger")
    (folder / "objects" / "link").symlink_to(secret)
    os.mkfifo(folder / "run" / "pipe")

    problems = {p.object: p.got for p in verify_export(folder).problems}

    assert problems == {
        "run/notes.txt": "a name that no export has",
        stranger: "not listed",
        "objects/link": "a symbolic link",
        "run/pipe": "a device or a socket",
    }


def test_a_link_in_an_objects_place_is_not_followed(folder: Path, tmp_path: Path) -> None:
    victim = next(folder.glob("objects/??/*"))
    elsewhere = tmp_path / "elsewhere"
    victim.rename(elsewhere)
    victim.symlink_to(elsewhere)

    problems = {p.object for p in verify_export(folder).problems}

    assert problems == {victim.relative_to(folder).as_posix(), f"sha256:{victim.name}"}


def test_a_folder_is_checked_by_anyone_anywhere_without_heavy_libraries(
    folder: Path, tmp_path: Path
) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from mlops_ray.manifest import verify_export\n"
        "found = verify_export(Path(sys.argv[1]))\n"
        "heavy = {'ray', 'sklearn', 'xgboost', 'pandas', 'pyarrow'} & set(sys.modules)\n"
        "print(found.is_ok, sorted(heavy))"
    )
    moved = shutil.copytree(folder, tmp_path / "moved")
    home = tmp_path / "nobody"
    home.mkdir()
    variables = {
        "HOME": str(home),
        "USER": "nobody",
        "LOGNAME": "nobody",
        "PATH": os.environ["PATH"],
    }

    done = subprocess.run(
        [sys.executable, "-P", "-c", code, moved],
        cwd=home,
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == ["True", "[]"]
    assert list(home.iterdir()) == []


def test_what_is_no_export_is_refused(tmp_path: Path, small) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.tar").write_bytes(b"hello" * 500)
    (tmp_path / "zero.tar").write_bytes(b"")

    for name in ("empty", "text.tar", "zero.tar"):
        with pytest.raises(ManifestError, match="holds no run"):
            verify_export(tmp_path / name)
    with pytest.raises(ManifestError, match="is a store"):
        verify_export(small.workspace.store_root)
    with pytest.raises(NotFoundError, match=r"there is no folder or tar .*none"):
        verify_export(tmp_path / "none")
    with pytest.raises(ManifestError, match="has no manifest"):
        verify_run(RunRecord(small.workspace, "20270101t000000-000000"))


# What the envelope says of its objects, and the documents of each other.


def resealed(small, **changes) -> list[tuple[str, str]]:
    envelope = small.envelope()
    small.seal(envelope.model_copy(update=changes))
    return [(p.role, p.got) for p in verify_run(small.record).problems]


def without(envelope: Envelope, role: str) -> list[ObjectFacts]:
    return [item for item in envelope.objects if item.role != role]


@pytest.mark.parametrize(
    "role",
    ["spec", "result", "log", "code tree", "bundle", "bundle model.json", "trials",
     "profile train", "metrics", "matrix train"],
)  # fmt: skip
def test_what_the_documents_name_must_be_on_the_list(small, role: str) -> None:
    problems = resealed(small, objects=without(small.envelope(), role))

    assert [got for _, got in problems] == ["not listed"]
    assert role.rsplit(maxsplit=1)[-1] in problems[0][0] or role in {"profile train", "metrics"}
    assert resealed(small) == []


def test_a_wrong_size_another_id_and_a_missing_archive_are_named(small) -> None:
    items = small.envelope().objects
    longer = [i.model_copy(update={"size_bytes": i.size_bytes + 1}) for i in items]
    log = next(i for i in items if i.role == "log")

    assert len(resealed(small, objects=longer)) >= len(items)
    assert resealed(small, objects=[*without(small.envelope(), "code archive")]) == [
        ("code archive", "0")
    ]
    assert ("result", "none in a sealed run") in resealed(small, result_id=None)
    assert ("spec", "another id in the envelope") in resealed(small, spec_id=log.sha256)
    assert resealed(small, lock=digest(b"no such lock")) == [("lock", "not listed")]
    assert resealed(small) == []


def test_a_digest_of_no_form_is_named(small) -> None:
    bad = ObjectFacts(role="log", sha256="../../etc/passwd", size_bytes=1)

    problems = resealed(small, objects=[*small.envelope().objects, bad])

    assert problems == [("log", "'../../etc/passwd'")]


def test_a_run_id_that_is_none_is_named(small) -> None:
    small.run_id = "../../evil"
    envelope = small.envelope()
    small.run_id = "20260101t000000-abcdef"
    small.seal(envelope)

    (problem,) = verify_run(small.record).problems

    assert (problem.object, problem.got) == ("sealed.json", "../../evil")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mlops_ray/stage.py": b"VALUE = 2\n"}, digest(b"VALUE = 2\n")),
        ({"mlops_ray/stage.py": b"VALUE = 1\n\n"}, "11 of 10 bytes"),
        ({"mlops_ray/more.py": b""}, "not in the tree, or twice"),
        ({"mlops_ray/stage.py": None}, "missing"),
    ],
)
def test_the_code_archive_must_hold_the_tree(small, change, said: str) -> None:
    files = {path: data for path, data in (small.code | change).items() if data is not None}
    envelope = small.envelope()
    others = without(envelope, "code archive")
    archive = small.facts[small.archive(files)]

    (problem,) = resealed(small, objects=[*others, archive])

    assert problem == (f"code archive {next(iter(change))}", said)
    assert resealed(small) == []


def test_an_archive_that_is_none_is_named(small) -> None:
    others = without(small.envelope(), "code archive")
    small.put("code archive", b"not a zip")
    archive = small.facts[digest(b"not a zip")]

    assert resealed(small, objects=[*others, archive])[0][0] == "code archive archive"


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        (b"[]", "malformed"),
        (b'{"files": [{"path": "a"}]}', "malformed"),
        (b"[" * 5000, "not JSON"),
        (
            canonical_bytes({"files": [{"path": "a", "size": 1, "sha256": "x"}] * 2}),
            "names one twice",
        ),
    ],
)
def test_a_bundle_without_a_sound_tree_is_named(small, tree: bytes, said: str) -> None:
    envelope = small.envelope()
    result = json.loads(small.workspace.store.get(envelope.result_id))
    result["model"]["bundle"] = small.put("bundle", tree)
    name = small.put("result", canonical_bytes(result))
    kept = [item for item in envelope.objects if item.role not in {"result", "bundle"}]
    objects = [*kept, small.facts[name], small.facts[digest(tree)]]

    (problem,) = resealed(small, objects=objects, result_id=name)

    assert problem[0] == "bundle"
    assert said in problem[1]
    assert resealed(small) == []


# Tars.


def named_in(tar: Path) -> set[str]:
    return {problem.object for problem in verify_export(tar).problems}


def members(tar: Path) -> list[tuple[str, bytes]]:
    data = tar.read_bytes()
    with tar.open("rb") as stream:
        found = list(read_members(stream, len(data)))
    return [(m.name, data[m.offset : m.offset + m.size_bytes]) for m in found]


def packed(files: list[tuple[str, bytes]]) -> bytes:
    parts = [header_of(n, len(d)) + d + padding_of(len(d)) for n, d in files]
    return b"".join(parts) + end_of(len(b"".join(parts)))


def test_any_flipped_bit_of_a_tar_is_found(tar: Path) -> None:
    whole = tar.read_bytes()
    assert named_in(tar) == set()
    places = {0, len(whole) // 2, len(whole) - 1, *range(0, len(whole), 97)}

    for at in sorted(places):
        tar.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1 :])

        assert named_in(tar), at

    tar.write_bytes(whole)
    assert named_in(tar) == set()


@damages
def test_damage_to_any_member_names_it_alone(tar: Path, damage: Damage) -> None:
    whole = members(tar)
    assert packed(whole) == tar.read_bytes()
    for at, (name, data) in enumerate(whole):
        changed = [*whole]
        changed[at] = (name, damage(data))
        tar.write_bytes(packed(changed))

        expected = {"sealed.json" if name == "run/sealed.json" else f"sha256:{name[11:]}"}
        found = named_in(tar)
        assert found == expected or (name == "run/sealed.json" and found), name

    tar.write_bytes(packed(whole))
    assert named_in(tar) == set()


def test_members_too_many_twice_renamed_and_gone_are_named(tar: Path) -> None:
    whole = members(tar)
    name, data = whole[1]
    this = f"sha256:{name[11:]}"
    renamed = name[:-1] + ("0" if name[-1] != "0" else "1")
    cases = [
        ([*whole, ("run/notes.txt", b"hello")], {"run/notes.txt"}),
        ([*whole, (name, data)], {name}),
        ([*whole, (name, b"other bytes")], {name}),
        ([whole[0], (renamed, data), *whole[2:]], {f"sha256:{renamed[11:]}", this}),
        ([whole[0], (f"./{name}", data), *whole[2:]], {f"./{name}", this}),
        ([whole[0], *whole[2:]], {this}),
        ([m for m in whole if m[0] != "run/sealed.json"], {"sealed.json"}),
        ([*whole, ("../evil", b"x")], {"../evil"}),
        ([*whole, ("/etc/evil", b"x")], {"/etc/evil"}),
        ([*whole, ("objects/../../evil", b"x")], {"objects/../../evil"}),
    ]

    for files, expected in cases:
        tar.write_bytes(packed(files))

        assert named_in(tar) == expected

    tar.write_bytes(packed(whole))
    assert named_in(tar) == set()


def test_links_devices_and_folders_in_a_tar_are_named(tar: Path) -> None:
    kinds = {
        tarfile.SYMTYPE: "a symbolic link",
        tarfile.LNKTYPE: "a hard link",
        tarfile.CHRTYPE: "a device",
        tarfile.FIFOTYPE: "a device",
        tarfile.DIRTYPE: "a folder",
        tarfile.GNUTYPE_SPARSE: "another header",
        tarfile.XHDTYPE: "another header",
    }
    whole = tar.read_bytes()
    body = b"".join(header_of(n, len(d)) + d + padding_of(len(d)) for n, d in members(tar))
    for kind, said in kinds.items():
        info = tarfile.TarInfo("run/evil")
        info.type, info.linkname = kind, "/etc/passwd"
        extra = info.tobuf(tarfile.GNU_FORMAT)
        tar.write_bytes(body + extra + end_of(len(body + extra)))

        (problem,) = verify_export(tar).problems

        assert (problem.object.rstrip("/"), problem.got) == ("run/evil", said)

    tar.write_bytes(whole)
    assert named_in(tar) == set()


@pytest.mark.parametrize("cut", [1, 512, 1024, 10240])
def test_a_tar_that_was_cut_or_grew_is_found(tar: Path, cut: int) -> None:
    whole = tar.read_bytes()
    for content in (whole[:-cut], whole + bytes(cut), whole + b"x" * cut, whole + whole):
        tar.write_bytes(content)

        assert named_in(tar)

    tar.write_bytes(whole)
    assert named_in(tar) == set()


def test_a_tar_of_another_hand_is_told_apart_by_its_headers(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.tar"
    with tarfile.open(other, "w") as archive:
        for name in ("objects", "run"):
            archive.add(folder / name, arcname=name)

    found = verify_export(other)

    assert {problem.got for problem in found.problems} >= {"a folder", "another header"}
    assert "tar -xf other.tar -C FOLDER" in found.hint
    with pytest.raises(DigestMismatchError, match=r"tar -xf other\.tar"):
        import_run(other, find_workspace(tmp_path, tmp_path / "elsewhere"))
    (tmp_path / "unpacked").mkdir()
    subprocess.run(["tar", "-xf", other, "-C", tmp_path / "unpacked"], check=True)  # noqa: S607
    assert verify_export(tmp_path / "unpacked").is_ok
    assert verify_export(tmp_path / "unpacked").hint == ""


def test_nobody_is_told_to_unpack_a_tar_with_more_than_plain_files(tar: Path) -> None:
    assert verify_export(tar).hint == ""
    body = b"".join(header_of(n, len(d)) + d + padding_of(len(d)) for n, d in members(tar))
    info = tarfile.TarInfo("run/evil")
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
    tar.write_bytes(body + info.tobuf(tarfile.GNU_FORMAT) + end_of(len(body) + 512))

    assert verify_export(tar).hint == ""


def test_inputs_that_are_not_kept_with_a_run_are_named_and_are_no_problem(
    small, folder: Path, tar: Path
) -> None:
    for found in (verify_run(small.record), verify_export(folder), verify_export(tar)):
        assert found.is_ok
        assert found.inputs_to_supply == {"big.csv": "sha256:" + "0" * 64}
        assert found.to_json()["inputs_to_supply"] == found.inputs_to_supply


def test_a_header_that_promises_more_than_there_is_ends_the_reading(tar: Path) -> None:
    body = packed(members(tar))
    info = tarfile.TarInfo("objects/evil")
    info.size = 1 << 50
    tar.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + body)

    with pytest.raises(ManifestError, match="holds no run"):
        verify_export(tar)
    tar.write_bytes(body[: -len(end_of(0))] + info.tobuf(tarfile.GNU_FORMAT))
    assert "objects/evil" in named_in(tar)
