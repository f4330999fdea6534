"""What a signature says of a run: an in-toto statement with a SLSA provenance.

The subjects are the run's envelope, which names everything else by digest, and the files of the
model, so that verifiers that know nothing of runs can check a model. It says no host and no path.

Source: in-toto Attestation Framework, Statement v1; SLSA Provenance v1, https://slsa.dev/provenance/v1.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mlops_ray.errors import ManifestError
from mlops_ray.manifest.canonical import canonical_bytes
from mlops_ray.storage import hex_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mlops_ray.manifest.envelope import Envelope
    from mlops_ray.manifest.spec import Spec

__all__ = ["PAYLOAD_TYPE", "RunIdentity", "other_than", "statement_of"]

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
_STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
_PREDICATE_TYPE: Final = "https://slsa.dev/provenance/v1"
_BUILD_TYPE: Final = "urn:mlops-ray:envelope:v1"
_BUILDER: Final = "urn:mlops-ray:builder:v1"
_ENVELOPE_NAME: Final = "envelope.json"


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """What a signature of a run has to name.

    Attributes:
        envelope: Digest that the run's pointer names; empty where the pointer is damaged.
        run_id: Its id; None where nobody knows it.
        objects: Digests on its list; None where the list cannot be read.
    """

    envelope: str
    run_id: str | None
    objects: Collection[str] | None


def statement_of(
    envelope: Envelope, envelope_digest: str, spec: Spec, model_files: Mapping[str, str]
) -> bytes:
    """The statement about a run, the same whenever it is made.

    Args:
        envelope: The run's envelope.
        envelope_digest: Its digest, over the stored bytes.
        spec: What was asked.
        model_files: Digests of the files of the model by path; empty where there is none.
    """
    materials = {f"input/{file.name}": file.sha256 for file in spec.data.inputs}
    materials |= {"code tree": spec.code.tree, **({"lock": envelope.lock} if envelope.lock else {})}
    content = {
        "_type": _STATEMENT_TYPE,
        "subject": _described(
            {_ENVELOPE_NAME: envelope_digest}
            | {f"model/{path}": name for path, name in sorted(model_files.items())}
        ),
        "predicateType": _PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": _BUILD_TYPE,
                "externalParameters": {"spec_id": envelope.spec_id},
                "resolvedDependencies": _described(materials),
            },
            "runDetails": {
                "builder": {"id": _BUILDER},
                "metadata": {
                    "invocationId": envelope.run_id,
                    "startedOn": envelope.started_at,
                    "finishedOn": envelope.finished_at,
                },
            },
        },
    }
    return canonical_bytes(content)


def other_than(statement: bytes, run: RunIdentity) -> str:
    """What a signed statement is about, where it is not this run; empty where it is.

    Raises:
        ManifestError: The payload is no such statement.
    """
    try:
        content = json.loads(statement)
        kinds = content["_type"], content["predicateType"]
        subjects = {item["name"]: item["digest"]["sha256"] for item in content["subject"]}
        invocation = content["predicate"]["runDetails"]["metadata"]["invocationId"]
        envelope = f"sha256:{subjects.pop(_ENVELOPE_NAME)}"
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ManifestError("the signed payload is no statement on a run", repr(error)) from error
    if kinds != (_STATEMENT_TYPE, _PREDICATE_TYPE):
        raise ManifestError("a statement of another type", str(kinds), _PREDICATE_TYPE)
    if run.run_id not in {None, invocation}:
        return f"a signature of run {invocation}"
    if run.envelope not in {"", envelope}:
        return f"a signature of the envelope {envelope}"
    foreign = [name for name, sha256 in subjects.items() if not _is_listed(run, sha256)]
    return f"a signature of other files: {', '.join(foreign)}" if foreign else ""


def _is_listed(run: RunIdentity, sha256: str) -> bool:
    return run.objects is None or f"sha256:{sha256}" in run.objects


def _described(digests: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"name": name, "digest": {"sha256": hex_of(d)}} for name, d in digests.items()]
