"""In a Ray job with an upload, what would die with it is refused before any work."""

from __future__ import annotations

import pytest

from mlops_ray.errors import ConfigError, SourceError
from mlops_ray.pipeline.upload import check_outlives_upload, upload_folder
from mlops_ray.storage import find_workspace


@pytest.fixture
def upload(tmp_path, monkeypatch):
    """The unpacked upload of a job, as Ray lays it out, as the current folder."""
    folder = tmp_path / "runtime_resources" / "working_dir_files" / "_ray_pkg_0123"
    (folder / "configs").mkdir(parents=True)
    monkeypatch.chdir(folder / "configs")
    return folder


@pytest.fixture
def outside(tmp_path):
    return tmp_path / "mnt"


def _check(root, source="sklearn:iris", **places):
    check_outlives_upload(find_workspace(root, **places), source, root)


def test_the_upload_is_found_from_any_folder_below_it(upload):
    assert upload_folder() == upload
    assert upload_folder(upload) == upload


def test_outside_of_a_job_there_is_no_upload_and_all_is_allowed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert upload_folder() is None
    _check(tmp_path, "data/rows.csv")


def test_a_default_store_is_refused_and_the_way_out_is_named(upload):
    with pytest.raises(ConfigError, match=r"store lies in the job's upload.*MLOPS_RAY_STORE"):
        _check(upload)


def test_a_registry_in_the_upload_is_refused(upload, outside):
    with pytest.raises(ConfigError, match=r"registry lies in .*MLOPS_RAY_REGISTRY"):
        _check(upload, store=outside)


@pytest.mark.parametrize("source", ["data/rows.csv", "data/*.parquet", "."])
def test_data_in_the_upload_are_refused(upload, outside, source):
    with pytest.raises(SourceError, match=r"data\.source: the data lie in .*absolute path"):
        _check(upload, source, store=outside, registry=outside / "r.db")


@pytest.mark.parametrize(
    "registry", ["/mnt/registry.db", "postgresql://db/models", "sqlite:////mnt/r.db"]
)
@pytest.mark.parametrize("source", ["/data/rows.parquet", "sklearn:iris"])
def test_what_outlives_the_job_is_allowed(upload, outside, source, registry):
    _check(upload, source, store=outside, registry=registry)


def test_a_way_round_by_dots_or_links_is_seen(upload, outside, tmp_path):
    (tmp_path / "link").symlink_to(upload)
    with pytest.raises(ConfigError, match="the store lies in"):
        _check(upload, store=tmp_path / "link" / "store")
    with pytest.raises(ConfigError, match="the store lies in"):
        _check(upload, store=outside / ".." / upload.relative_to(tmp_path) / "store")


def test_data_beside_the_upload_by_dots_are_allowed(upload, outside):
    _check(upload, "../../../shared/rows.csv", store=outside, registry=outside / "r.db")


@pytest.mark.parametrize("registry", ["sqlite:///models.db", "models.db"])
def test_a_relative_registry_is_refused_in_any_form(upload, outside, registry):
    with pytest.raises(ConfigError, match="the registry lies in"):
        _check(upload, store=outside, registry=registry)
