"""Checks the signatures beside a run; nobody is trusted but the keys that the caller names.

Beside each signature lies the public key that it names. It only serves to tell a damaged signature
from a whole one; that a signature is whole says nothing about who made it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_ray.errors import ConfigError, ManifestError
from mlops_ray.manifest.signature import Signed, parse_signed
from mlops_ray.manifest.signing_key import PublicKey, parse_public_key
from mlops_ray.manifest.statement import PAYLOAD_TYPE, other_than
from mlops_ray.manifest.verification import Problem, SignatureCheck

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlops_ray.manifest.statement import RunIdentity
    from mlops_ray.manifest.verification import Trust, Verification

__all__ = ["KEY_SUFFIX", "SIGNATURE_SUFFIX", "check_signatures", "file_stem"]

SIGNATURE_SUFFIX = ".dsse.json"
KEY_SUFFIX = ".pub.pem"
_STEM_DIGITS = 12
_WHOLE = "a signature of this run"


def file_stem(key_id: str) -> str:
    """How the files of a key's signature begin."""
    return key_id[:_STEM_DIGITS]


def check_signatures(
    files: Mapping[str, bytes], run: RunIdentity, trust: Trust, outcome: Verification
) -> None:
    """Add signatures and their problems to an outcome.

    Args:
        files: Signatures and public keys by file name.
        run: What has to be signed.
        trust: Whom to trust, and whether one of them must have signed.
        outcome: Takes what is found.
    """
    stems = sorted({name.partition(".")[0] for name in files})
    expected = {stem + suffix for stem in stems for suffix in (SIGNATURE_SUFFIX, KEY_SUFFIX)}
    for name in sorted(expected ^ files.keys()):
        kind = "missing" if name in expected else "no file of a signature"
        outcome.problems.append(Problem(name, "signature", "a signature and its key", kind))
    for stem in stems:
        if stem + SIGNATURE_SUFFIX in files:
            _check_one(files, stem, run, trust, outcome)
    if trust.is_required and not any(s.is_ok and s.signer for s in outcome.signatures):
        outcome.problems.append(_lack(outcome.signatures, trust))


def _check_one(
    files: Mapping[str, bytes], stem: str, run: RunIdentity, trust: Trust, outcome: Verification
) -> None:
    key_id, signer = "", None
    try:
        signed = parse_signed(files[stem + SIGNATURE_SUFFIX])
        key_id = signed.key_id
        key = _key_of(files, stem, signed)
        trusted = trust.key_named(key.key_id)
        signer = trusted.name if trusted else None
        got = _difference(signed, key, run)
    except (ManifestError, ConfigError) as error:
        got = f"{error.what}: {error.got}" if error.got else error.what
    if got:
        name = stem + SIGNATURE_SUFFIX
        outcome.problems.append(Problem(name, "signature", _WHOLE, got))
    outcome.signatures.append(SignatureCheck(key_id, not got, None if got else signer))


def _key_of(files: Mapping[str, bytes], stem: str, signed: Signed) -> PublicKey:
    name = stem + KEY_SUFFIX
    key = parse_public_key(files.get(name, b""), name)
    if key.pem != files[name]:
        raise ManifestError("another form of the public key", name)
    if key.key_id != signed.key_id or file_stem(key.key_id) != stem:
        raise ManifestError("a signature by another key", signed.key_id, key.key_id)
    return key


def _difference(signed: Signed, key: PublicKey, run: RunIdentity) -> str:
    """Why this is not a signature of this run; empty where it is."""
    if not signed.is_signed_by(key):
        return "a bad signature: payload, type or signature were changed"
    if signed.payload_type != PAYLOAD_TYPE:
        return f"a payload of type {signed.payload_type!r}"
    return other_than(signed.payload, run)


def _lack(found: Sequence[SignatureCheck], trust: Trust) -> Problem:
    wanted = ", ".join(f"{key.name} ({file_stem(key.key_id)})" for key in trust.keys)
    kinds = {True: "one by the unknown key", False: "a wrong one by key"}
    got = ", ".join(f"{kinds[s.is_ok]} {file_stem(s.key_id)}" for s in found)
    return Problem(
        "signatures",
        "signature",
        f"a valid signature by {wanted}" if wanted else "a trusted key, named with --key",
        got or "no signature",
    )
