"""Signs a run that has ended; its sealed manifest stays as it is, the signature lies beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.manifest.archive import raise_first_problem
from mlops_ray.manifest.envelope import Envelope
from mlops_ray.manifest.named_objects import bundle_files
from mlops_ray.manifest.result import Result
from mlops_ray.manifest.run_source import StoreSource
from mlops_ray.manifest.signature import sign
from mlops_ray.manifest.signature_check import KEY_SUFFIX, SIGNATURE_SUFFIX, file_stem
from mlops_ray.manifest.signing_key import SigningKey, load_signing_key
from mlops_ray.manifest.spec import Spec
from mlops_ray.manifest.statement import PAYLOAD_TYPE, statement_of
from mlops_ray.manifest.verify import verify_run

if TYPE_CHECKING:
    from pathlib import Path

    from mlops_ray.manifest.run_record import RunRecord

__all__ = ["sign_run"]


def sign_run(record: RunRecord, key: Path, passphrase_env: str | None = None) -> str:
    """Sign a run with an Ed25519 key; signing again writes the same bytes.

    Args:
        record: The run.
        key: PEM file of the private key.
        passphrase_env: Name of the environment variable with the key's passphrase.

    Returns:
        The key's id: SHA-256 of its public half.

    Raises:
        ConfigError: The key cannot be used.
        ManifestError: The run has not ended.
        DigestMismatchError: The run is damaged; nobody signs that.
    """
    loaded = load_signing_key(key, passphrase_env)
    found = verify_run(record)
    # A signature that was damaged, or cut short with its writer, is mended by writing it again.
    found.problems = [problem for problem in found.problems if problem.role != "signature"]
    raise_first_problem(record.run_id, found)
    _write(record, loaded)
    return loaded.public.key_id


def _write(record: RunRecord, key: SigningKey) -> None:
    source, store = StoreSource(record), record.workspace.store
    name = record.envelope_digest()
    envelope = Envelope.from_bytes(source.read(name))
    spec = Spec.from_bytes(source.read(envelope.spec_id))
    files: dict[str, str] = {}
    if envelope.result_id is not None:
        result = Result.from_bytes(source.read(envelope.result_id))
        files = bundle_files(source, result.model.bundle)
    signed = sign(statement_of(envelope, name, spec, files), PAYLOAD_TYPE, key)
    stem = f"runs/{record.run_id}/signatures/{file_stem(signed.key_id)}"
    store.write_record(stem + KEY_SUFFIX, key.public.pem)
    store.write_record(stem + SIGNATURE_SUFFIX, signed.to_bytes())
