import platform
import subprocess

import numpy as np
import pytest

from mlops_ray.runtime.environment import (
    behaviour_packages,
    cpu_level,
    git_facts,
    platform_facts,
)


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
