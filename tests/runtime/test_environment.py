import importlib.metadata
import platform
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from mlops_ray.runtime.environment import (
    behaviour_packages,
    cpu_level,
    git_facts,
    image_digest,
    lock_list,
    platform_facts,
    without_credentials,
)
from mlops_ray.runtime.environment_difference import RecordedEnvironment, compare_environments


@pytest.fixture
def repository(tmp_path, monkeypatch):
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    identity = ["-c", "user.name=n", "-c", "user.email=e"]
    (tmp_path / "a").write_text("1")
    for command in (["init", "-q"], ["add", "a"], [*identity, "commit", "-qm", "m"]):
        subprocess.run(["git", "-C", tmp_path, *command], check=True)  # noqa: S607
    return tmp_path


def test_versions_are_those_that_are_imported():
    versions = behaviour_packages()

    assert versions["numpy"] == np.__version__
    assert versions["python"] == platform.python_version()
    assert "ray" in versions


def test_facts_name_neither_host_nor_user():
    facts = platform_facts()

    assert set(facts) == {"cpu_level", "libc", "machine", "system"}
    assert platform.node() not in facts.values()


def test_kernels_chosen_by_a_variable_are_another_kind_of_machine(monkeypatch):
    for name in ("OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES"):
        monkeypatch.delenv(name, raising=False)
    plain = platform_facts()
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Sandybridge")
    chosen = platform_facts()

    assert chosen["cpu_level"] == f"{plain['cpu_level']} OPENBLAS_CORETYPE=Sandybridge"
    assert chosen == {**plain, "cpu_level": chosen["cpu_level"]}
    found = compare_environments(RecordedEnvironment({}, plain), RecordedEnvironment({}, chosen))
    assert [item.name for item in found.relevant] == ["cpu_level"]


@pytest.mark.parametrize(
    ("flags", "machine", "level"),
    [
        ("sse4_1 sse4_2 ssse3 popcnt cx16", "x86_64", "x86-64-v2"),
        ("avx2 bmi1 bmi2 fma f16c movbe", "x86_64", "x86-64-v3"),
        ("avx512f avx512bw avx512cd avx512dq avx512vl avx2", "x86_64", "x86-64-v4"),
        ("", "x86_64", "x86-64-v1"),
        ("", "aarch64", "aarch64"),
    ],
)
def test_cpu_level_follows_the_flags(flags, machine, level):
    assert cpu_level(frozenset(flags.split()), machine) == level


def test_commit_and_changes_are_seen(repository):
    clean = git_facts(repository)
    (repository / "a").write_text("2")
    changed = git_facts(repository)

    assert clean is not None
    assert changed == {"commit": clean["commit"], "dirty": True}
    assert clean["dirty"] is False
    assert len(str(clean["commit"])) == 40


def test_outside_a_repository_there_is_nothing_to_say(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    assert git_facts(tmp_path) is None


def test_without_git_there_is_nothing_to_say(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")

    assert git_facts(repository) is None


def test_the_list_of_packages_is_the_lock_file_of_the_project_without_its_passwords(tmp_path):
    lock = "numpy==2.4.6 \\\n    --hash=sha256:0\n# what? a comment\n"
    index = "--index-url https://me:pa55word@example.org/simple?token=pa55word\n"
    (tmp_path / "requirements.lock").write_text(index + lock)

    found = lock_list(tmp_path)

    assert found == "--index-url https://example.org/simple\n" + lock


def test_a_secret_in_a_comment_of_the_lock_file_is_replaced_by_its_kind(tmp_path):
    token = "hf_" + "a1" * 17
    (tmp_path / "requirements.lock").write_text(f"# {token} opens the mirror\nnumpy==2.4.6\n")

    assert lock_list(tmp_path) == "# <Hugging Face Token> opens the mirror\nnumpy==2.4.6\n"


def test_without_a_lock_file_it_is_what_is_installed(tmp_path):
    lines = lock_list(tmp_path).splitlines()

    assert f"numpy=={np.__version__}" in lines
    assert lines == sorted(lines, key=lambda line: line.partition("==")[0])
    assert not any(line.startswith("mlops-ray") for line in lines)
    assert "/" not in "".join(lines)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("https://user:secret@host/x?sig=secret", "https://host/x"),
        ("s3://key@bucket/a/b", "s3://bucket/a/b"),
        ("https://user:se@cret@host/x", "https://host/x"),
        ("data/part-?.csv", "data/part-?.csv"),
        ("sklearn:breast_cancer", "sklearn:breast_cancer"),
    ],
)
def test_credentials_are_cut_out_of_urls_alone(text, clean):
    assert without_credentials(text) == clean


@pytest.mark.parametrize(
    ("told", "digest"),
    [
        ("sha256:" + "a" * 64, "sha256:" + "a" * 64),
        ("registry/name@sha256:" + "b" * 64, "sha256:" + "b" * 64),
        ("name:latest", None),
        ("", None),
    ],
)
def test_the_image_is_known_by_its_digest_alone(told, digest, monkeypatch):
    monkeypatch.setenv("MLOPS_RAY_IMAGE_DIGEST", told)

    assert image_digest() == digest


def test_packages_that_an_imported_package_brings_along_are_not_listed(tmp_path, monkeypatch):
    before = lock_list(tmp_path)
    folder = Path(sysconfig.get_path("purelib")) / "ray" / "thirdparty_files"
    monkeypatch.syspath_prepend(str(folder))
    carried = {item.name.lower() for item in importlib.metadata.distributions(path=[str(folder)])}

    assert carried
    assert lock_list(tmp_path) == before
