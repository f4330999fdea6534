"""Inputs are pinned by digest, here and in S3, and their record says what protected them."""

from __future__ import annotations

import importlib.util
import subprocess
import threading
from pathlib import Path

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_ray.config.loader import load_config
from mlops_ray.data.scan import ScanPlan, scan
from mlops_ray.data.source import find_files
from mlops_ray.data.unit import list_units
from mlops_ray.data.unit_map import map_in_process
from mlops_ray.data.unit_schema import read_schema
from mlops_ray.errors import ConfigError, SourceError
from mlops_ray.pipeline.inputs import check_unchanged
from mlops_ray.pipeline.objects import ObjectList
from mlops_ray.pipeline.pin import digested_inputs, pin_inputs
from mlops_ray.pipeline.recorded_inputs import place_inputs
from mlops_ray.pipeline.resolve import resolve
from mlops_ray.storage import DigestCache, ObjectStore, digest_file

TEXT = """\
version: 1
name: homes
objective: {metric: rmse}
data: {source: {path: "PLACE"}, task: regression, target: price, key: [id]}
split: {test: {share: 0.2}, valid: {share: 0.2}}
features: [{columns: [area]}]
model: {family: linear}
"""


def table(start):
    ids = range(start, start + 40)
    return pa.table({"id": ids, "area": [n / 8 for n in ids], "price": [n * 2.5 for n in ids]})


@pytest.fixture
def folder(tmp_path):
    """A folder with a file that has page checksums and one that has none."""
    (tmp_path / "data").mkdir()
    pq.write_table(table(0), tmp_path / "data/a.parquet", write_page_checksum=True)
    pq.write_table(table(40), tmp_path / "data/b.parquet")
    return tmp_path / "data"


@pytest.fixture
def project(tmp_path):
    """Everything that pins the inputs of a pipeline file with the given overrides."""
    store, digests = ObjectStore(tmp_path / "store"), DigestCache(tmp_path / "digests.db")

    class Project:
        objects = ObjectList(store)

        def resolved(self, place, *overrides):
            (tmp_path / "p.yaml").write_text(TEXT.replace("PLACE", place))
            return resolve(load_config(tmp_path / "p.yaml", overrides), tmp_path, store)

        def pin(self, place, *overrides, **options):
            found = self.resolved(place, *overrides)
            return pin_inputs(found, self.objects, digests, tmp_path, **options)

        def protections(self, place, *overrides):
            pinned = self.pin(place, *overrides)
            return {item.file.name: item.protection().by for item in pinned}

    Project.store, Project.digests = store, digests
    return Project()


def test_the_record_says_what_protected_each_file(project, folder):
    unknown = {"a.parquet": "page_checksums", "b.parquet": "nothing"}
    assert project.protections("data", "store.copy_inputs_below=0") == unknown
    assert project.protections("data") == unknown
    assert set(project.protections("data").values()) == {"known_digest"}

    pq.write_table(table(41), folder / "b.parquet")
    found = project.protections("data")
    assert found == {"a.parquet": "known_digest", "b.parquet": "nothing"}


