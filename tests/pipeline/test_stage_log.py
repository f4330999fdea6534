from __future__ import annotations

from contextlib import ExitStack, suppress

import pytest

from mlops_ray.pipeline.stage_log import STAGES, StageLog

ASKED = {"engine": "driver", "inputs": {"data": "sha256:a"}, "params": {"share": 0.2}}


def _key(code="sha256:c", name="split", **changes):
    class Silent:
        def stage_started(self, *_):
            """Say nothing."""

        def stage_finished(self, *_):
            """Say nothing."""

    log = StageLog(code, Silent())
    with log.stage(name, **{**ASKED, **changes}):
        pass
    return log.facts[0].key


def test_a_stage_is_recorded_with_what_it_wrote_down(listener):
    log = StageLog("sha256:c", listener)

    with log.stage("profile", **ASKED) as notes:
        notes.outputs["train"] = "sha256:b"
        notes.facts["rows"] = 3

    (facts,), (outputs,) = log.facts, log.outputs
    assert (facts.name, facts.cache, facts.engine, facts.facts) == (
        "profile",
        "miss",
        "driver",
        {"rows": 3},
    )
    assert facts.wall_s >= 0
    assert (outputs.name, outputs.outputs) == ("profile", {"train": "sha256:b"})
    assert listener.told == [("started", "profile", 3, len(STAGES)), ("finished", "profile", True)]


def test_a_stage_that_fails_leaves_no_record(listener):
    log = StageLog("sha256:c", listener)

    with ExitStack() as outer:
        outer.enter_context(suppress(KeyError))
        notes = outer.enter_context(log.stage("split", **ASKED))
        notes.outputs["train"] = "sha256:b"
        raise KeyError

    assert (log.facts, log.outputs) == ([], [])
    assert listener.told == [("started", "split", 2, len(STAGES))]


def test_equal_inputs_parameters_and_code_give_an_equal_key():
    assert _key() == _key(engine="ray_data")


@pytest.mark.parametrize(
    "change",
    [
        {"code": "sha256:d"},
        {"name": "profile"},
        {"inputs": {"data": "sha256:b"}},
        {"inputs": {"other": "sha256:a"}},
        {"params": {"share": 0.3}},
        {"params": {}},
    ],
)
def test_any_other_input_parameter_or_code_gives_another_key(change):
    assert _key(**change) != _key()
