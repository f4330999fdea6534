"""A spec says what was asked by content, and the bytes it names are pinned."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

import mlops_ray
from mlops_ray.config.loader import load_config
from mlops_ray.manifest import Spec, from_canonical
from mlops_ray.pipeline.begin import begin
from mlops_ray.pipeline.resolve import resolve
from mlops_ray.storage import DigestCache, ObjectStore, digest

ROWS = b"id,area,price\n1,2.5,3.5\n2,1.5,2.5\n"
TEXT = """\
version: 1
name: homes
objective: {metric: rmse}
data: {source: rows, task: regression, target: price, key: [id]}
split: {test: {share: 0.2}, valid: {share: 0.2}}
features: [{columns: [area]}]
model: {family: linear}
"""


@pytest.fixture
def frozen(tmp_path):
    """Freezes a project in a folder of the given name, with overrides."""

    def make(name="a", *overrides, text=TEXT, rows=ROWS):
        root = tmp_path / name
        (root / "rows").mkdir(parents=True)
        (root / "rows" / "x.csv").write_bytes(rows)
        (root / "p.yaml").write_text(text)
        store = ObjectStore(root / "store")
        resolved = resolve(load_config(root / "p.yaml", overrides), root, store)
        start = begin(resolved, store, DigestCache(root / "digests.db"), root)
        return start.frozen, start.objects

    return make


def test_two_folders_with_equal_content_ask_the_same(frozen):
    comment = "# Another comment, and another order of keys.\nname: homes\n"
    other = comment + TEXT.replace("name: homes\n", "")

    first, second = frozen("a")[0], frozen("somewhere/else", text=other)[0]

    assert first.spec == second.spec
    assert first.spec.digest == second.spec.digest


@pytest.mark.parametrize(
    "change",
    [
        "seed=1",
        "split.test.share=0.3",
        "model.params.alpha=2.0",
        "search.refit_on=train",
        "name=houses",
    ],
)
def test_whatever_is_asked_otherwise_is_another_spec(frozen, change):
    assert frozen("a")[0].spec.digest != frozen("b", change)[0].spec.digest


def test_another_byte_of_the_data_is_another_spec(frozen):
    other = frozen("b", rows=ROWS.replace(b"3.5", b"3.6"))[0]

    assert frozen("a")[0].spec.digest != other.spec.digest


def test_the_stored_spec_reads_back_and_names_its_input_by_content(frozen):
    found, objects = frozen()

    stored = Spec.from_bytes(objects.store.get(found.spec.digest))

    assert stored == found.spec
    (entry,) = stored.data.inputs
    assert (entry.name, entry.sha256, entry.size_bytes) == ("x.csv", digest(ROWS), len(ROWS))


def test_small_inputs_are_copied_so_that_a_later_edit_changes_nothing(frozen, tmp_path):
    found, _ = frozen()
    (tmp_path / "a" / "rows" / "x.csv").write_bytes(b"id,area,price\n")

    assert found.files[0].path.read_bytes() == ROWS


def test_large_inputs_are_cited_by_digest_and_the_spec_is_the_same(frozen, tmp_path):
    copied, cited = frozen("a")[0], frozen("b", "store.copy_inputs_below=0")

    assert cited[0].files[0].path == tmp_path / "b" / "rows" / "x.csv"
    assert not cited[1].store.has(digest(ROWS))
    assert cited[0].spec.digest == copied.spec.digest


def test_the_code_that_runs_is_captured_whole(frozen):
    found, objects = frozen()
    roles = {fact.role: fact.sha256 for fact in objects.facts()}
    package = Path(mlops_ray.__file__).parent

    tree = from_canonical(objects.store.get(found.spec.code.tree))
    with zipfile.ZipFile(io.BytesIO(objects.store.get(roles["code archive"]))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}

    assert found.spec.code.n_files == len(tree["files"]) == len(members) > 50
    listed = {entry["path"]: entry["sha256"] for entry in tree["files"]}
    assert listed == {name: digest(data) for name, data in members.items()}
    there = {f"mlops_ray/{path.relative_to(package).as_posix()}" for path in package.rglob("*.py")}
    assert there <= members.keys()


def test_seeds_differ_by_purpose_and_by_root(frozen):
    seeds = [frozen(name, f"seed={name}")[0].spec.seeds for name in ("1", "2")]

    assert len({seed for found in seeds for seed in found.values()}) == 4
