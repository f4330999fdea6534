from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from mlops_ray.errors import DigestMismatchError
from mlops_ray.registry.chain import check_chain


@pytest.fixture
def links(registry, new_version):
    registry.register("a", **new_version("1"), alias="challenger")
    registry.promote("a@1", "champion", actor="bob")
    return registry.history()


def test_history_tells_who_did_what_in_order(links):
    assert [(e.seq, e.kind, e.actor) for e in links] == [
        (1, "registered", "ann"),
        (2, "promoted", "ann"),
        (3, "promoted", "bob"),
    ]
    assert links[2].body["alias"] == "champion"


def test_untouched_chain_is_accepted(registry, links):
    assert registry.check_history() == len(links) == 3


@pytest.mark.parametrize(
    "tamper",
    [
        lambda e: [replace(e[0], actor="eve"), *e[1:]],
        lambda e: [e[0], e[2]],
        lambda e: [e[1], e[0], e[2]],
        lambda e: [*e, replace(e[2], seq=4)],
        lambda e: [e[0], replace(e[1], body={**e[1].body, "version": 2}), e[2]],
    ],
)
def test_changed_removed_swapped_or_added_links_are_noticed(links, tamper):
    with pytest.raises(DigestMismatchError, match="event"):
        check_chain(tamper(links))


@pytest.mark.parametrize(
    "statement",
    ["UPDATE events SET actor = 'eve'", "DELETE FROM events", "UPDATE versions SET bundle = ''",
     "DELETE FROM versions"],
)  # fmt: skip
@pytest.mark.usefixtures("links")
def test_database_itself_refuses_to_rewrite(tmp_path, statement):
    connection = sqlite3.connect(tmp_path / "deep" / "registry.db")

    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(statement)
    connection.close()
