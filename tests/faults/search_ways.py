"""Searches in all ways to compute them: one digest each. A part of `search_campaign`."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from determinism_campaign import environment, two_nodes, waits
from search_runs import write_project

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
SAME = ("trials", "winner", "bundle", "result_id")


@dataclass(frozen=True)
class Way:
    """One way to compute the searches.

    Attributes:
        options: Of `search_runs`.
        wait_seed: What the waits of the trials are drawn from; 0 for none.
        slots: Slots that have to have worked.
        nodes: Nodes that have to have worked; two of them are started here.
    """

    options: tuple[str, ...] = ()
    wait_seed: int = 0
    slots: int = 2
    nodes: int = 1


WAYS = {
    "1 CPU": Way(("--cpus", "1"), slots=1),
    "2 CPUs, waits": Way(wait_seed=1),
    "4 CPUs, waits": Way(("--cpus", "4"), 2, slots=4),
    "two nodes, waits": Way((), 3, nodes=2),
    "a slot killed, waits": Way(("--kill",), 4),
    "interrupted and resumed, waits": Way(("--interrupt",), 5),
}
OTHERS = {"another seed": ("--seeds", "99"), "another bound": ("--wider",)}


@dataclass
class Ways:
    """All ways of one project.

    Attributes:
        folder: For everything.
        options: Which searches with which seeds, as options of `search_runs`.
        expect: Notes what is not as it has to be.
    """

    folder: Path
    options: Sequence[str]
    expect: Callable[[bool, str], None]

    def compare(self, names: Sequence[str]) -> dict[str, Any]:
        """Compute all searches in these ways; the first gives what the others have to give."""
        self.folder.mkdir()
        project = write_project(self.folder / "project")
        found = {name: self._found(project, WAYS[name]) for name in names}
        first, *others = found.values()
        wanted = {(answer["name"], answer["seed"]): answer for answer in first}
        for name, answers in found.items():
            self._look(name, answers, wanted)
        digests = {answer["trials"] for answer in first}
        self.expect(len(digests) == len(first), "two searches gave the same trials")
        self.expect(any(answer["is_tied"] for answer in first), "no best value was tied")
        for name, more in OTHERS.items():
            answers = self._found(project, Way(("--cpus", "1", *more)))
            same = [answer["name"] for answer in answers if answer["trials"] in digests]
            self.expect(bool(answers) and not same, f"{name} gave the same trials: {same}")
        return {
            "runs": {name: len(answers) for name, answers in found.items()},
            "digests": len(digests),
            "tied": sum(answer["is_tied"] for answer in first),
            "slots_killed": sum(answer["killed"] for answers in others for answer in answers),
            "out_of_order": sum(answer["is_late"] for answers in others for answer in answers),
        }

    def _found(self, project: Path, way: Way) -> list[dict[str, Any]]:
        variables = waits(way.wait_seed, 0.15) if way.wait_seed else {}
        if way.slots > 2:  # Else two that are there first could do everything.
            variables["DISTURBED_SLOTS"] = str(way.slots)
        own, where = {"DISTURBED_LEDGER": str(self.folder / "ledger")}, list(way.options)
        with ExitStack() as stack:
            if way.nodes > 1:
                address, own = stack.enter_context(two_nodes(variables))
                where += ["--address", address]
            Path(own["DISTURBED_LEDGER"]).touch()
            script = Path(__file__).with_name("search_runs.py")
            own["MLOPS_RAY_IN_PROCESS_BELOW_BYTES"] = "1000000"
            # Nothing around a run limits native threads; it does so itself.
            inherited = {
                k: v for k, v in environment({**variables, **own}).items() if k not in LIMITS
            }
            done = subprocess.run(
                [sys.executable, script, project, *self.options, *where],
                env=inherited,
                capture_output=True,
                text=True,
                check=False,
            )
        self.expect(done.returncode == 0, done.stderr[-2000:])
        # Ray tells whoever uses it as a library of workers that died, between the answers.
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def _look(
        self, name: str, answers: list[dict[str, Any]], wanted: dict[Any, dict[str, Any]]
    ) -> None:
        way = WAYS[name]
        self.expect(len(answers) == len(wanted), f"{name}: {len(answers)} of {len(wanted)} runs")
        for answer in answers:
            what = f"{name}, {answer['name']}, seed {answer['seed']}"
            first = wanted[answer["name"], answer["seed"]]
            differs = [member for member in SAME if answer[member] != first[member]]
            self.expect(not differs, f"{what}: other {differs}")
            n_killed = int("--kill" in way.options)
            self.expect(answer["killed"] == n_killed, f"{what}: {answer['killed']} kills")
            self.expect(answer["slots"] >= way.slots, f"{what}: {answer['slots']} slots worked")
            self.expect(answer["threads"] == 1, f"{what}: {answer['threads']} native threads")
            self.expect(answer["nodes"] == way.nodes, f"{what}: {answer['nodes']} nodes worked")
