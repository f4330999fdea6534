"""A search that is disturbed gives what an undisturbed one gives.

Samples of `tests/faults/search_campaign.py`, which has all ways, searches, seeds and faults.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CAMPAIGN = Path(__file__).parents[1] / "faults" / "search_campaign.py"

pytestmark = [
    pytest.mark.ray,
    pytest.mark.campaign,
    pytest.mark.timeout(600),  # Several runs one after the other.
    pytest.mark.skipif(sys.platform != "linux", reason="cluster/head is for Linux"),
]


def _part(name, *options):
    done = subprocess.run(
        [sys.executable, CAMPAIGN, "--parts", name, *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["trouble"] == []
    assert done.returncode == 0
    return outcome


@pytest.mark.parametrize("search", ["tpe, halving", "tpe, data share"])
def test_cut_off_by_ctrl_c_and_resumed_it_gives_what_one_cpu_gave(search):
    ways = ["--ways", "1 CPU", "interrupted and resumed, waits"]

    outcome = _part("ways", *ways, "--seeds", "1", "--searches", search)

    assert set(outcome["runs"].values()) == {1}
    assert outcome["tied"] == outcome["digests"] == 1


def test_drivers_killed_at_random_moments_cost_no_more_than_what_was_running():
    outcome = _part("kills", "--kills", "3", "--kill-seed", "4")

    assert (outcome["kills"], outcome["torn"] > 0) == (3, True)


def test_a_lost_head_is_told_and_on_another_the_same_command_goes_on():
    outcome = _part("heads", "--heads", "2")

    assert [head["victim"] for head in outcome["heads"]] == ["control store", "head"]
    assert all(head["kept"] > 0 and head["redone"] <= 2 for head in outcome["heads"])
