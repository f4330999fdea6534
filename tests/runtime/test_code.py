import hashlib
import os
import subprocess
import sys

import pytest

from mlops_ray.errors import DigestMismatchError, StoreError
from mlops_ray.manifest import canonical_bytes
from mlops_ray.runtime.code import CodeBundle, code_files
from mlops_ray.runtime.code_bundle import (
    build_code_bundle,
    extracted,
    import_paths,
    verified_bundle,
)


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "pack"
    for name in ("__init__.py", "b/c.py", "b.py", "__pycache__/b.pyc", ".hidden", ".h/x.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


@pytest.fixture
def bundle():
    return CodeBundle(
        {"b.py": b"B = 1\n", "a/__init__.py": b"", "src/c.py": b"", "d/x.json": b"{}"}
    )


def test_a_package_is_its_sources_by_path_under_the_name_of_this_one(package):
    assert list(code_files(package)) == [
        "mlops_ray/__init__.py",
        "mlops_ray/b.py",
        "mlops_ray/b/c.py",
    ]


def test_tree_holds_path_size_and_digest_sorted_by_path(bundle):
    assert [entry["path"] for entry in bundle.tree] == sorted(bundle.files)
    assert bundle.tree[1] == {
        "path": "b.py",
        "size": 6,
        "sha256": "sha256:" + hashlib.sha256(b"B = 1\n").hexdigest(),
    }


def test_the_digest_is_that_of_the_canonical_tree_and_knows_no_order(bundle):
    document = canonical_bytes({"schema": "mlops-ray/code/v1", "files": bundle.tree})

    assert bundle.document == document
    assert bundle.digest == "sha256:" + hashlib.sha256(document).hexdigest()
    turned = CodeBundle(dict(reversed(bundle.files.items())))
    assert (turned.digest, turned.archive) == (bundle.digest, bundle.archive)
    assert CodeBundle({**bundle.files, "b.py": b"B = 2\n"}).digest != bundle.digest


def test_an_archive_gives_the_bundle_back_or_is_refused(bundle):
    other = CodeBundle({**bundle.files, "b.py": b"B = 2\n"})

    assert CodeBundle.from_archive(bundle.archive, bundle.digest).files == bundle.files
    with pytest.raises(DigestMismatchError, match="other code"):
        CodeBundle.from_archive(other.archive, bundle.digest)
    with pytest.raises(DigestMismatchError, match="damaged"):
        CodeBundle.from_archive(bundle.archive[:-30], bundle.digest)


def test_an_extracted_bundle_is_named_by_its_digest_and_has_fixed_times(bundle, tmp_path):
    folder = extracted(bundle, tmp_path)

    assert folder == tmp_path / "code" / f"tree-{bundle.digest.removeprefix('sha256:')}"
    assert verified_bundle(folder) == bundle
    assert {path.stat().st_mtime for path in folder.rglob("*.py")} == {315_532_800}
    assert import_paths(folder) == [str(folder), str(folder / "src")]
    assert {path.name for path in folder.parent.iterdir()} == {folder.name, ".lock"}


def test_an_extracted_bundle_is_kept_while_it_is_whole(bundle, tmp_path):
    folder = extracted(bundle, tmp_path)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__/b.cpython-311.pyc").write_bytes(b"compiled")
    os.utime(folder, (1, 1))
    inode = folder.stat().st_ino

    kept = extracted(bundle, tmp_path).stat()

    assert kept.st_ino == inode
    assert kept.st_mtime > 1  # Marked as used.


@pytest.mark.parametrize("damage", ["edited", "added", "removed", "linked"])
def test_a_bundle_that_was_touched_is_built_anew(bundle, tmp_path, damage):
    folder = extracted(bundle, tmp_path)
    if damage == "edited":
        (folder / "b.py").write_bytes(b"B = 3\n")
    elif damage == "added":
        (folder / "a/extra.py").write_bytes(b"")
    elif damage == "linked":
        (folder / "link.py").symlink_to(folder / "b.py")
    else:
        (folder / "b.py").unlink()
    assert verified_bundle(folder) is None

    assert verified_bundle(extracted(bundle, tmp_path)) == bundle


def test_a_bundle_cannot_leave_its_folder(tmp_path):
    for path in ("../out.py", "/out.py", "a/../../out.py"):
        with pytest.raises(StoreError, match="leaves its folder"):
            extracted(CodeBundle({path: b""}), tmp_path / "store")

    assert not list(tmp_path.rglob("out.py"))


def test_many_processes_extract_one_bundle_at_once(tmp_path):
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from mlops_ray.runtime.code import CodeBundle\n"
        "from mlops_ray.runtime.code_bundle import extracted, verified_bundle\n"
        "bundle = CodeBundle({f'm{i}.py': b'x' * 1000 for i in range(200)})\n"
        "sys.stdin.readline()\n"
        "print(verified_bundle(extracted(bundle, Path(sys.argv[1]))) == bundle)"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()

    assert [process.communicate()[0].strip() for process in running] == ["True"] * 4
    assert len(list((tmp_path / "code").glob("tree-*"))) == 1
    assert list((tmp_path / "code").glob(".tmp-*")) == []


def test_an_equal_copy_of_the_package_is_kept_and_another_replaced(package, tmp_path):
    inode = build_code_bundle(tmp_path / "out", package).stat().st_ino
    assert build_code_bundle(tmp_path / "out", package).stat().st_ino == inode

    (package / "b.py").write_text("changed")
    copy = build_code_bundle(tmp_path / "out", package)

    assert (copy / "b.py").read_text() == "changed"
    assert not (copy / ".hidden").exists()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mlops_ray"]


def test_this_package_can_be_imported_from_its_copy(tmp_path):
    build_code_bundle(tmp_path)

    done = subprocess.run(
        [sys.executable, "-c", "import mlops_ray; print(mlops_ray.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == str(tmp_path / "mlops_ray/__init__.py")
