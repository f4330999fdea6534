"""Executes a spec from a store and nothing else: the half of `reproduce` that the bundle brings.

    python -P -m mlops_ray.pipeline.replay FOLDER

`reproduce` starts this module of the *recorded* code. So its two files are an interface between
versions of the package, and its fields are never renamed: ``FOLDER/request.json`` tells where the
fresh store lies, which spec is meant and where its inputs can be read; ``FOLDER/answer.json`` tells
what came out and in which environment. The result itself is an object of the store.
"""

from __future__ import annotations

import json
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlops_ray.data.source import InputFile
from mlops_ray.errors import ManifestError, MlopsRayError
from mlops_ray.manifest import Spec
from mlops_ray.pipeline.assemble import assemble
from mlops_ray.pipeline.engine import Engine
from mlops_ray.pipeline.objects import ObjectList
from mlops_ray.pipeline.workers import Placement, Workers
from mlops_ray.runtime.code_bundle import verified_bundle
from mlops_ray.runtime.environment import behaviour_packages, platform_facts
from mlops_ray.search.decisions import decisions_of
from mlops_ray.search.trial import read_trial_table
from mlops_ray.storage import DigestCache, ObjectStore, write_atomically
from mlops_ray.telemetry import terminal_progress

if TYPE_CHECKING:
    from types import FrameType

    from mlops_ray.search.decisions import Decisions

__all__ = ["ANSWER_FILE", "ANSWER_SCHEMA", "REQUEST_FILE", "REQUEST_SCHEMA", "main", "replay"]

REQUEST_FILE: Final = "request.json"
ANSWER_FILE: Final = "answer.json"
REQUEST_SCHEMA: Final = "mlops-ray/replay-request/v1"
ANSWER_SCHEMA: Final = "mlops-ray/replay-answer/v1"
_ENDING: Final = (signal.SIGINT, signal.SIGTERM)
_INTERRUPTED: Final = 130


def replay(request: dict[str, Any]) -> dict[str, Any]:
    """Execute every stage of the spec that a request names.

    Args:
        request: Content of ``request.json``.

    Returns:
        Content of ``answer.json``.

    Raises:
        MlopsRayError: A stage failed.
    """
    if request.get("schema") != REQUEST_SCHEMA:
        raise ManifestError("not a request this version can read", wanted=REQUEST_SCHEMA)
    progress = terminal_progress(sys.stderr)
    with ExitStack() as stack:
        store = stack.enter_context(ObjectStore(Path(request["store"])).lease())
        spec = Spec.from_bytes(store.get(request["spec_id"]))
        files, folder = _files(spec, request["inputs"]), Path(request["code"])
        placement = Placement(
            request["num_cpus"], request["address"], int(request["in_process_below_bytes"])
        )
        engine = Engine(
            spec=spec,
            files=files,
            code=_code(folder, spec),
            objects=ObjectList(store),
            means=Workers(
                placement=placement,
                size_bytes=sum(file.size_bytes for file in files),
                threads=spec.model.threads,
                code=folder,
                cleanup=stack,
                progress=progress,
                n_fitting=spec.model.workers,
            ),
            progress=progress,
            digests=DigestCache(store.root / "digests.db"),
            decisions=_decisions(store, request.get("trials")),
        )
        stack.callback(progress.close)
        engine.run()
        result = assemble(spec, engine.outputs, store)
        store.put(result.to_bytes())
        return {
            "schema": ANSWER_SCHEMA,
            "result_id": result.digest,
            "stages": [{"name": stage.name, "cache": stage.cache} for stage in engine.facts],
            "packages": behaviour_packages(),
            "platform": platform_facts(),
        }


def _files(spec: Spec, places: dict[str, str]) -> list[InputFile]:
    return [
        InputFile(item.name, Path(places[item.name]), item.format, item.size_bytes, item.sha256)
        for item in spec.data.inputs
    ]


def _decisions(store: ObjectStore, table: str | None) -> Decisions | None:
    """What the recorded search left to a clock or the memory; None where it left nothing."""
    return None if table is None else decisions_of(read_trial_table(store.get(table)))


def _code(folder: Path, spec: Spec) -> dict[str, bytes]:
    bundle = verified_bundle(folder)
    if bundle is None or bundle.digest != spec.code.tree:
        raise ManifestError("the code that runs is not the recorded one", wanted=spec.code.tree)
    return bundle.files


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    # Once: a terminal tells this process of Ctrl-C and so does `reproduce`, and the second of the
    # two must not cut short how the cluster is closed.
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> int:
    """Answer the request in the folder that the command line names."""
    for number in _ENDING:
        signal.signal(number, _interrupt)
    folder = Path(sys.argv[1])
    try:
        answer = replay(json.loads((folder / REQUEST_FILE).read_bytes()))
    except MlopsRayError as error:
        answer = {"schema": ANSWER_SCHEMA, "error": {"code": error.code, "message": str(error)}}
    except KeyboardInterrupt:
        return _INTERRUPTED
    write_atomically(folder / ANSWER_FILE, json.dumps(answer).encode())
    return 1 if "error" in answer else 0


if __name__ == "__main__":
    sys.exit(main())
