"""What a check of a run answers: what was looked at, what is wrong, and who signed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.manifest.signing_key import PublicKey

__all__ = ["Problem", "SignatureCheck", "Trust", "Verification"]


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom a checker trusts.

    Attributes:
        keys: Public keys of signers.
        is_required: Whether one of them must have signed.
    """

    keys: Sequence[PublicKey] = ()
    is_required: bool = False

    def key_named(self, key_id: str) -> PublicKey | None:
        """The trusted key of this id."""
        return next((key for key in self.keys if key.key_id == key_id), None)


@dataclass(frozen=True, slots=True)
class Problem:
    """A thing that is not what the manifest says.

    Attributes:
        object: Digest of an object, or name of a file of the run or of an archive.
        role: Its part in the run.
        expected: What the manifest says.
        got: What was found.
    """

    object: str
    role: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.role} {self.object}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """One signature beside a run.

    Attributes:
        key_id: SHA-256 of the public key that the signature names.
        is_ok: Whether it is whole and signs exactly this run.
        signer: File name of the trusted key that vouches for it; None where none of them does.
    """

    key_id: str
    is_ok: bool
    signer: str | None

    def __str__(self) -> str:
        if not self.is_ok:
            return "wrong"
        return f"signed by {self.signer}" if self.signer else "not by a key you trust"


@dataclass(slots=True)
class Verification:
    """Outcome of a check.

    Attributes:
        n_objects: Objects looked at.
        problems: What is wrong, in the order of the manifest.
        signatures: The signatures found, by file name.
        inputs_to_supply: Digests of inputs, by name, that are not kept with the run and so were not
            checked.
        hint: How to check the run all the same; empty where that is not known.
    """

    n_objects: int = 0
    problems: list[Problem] = field(default_factory=list)
    signatures: list[SignatureCheck] = field(default_factory=list)
    inputs_to_supply: dict[str, str] = field(default_factory=dict)
    hint: str = ""

    @property
    def is_ok(self) -> bool:
        """Whether something was checked and nothing is wrong."""
        return self.n_objects > 0 and not self.problems

    def to_json(self) -> dict[str, Any]:
        """The content of ``mlops-ray/verify/v1``."""
        return {
            "ok": self.is_ok,
            "objects": self.n_objects,
            "problems": [
                {"object": p.object, "role": p.role, "expected": p.expected, "got": p.got}
                for p in self.problems
            ],
            "signatures": [
                {"key_id": s.key_id, "ok": s.is_ok, "signer": s.signer} for s in self.signatures
            ],
            "inputs_to_supply": self.inputs_to_supply,
            "hint": self.hint or None,
        }
