"""Offline check of a run: every object is there, whole, and the one its manifest names.

It needs neither Ray nor a model library, trusts no cache of digests and writes nothing. A run in a
store, an exported folder and a tar are checked alike.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mlops_ray.errors import ManifestError, StoreError
from mlops_ray.manifest.canonical import canonical_bytes, from_canonical
from mlops_ray.manifest.envelope import Envelope
from mlops_ray.manifest.exported_run import open_export
from mlops_ray.manifest.named_objects import document_problems
from mlops_ray.manifest.run_source import POINTER, StoreSource
from mlops_ray.manifest.spec import Spec
from mlops_ray.manifest.verification import Problem, Trust, Verification
from mlops_ray.storage import hex_of

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_ray.manifest.run_record import RunRecord
    from mlops_ray.manifest.run_source import RunSource

__all__ = ["pointed_envelope", "verify_export", "verify_run", "verify_source"]

_MAX_POINTER_BYTES: Final = 4096  # Ours have 90; a few fields more may come.
_RUN_ID: Final = re.compile(r"\d{8}t\d{6}-[0-9a-f]{6}")


def verify_run(record: RunRecord, trust: Trust | None = None) -> Verification:
    """Check a run in a store.

    Raises:
        ManifestError: The run has not ended, so there is nothing to check.
    """
    source = StoreSource(record)
    if source.pointer() is None:
        raise ManifestError(
            f"run {record.run_id} has no manifest",
            record.state(),
            hint="only runs that ended have one",
        )
    return verify_source(source, trust)


def verify_export(path: Path, trust: Trust | None = None) -> Verification:
    """Check a folder or a tar that `runs export` wrote.

    Raises:
        NotFoundError: There is nothing at `path`.
        ManifestError: It is not an export.
        StoreError: It cannot be read.
    """
    return verify_source(open_export(path), trust)


def verify_source(
    source: RunSource, trust: Trust | None = None, *, is_copied: bool = False
) -> Verification:
    """Check a run wherever it lies.

    Args:
        source: Where.
        trust: Whom to trust for signatures.
        is_copied: Leave out the objects that are not documents; whoever copies them digests them.
    """
    outcome = Verification(problems=[*source.problems], hint=source.hint)
    name = _pointed(source, outcome)
    envelope = _envelope(source, name, outcome) if name else None
    if envelope is not None:
        _check_identity(source, envelope, outcome)
        if not is_copied:
            _check_objects(source, envelope, outcome)
            _check_strangers(source, name, envelope, outcome)
        damaged = frozenset(problem.object for problem in outcome.problems)
        outcome.problems += document_problems(source, envelope, damaged)
        outcome.inputs_to_supply = _cited(source, envelope)
    _check_signatures(source, envelope, name, trust or Trust(), outcome)
    return outcome


def pointed_envelope(pointer: bytes | None) -> str:
    """The digest that a pointer names.

    Raises:
        ManifestError: There is no pointer, or it is damaged.
    """
    if pointer is None:
        raise ManifestError("the pointer is missing")
    content = from_canonical(pointer) if len(pointer) <= _MAX_POINTER_BYTES else None
    if not isinstance(content, dict) or canonical_bytes(content) != pointer:
        raise ManifestError("the pointer is damaged")
    return f"sha256:{hex_of(str(content.get('envelope')))}"


def _pointed(source: RunSource, outcome: Verification) -> str:
    """What the pointer names; empty where it names nothing."""
    outcome.n_objects += 1
    try:
        return pointed_envelope(source.pointer())
    except (ManifestError, StoreError) as error:
        outcome.problems.append(
            Problem(POINTER, "pointer", "the digest of an envelope", error.what)
        )
        _check_names(source, "", outcome)
        return ""


def _envelope(source: RunSource, name: str, outcome: Verification) -> Envelope | None:
    found = source.examine(name)
    got = found.sha256 if found else "missing"
    if got == name:
        try:
            return Envelope.from_bytes(source.read(name))
        except (ManifestError, StoreError) as error:
            got = str(error)
    outcome.problems.append(Problem(name, "envelope", name, got))
    _check_names(source, name, outcome)
    _check_exchange(source, got, outcome)
    return None


def _check_names(source: RunSource, envelope: str, outcome: Verification) -> None:
    """Without an envelope nobody knows the roles, but a name still says what the bytes must be."""
    for name in source.names() or ():
        found = source.examine(name)
        outcome.n_objects += 1
        got = found.sha256 if found else "missing"
        if name not in {got, envelope}:
            outcome.problems.append(Problem(name, "unknown", name, got))


def _check_exchange(source: RunSource, got: str, outcome: Verification) -> None:
    """Bytes of another object in the envelope's place: what lies in that object's own place?"""
    if source.names() is not None or not got.startswith("sha256:"):
        return
    found = source.examine(got)
    if found is not None and found.sha256 != got:
        outcome.problems.append(Problem(got, "unknown", got, found.sha256))


def _check_identity(source: RunSource, envelope: Envelope, outcome: Verification) -> None:
    """The pointer of one run must not lead to the envelope of another."""
    if source.run_id is not None and envelope.run_id != source.run_id:
        outcome.problems.append(Problem(POINTER, "pointer", source.run_id, envelope.run_id))
    elif not _RUN_ID.fullmatch(envelope.run_id):
        outcome.problems.append(Problem(POINTER, "run id", "a run id", repr(envelope.run_id[:80])))


def _check_objects(source: RunSource, envelope: Envelope, outcome: Verification) -> None:
    for item in envelope.objects:
        try:
            found = source.examine(item.sha256)
        except ManifestError as error:  # Not the form of a digest.
            outcome.problems.append(Problem(item.sha256, item.role, error.wanted, error.got))
            continue
        if found is None and item.intermediate:  # It can be computed again.
            continue
        outcome.n_objects += 1
        got = found.sha256 if found else "missing"
        if got != item.sha256:
            outcome.problems.append(Problem(item.sha256, item.role, item.sha256, got))
        elif found and found.size_bytes != item.size_bytes:
            sizes = f"{item.size_bytes} bytes", f"{found.size_bytes} bytes"
            outcome.problems.append(Problem(item.sha256, item.role, *sizes))


def _check_strangers(
    source: RunSource, name: str, envelope: Envelope, outcome: Verification
) -> None:
    listed = {name, *(item.sha256 for item in envelope.objects)}
    for stranger in source.names() or ():
        if stranger not in listed:
            outcome.problems.append(
                Problem(stranger, "object", "listed in the envelope", "not listed")
            )


def _cited(source: RunSource, envelope: Envelope) -> dict[str, str]:
    """Inputs that were too large for the store; none where a problem tells that nobody knows."""
    try:
        spec = Spec.from_bytes(source.read(envelope.spec_id))
    except (ManifestError, StoreError):
        return {}
    kept = {item.sha256 for item in envelope.objects}
    return {file.name: file.sha256 for file in spec.data.inputs if file.sha256 not in kept}


def _check_signatures(
    source: RunSource, envelope: Envelope | None, name: str, trust: Trust, outcome: Verification
) -> None:
    files = source.signatures()
    if not files and not trust.is_required:
        return
    # Only a signed run needs the library for it, which is not everywhere a worker runs.
    from mlops_ray.manifest.signature_check import check_signatures  # noqa: PLC0415
    from mlops_ray.manifest.statement import RunIdentity  # noqa: PLC0415

    run_id = envelope.run_id if envelope else source.run_id
    objects = {item.sha256 for item in envelope.objects} if envelope else None
    check_signatures(files, RunIdentity(name, run_id, objects), trust, outcome)
