"""Feature sets by name and version: numbered without gaps, in any company, and never changed."""

import sqlite3
import threading

import pytest

from mlops_ray.errors import ConfigError, NotFoundError
from mlops_ray.registry import Registry

D = [f"sha256:{letter * 64}" for letter in "0123456789abcdef"]


def put(registry, name, digest, run_id="run"):
    return registry.feature_sets.register(name, digest=digest, run_id=run_id, actor="ann")


def test_sets_are_numbered_and_found(registry):
    versions = [put(registry, "a", D[0]), put(registry, "a", D[1]), put(registry, "b", D[0])]

    sets = registry.feature_sets
    assert [v.reference for v in versions] == ["a@1", "a@2", "b@1"]
    assert sets.versions() == versions
    assert sets.versions(D[0]) == [versions[0], versions[2]]
    assert sets.resolve("a") == sets.resolve("a@latest") == versions[1]
    assert sets.resolve("a@1") == versions[0]
    assert registry.check_history() == 3


def test_the_same_content_keeps_its_version_and_its_run(registry):
    first = put(registry, "a", D[0], "first")

    assert put(registry, "a", D[0], "second") == first
    assert registry.check_history() == 1


@pytest.mark.parametrize(
    ("reference", "kind", "message"),
    [
        ("c", NotFoundError, "no feature set 'c': got feature sets a; .*features register"),
        ("a@3", NotFoundError, "'a' has no version 3: got versions 1 to 1"),
        ("a@0", ConfigError, "not a version .*'0'"),
        ("a@champion", ConfigError, "wanted a number, or 'latest'"),
        ("A b", ConfigError, "not the name of a feature set"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(registry, reference, kind, message):
    put(registry, "a", D[0])

    with pytest.raises(kind, match=message):
        registry.feature_sets.resolve(reference)


def test_no_set_takes_the_name_of_the_newest_run(registry):
    with pytest.raises(ConfigError, match=r"'latest' is the newest run.*; take another name"):
        put(registry, "latest", D[0])

    assert registry.feature_sets.versions() == []


def test_without_a_registry_there_are_none_and_none_is_made(registry, tmp_path):
    assert registry.feature_sets.versions() == []
    with pytest.raises(NotFoundError, match="got feature sets none"):
        registry.feature_sets.resolve("a")
    assert list(tmp_path.iterdir()) == []


def test_writers_at_once_leave_no_gap(tmp_path):
    def work(at):
        registry = Registry(tmp_path / "r.db")
        for digest in D[at::2]:
            put(registry, "a", digest)
            put(registry, "a", D[0])

    threads = [threading.Thread(target=work, args=(at,)) for at in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = Registry(tmp_path / "r.db").feature_sets.versions()
    assert [v.version for v in found] == list(range(1, 17))
    assert sorted(v.digest for v in found) == D


def test_a_registry_of_before_gets_the_table_and_keeps_what_it_has(registry, tmp_path, new_version):
    registry.register("m", **new_version("1"))
    connection = sqlite3.connect(tmp_path / "deep" / "registry.db")
    connection.execute("DROP TABLE feature_sets")
    connection.commit()
    connection.close()

    again = Registry(tmp_path / "deep" / "registry.db")

    assert again.feature_sets.versions() == []
    assert put(again, "m", D[0]).version == 1
    assert again.resolve("m@1").version == 1
    assert [event.kind for event in again.history("m")] == ["registered"]
    assert again.check_history() == 2


@pytest.mark.parametrize(
    "change", ["UPDATE feature_sets SET digest = 'x'", "DELETE FROM feature_sets"]
)
def test_the_database_itself_refuses_changes(registry, tmp_path, change):
    put(registry, "a", D[0])
    connection = sqlite3.connect(tmp_path / "deep" / "registry.db")

    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(change)

    connection.close()
    assert registry.feature_sets.resolve("a@1").digest == D[0]
