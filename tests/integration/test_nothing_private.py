"""The records hold no path, host, time or secret; the envelope alone tells of circumstances."""

from __future__ import annotations

import getpass
import json
import os
import re
import socket
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.ray

TIME = re.compile(r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def _documents(case):
    """What equal runs share: all objects that are text, but for envelope and log."""
    store, run = case.project.workspace.store, case.run
    for fact in run.envelope.objects:
        if fact.role in {"log", "input", "code archive"}:
            continue
        try:
            yield fact.role, store.get(fact.sha256).decode()
        except UnicodeDecodeError:
            # The estimator's own format, and raw numbers.
            assert fact.role.startswith(("bundle model", "matrix ", "scan"))


def test_spec_result_and_all_they_name_hold_no_circumstance(case):
    places = [str(case.bench.folder), str(Path.cwd()), str(Path.home()), sys.prefix, "/tmp/"]  # noqa: S108
    host = socket.gethostname()
    documents = dict(_documents(case))

    assert {"spec", "result", "trials", "metrics", "verdicts", "code tree"} <= documents.keys()
    for role, text in documents.items():
        assert [place for place in places if place in text] == [], role
        assert not re.search(rf"(?<![\w.-]){re.escape(host)}(?![\w.-])", text), role
        assert not TIME.search(text), role
        assert not UUID.search(text), role
        assert case.run.run_id not in text, role
        assert f'"{getpass.getuser()}"' not in text, role
        assert f'"pid":{os.getpid()}' not in text, role


def test_envelope_tells_circumstances_without_an_absolute_path(case):
    text = case.run.envelope.to_bytes().decode()

    assert TIME.search(text)
    assert case.run.run_id in text
    assert str(case.bench.folder) not in text
    assert str(Path.home()) not in text


def test_result_names_no_spec_no_input_and_no_package(case):
    text = case.run.result.to_bytes().decode()
    spec = case.run.spec

    assert spec.digest not in text
    assert [file.sha256 for file in spec.data.inputs if file.sha256 in text] == []
    assert not {"ray", "packages", "xgboost_version"} & json.loads(text).keys()
    assert spec.code.tree not in text


def _holders(folder, needle):
    return [path for path in folder.rglob("*") if path.is_file() and needle in path.read_bytes()]


def test_a_secret_in_the_environment_gets_into_no_file_and_no_log(one_cpu):
    secret = one_cpu.secret.encode()
    places = [one_cpu.store, one_cpu.store.parent, one_cpu.ray_folder]

    assert [_holders(place, secret) for place in places] == [[], [], []]
    assert one_cpu.secret not in one_cpu.done.stdout + one_cpu.done.stderr
    # The search finds what is there: a name in the records, and Ray's own in its logs.
    assert len(_holders(one_cpu.store, b"roc_auc")) >= 4
    assert _holders(one_cpu.ray_folder, b"raylet")


def test_an_absolute_source_shows_in_no_record(binary, bench):
    source = str(bench.folder / "data")
    config = {**binary.config, "data": {**binary.config["data"], "source": source}}

    pair = bench.run(config, binary.table)

    assert pair.run.spec_id == binary.run.spec_id
    records = pair.project.workspace.store_root
    assert _holders(records, str(bench.folder).encode()) == []
    assert pair.run.envelope.source == "data"
