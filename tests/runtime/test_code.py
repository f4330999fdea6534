import hashlib
import subprocess
import sys

import pytest

from mlops_ray.runtime.code import build_code_bundle, code_tree


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "pack"
    for name in ("__init__.py", "b/c.py", "b.py", "__pycache__/b.pyc", ".hidden", ".h/x.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def test_tree_holds_sources_sorted_by_path(package):
    tree = code_tree(package)

    assert [entry["path"] for entry in tree] == ["pack/__init__.py", "pack/b.py", "pack/b/c.py"]
    assert tree[1] == {
        "path": "pack/b.py",
        "size": 4,
        "sha256": "sha256:" + hashlib.sha256(b"b.py").hexdigest(),
    }


def test_bundle_is_an_equal_copy_with_fixed_times(package, tmp_path):
    bundle = build_code_bundle(tmp_path / "out", package)

    assert bundle == tmp_path / "out/pack"
    assert code_tree(bundle) == code_tree(package)
    assert {path.stat().st_mtime for path in bundle.rglob("*.py")} == {315_532_800}
    assert not (bundle / ".hidden").exists()


def test_an_equal_bundle_is_kept_and_another_replaced(package, tmp_path):
    inode = build_code_bundle(tmp_path / "out", package).stat().st_ino
    assert build_code_bundle(tmp_path / "out", package).stat().st_ino == inode

    (package / "b.py").write_text("changed")
    bundle = build_code_bundle(tmp_path / "out", package)

    assert (bundle / "b.py").read_text() == "changed"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["pack"]


def test_this_package_can_be_imported_from_its_bundle(tmp_path):
    build_code_bundle(tmp_path)

    done = subprocess.run(
        [sys.executable, "-c", "import mlops_ray; print(mlops_ray.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == str(tmp_path / "mlops_ray/__init__.py")
