"""The published JSON Schema of every kind of document, generated from the models that read it.

The schemas are for readers: they allow members that a later minor version may add. To write them
again after a change of a model: ``python -m mlops_ray.manifest.json_schema docs/schemas``.

Source: A. Wright et al., "JSON Schema: A Media Type for Describing JSON Documents", 2020-12.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mlops_ray.manifest.document import MAJOR_VERSION
from mlops_ray.manifest.envelope import Envelope
from mlops_ray.manifest.result import Result
from mlops_ray.manifest.spec import Spec
from mlops_ray.manifest.stage_record import StageRecord

if TYPE_CHECKING:
    from mlops_ray.manifest.document import Document

__all__ = ["KINDS", "json_schema", "schema_files"]

KINDS: Final[dict[str, type[Document]]] = {
    "envelope": Envelope,
    "result": Result,
    "spec": Spec,
    "stage": StageRecord,
}
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_BOUNDS: Final = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"})
_FLOAT: Final = "CanonicalFloat"
# What `canonical_bytes` makes of a float: JSON has no NaN and no infinities.
_FLOAT_SCHEMA: Final = {
    "description": "A number, or the tagged name of one that JSON cannot hold.",
    "anyOf": [
        {"type": "number"},
        {
            "type": "object",
            "properties": {"$float": {"enum": ["nan", "inf", "-inf"]}},
            "required": ["$float"],
            "additionalProperties": False,
        },
    ],
}


def json_schema(kind: str) -> dict[str, Any]:
    """The schema of ``spec``, ``result``, ``envelope`` or ``stage``.

    Example:
        >>> json_schema("spec")["$id"]
        'urn:mlops-ray:spec:v1'
    """
    schema: dict[str, Any] = _for_readers(KINDS[kind].model_json_schema(by_alias=True))
    schema["$defs"] = {**schema.get("$defs", {}), _FLOAT: _FLOAT_SCHEMA}
    schema["properties"]["schema_version"]["pattern"] = rf"^{MAJOR_VERSION}\.[0-9]+$"
    schema["required"] = sorted({*schema["required"], "schema", "schema_version"})
    return {"$schema": _DIALECT, "$id": f"urn:mlops-ray:{kind}:v{MAJOR_VERSION}", **schema}


def schema_files() -> dict[str, bytes]:
    """Content of the published files by their names."""
    return {
        f"{kind}.schema.json": json.dumps(json_schema(kind), indent=2, sort_keys=True).encode()
        + b"\n"
        for kind in KINDS
    }


def _for_readers(schema: Any) -> Any:  # noqa: ANN401 - any JSON value
    """What authors must keep to, loosened to what a reader has to accept."""
    if isinstance(schema, list):
        return [_for_readers(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "number" and not schema.keys() & _BOUNDS:
        rest = {name: value for name, value in schema.items() if name != "type"}
        return {**rest, "$ref": f"#/$defs/{_FLOAT}"}
    loose = {name: _for_readers(value) for name, value in schema.items()}
    if isinstance(schema.get("properties"), dict):
        loose["additionalProperties"] = True
    return loose


def _write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in schema_files().items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    _write(Path(sys.argv[1]))