def test_a_declared_digest_is_held_against_the_file(project, folder):
    lines = subprocess.run(
        ["/usr/bin/env", "sha256sum", "a.parquet", "b.parquet"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    (folder / "SHA256SUMS").write_bytes(lines.stdout)
    declared = "data.source.digests=data/SHA256SUMS"

    assert set(project.protections("data", declared).values()) == {"known_digest"}

    content = bytearray((folder / "b.parquet").read_bytes())
    content[100] ^= 4
    (folder / "b.parquet").write_bytes(content)
    with pytest.raises(SourceError, match=r"b\.parquet: the file is not the one"):
        project.pin("data", declared)
    with pytest.raises(SourceError, match=r"b\.parquet: the file is not the one"):
        digested_inputs(project.resolved("data", declared), project.digests, folder.parent)


@pytest.mark.parametrize("num_cpus", [1, 2])
def test_no_more_digests_are_taken_at_once_than_there_are_cpus(
    project, folder, monkeypatch, num_cpus
):
    together, met = threading.Barrier(2), []
    digest_file = project.digests.digest_file

    def met_another(path):
        try:
            together.wait(timeout=1)
            met.append(path)
        except threading.BrokenBarrierError:  # Nobody else came.
            together.reset()
        return digest_file(path)

    monkeypatch.setattr(project.digests, "digest_file", met_another)
    resolved = project.resolved("data")
    digested_inputs(resolved, project.digests, folder.parent, num_cpus)

    assert len(resolved.files) == 2
    assert len(met) == {1: 0, 2: 2}[num_cpus]


def test_large_files_are_copied_where_that_is_asked_and_read_from_the_copy_later(project, folder):
    large = "store.copy_inputs_below=0"
    (in_place, _) = (item.file for item in project.pin("data", large))
    assert in_place.path == folder / "a.parquet"

    project.pin("data", large, copy_all=True)

    for item in project.pin("data", large):
        assert item.file.path == project.store.path(digest_file(folder / item.file.name))


def test_a_url_that_holds_a_password_is_refused_without_showing_it(project, tmp_path):
    for url in ("s3://ann:geheim@sales/x", "s3://sales/x?secret_key=geheim"):
        for look in (project.resolved, lambda given: find_files(given, tmp_path)):
            with pytest.raises(ConfigError, match=r"holds credentials|seems to hold") as caught:
                look(url)
            assert "geheim" not in str(caught.value)
    with pytest.raises(ConfigError, match="option that means nothing: got sse"):
        project.resolved("s3://sales/x?sse=AES256")


@pytest.fixture(scope="module")
def tools():
    path = Path(__file__).parent.parent / "faults" / "s3_campaign.py"
    spec = importlib.util.spec_from_file_location("s3_campaign", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def server(tools):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in tools.CREDENTIALS.items():
            patch.setenv(name, value)
        with tools.s3_server() as port:
            tools.make_bucket(port, "sales")
            yield port


@pytest.fixture
def bucket(server, folder):
    """The same files in a bucket; the URL of a path there, and a client to change them."""
    raw = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{server}", region_name="us-east-1")
    for name in ("a", "b"):
        raw.upload_file(str(folder / f"{name}.parquet"), "sales", f"in/y=2018/{name}.parquet")
    raw.put_object(Bucket="sales", Key="in/_SUCCESS", Body=b"")
    raw.put_object(Bucket="sales", Key="in/rows.csv.gz", Body=b"")

    def url(path):
        place = f"region=us-east-1&endpoint_override=http://127.0.0.1:{server}"
        return f"s3://sales/{path}?{place}"

    return url, raw


def scanned(files):
    plan = ScanPlan(read_schema(files), None)
    return scan(list_units(files), plan, map_in_process).fingerprint


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("in/y=2018/a.parquet", ["a.parquet"]),
        ("in/y=2018", ["a.parquet", "b.parquet"]),
        ("in/*/*.parquet", ["y=2018/a.parquet", "y=2018/b.parquet"]),
        ("**/[!b].parquet", ["in/y=2018/a.parquet"]),
    ],
)
def test_a_url_names_a_key_a_folder_or_a_glob(bucket, tmp_path, path, names):
    assert [file.name for file in find_files(bucket[0](path), tmp_path)] == names


@pytest.mark.parametrize(
    ("path", "message"),
    [("nowhere", "no such key or folder"), ("in/*.orc", "no key matches"), ("in", "are mixed")],
)
def test_a_url_that_gives_nothing_says_why(bucket, tmp_path, path, message):
    with pytest.raises(SourceError, match=message):
        find_files(bucket[0](path), tmp_path)


def test_rows_in_a_bucket_are_the_rows_of_the_files(bucket, project, folder, tmp_path):
    url = bucket[0]("in/y=2018")
    local = scanned(find_files(str(folder), tmp_path))

    assert scanned(find_files(url, tmp_path)) == local
    for limit in (0, 2**30):
        pinned = project.pin(url, f"store.copy_inputs_below={limit}")
        assert scanned([item.file for item in pinned]) == local
        assert [item.file.sha256 for item in pinned] == [
            digest_file(folder / name) for name in ("a.parquet", "b.parquet")
        ]


@pytest.mark.parametrize("change", ["replaced", "removed", "torn"])
def test_a_key_that_changes_while_a_run_reads_it_is_noticed(bucket, project, folder, change):
    url, raw = bucket
    pinned = project.pin(url("in/y=2018"), "store.copy_inputs_below=0")
    files = [item.file for item in pinned]
    check_unchanged(files, project.store, project.digests)

    data = (folder / "b.parquet").read_bytes()
    if change == "removed":
        raw.delete_object(Bucket="sales", Key="in/y=2018/b.parquet")
    else:
        body = data[:-20] if change == "torn" else (folder / "a.parquet").read_bytes()
        raw.put_object(Bucket="sales", Key="in/y=2018/b.parquet", Body=body)

    with pytest.raises(SourceError, match=r"b\.parquet: the input file changed"):
        check_unchanged(files, project.store, project.digests)
    with pytest.raises(SourceError, match=r"b\.parquet: the input file changed"):
        scanned(files)


def test_a_bucket_may_supply_the_inputs_of_a_recorded_run(bucket, project, spec, tmp_path):
    (item, _) = project.pin(bucket[0]("in/y=2018"), "store.copy_inputs_below=0")
    facts = {"name": item.file.name, "format": "parquet", "sha256": item.file.sha256}
    inputs = [type(spec.data).model_fields["inputs"].annotation.__args__[0](**facts, size_bytes=1)]
    asked = spec.model_copy(update={"data": spec.data.model_copy(update={"inputs": inputs})})
    target = ObjectStore(tmp_path / "target")

    places = place_inputs(asked, project.store, target, bucket[0]("in/y=2018/a.parquet"))

    assert places == {"a.parquet": str(target.path(item.file.sha256))}
    assert target.is_whole(item.file.sha256)
