"""Copies the documents of a store's runs to where they are read for ever.

``python tests/golden/manifests/collect.py STORE VERSION`` takes the newest run of each state; see
docs/decisions/0007. Files that are there already are kept.
"""

import json
import sys
from pathlib import Path

from mlops_ray.manifest import RunRecord, list_runs
from mlops_ray.storage import ObjectStore, find_workspace

HERE = Path(__file__).parent


def collect(store_root: Path, version: str) -> None:
    """Write ``VERSION/STATE/{spec,result,envelope,stage,ids}.json`` for each state."""
    workspace = find_workspace(HERE, store_root)
    newest = {record.envelope().state: record for record in list_runs(workspace)}
    for state, record in newest.items():
        folder = HERE / version / state
        if not folder.exists():
            _copy(workspace.store, _ids(record), folder)


def _ids(record: RunRecord) -> dict[str, str]:
    envelope = record.envelope()
    ids = {"spec": envelope.spec_id, "envelope": record.envelope_digest()}
    if envelope.result_id:
        ids["result"] = envelope.result_id
    stages = [item.sha256 for item in envelope.objects if item.role.startswith("stage ")]
    return {**ids, "stage": stages[0]} if stages else ids


def _copy(store: ObjectStore, ids: dict[str, str], folder: Path) -> None:
    folder.mkdir(parents=True)
    for kind, name in ids.items():
        (folder / f"{kind}.json").write_bytes(store.get(name))
    (folder / "ids.json").write_text(json.dumps(ids, indent=2) + "\n")


if __name__ == "__main__":
    collect(Path(sys.argv[1]), sys.argv[2])
