"""Ed25519 keys in PEM files: one to sign with, which nobody else may read, and those to trust.

A key is named by the SHA-256 of its public half (SubjectPublicKeyInfo, DER), the same for both
halves. Other kinds of keys are refused: one kind leaves nothing to negotiate.

Source: S. Josefsson and I. Liusvaara, RFC 8032, 2017 (Ed25519); RFC 8410, 2018 (its PEM form).
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from mlops_ray.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PublicKey", "SigningKey", "load_public_key", "load_signing_key", "parse_public_key"]

_MAX_BYTES: Final = 64 << 10
_MAKE: Final = "make one with `openssl genpkey -algorithm ed25519 -out key.pem`"
_PUBLIC_HALF: Final = "take its public half with `openssl pkey -in key.pem -pubout`"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key to check signatures with.

    Attributes:
        key: The key itself.
        name: File name it was read from; empty where it was not.
    """

    key: Ed25519PublicKey
    name: str = ""

    @property
    def key_id(self) -> str:
        """64 hex digits."""
        der = self.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return hashlib.sha256(der).hexdigest()

    @property
    def pem(self) -> bytes:
        """The one PEM form of this key."""
        return self.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def is_signed(self, signature: bytes, message: bytes) -> bool:
        """Whether the owner of the private half signed this message."""
        try:
            self.key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key to sign with; it shows nothing of itself."""

    _key: Ed25519PrivateKey

    @property
    def public(self) -> PublicKey:
        """Its public half."""
        return PublicKey(self._key.public_key())

    def sign(self, message: bytes) -> bytes:
        """64 bytes, the same for the same message."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return f"SigningKey({self.public.key_id})"


def load_signing_key(path: Path, passphrase_env: str | None = None) -> SigningKey:
    """Read a private key.

    Args:
        path: PEM file that only its owner can read.
        passphrase_env: Name of the environment variable with its passphrase.

    Raises:
        ConfigError: Others can read the file, it is no Ed25519 key, or the passphrase is wrong.
    """
    data = _private_bytes(path)
    if b"PRIVATE KEY" not in data:
        raise ConfigError(f"{path.name} holds no private key", wanted="an Ed25519 key", hint=_MAKE)
    key = _parsed(path, data, _passphrase(passphrase_env))
    if not isinstance(key, Ed25519PrivateKey):
        raise _other_kind(path.name, key)
    return SigningKey(key)


def load_public_key(path: Path) -> PublicKey:
    """Read a key to trust.

    Raises:
        ConfigError: The file cannot be read, or is no public Ed25519 key.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from error
    if b"PRIVATE KEY" in data:
        raise ConfigError(
            f"{path.name} is a private key", wanted="the public key of a signer", hint=_PUBLIC_HALF
        )
    return parse_public_key(data, path.name)


def parse_public_key(data: bytes, name: str) -> PublicKey:
    """A public key from the bytes of a PEM file.

    Raises:
        ConfigError: It is no public Ed25519 key.
    """
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(
            f"{name} is no public key", wanted="an Ed25519 key in PEM", hint=_PUBLIC_HALF
        ) from error
    if not isinstance(key, Ed25519PublicKey):
        raise _other_kind(name, key)
    return PublicKey(key, name)


def _private_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
            data = stream.read(_MAX_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from error
    if mode & 0o077:
        raise ConfigError(
            f"others can read the key {path.name}",
            f"mode {mode:04o}",
            "mode 0600",
            f"chmod 600 {path}, and make a new key if somebody may have read it",
        )
    return data


def _passphrase(variable: str | None) -> bytes | None:
    if variable is None:
        return None
    if variable not in os.environ:
        raise ConfigError(
            f"the environment has no variable {variable!r}", wanted="the key's passphrase in it"
        )
    return os.environ[variable].encode()


def _parsed(path: Path, data: bytes, passphrase: bytes | None) -> Any:  # noqa: ANN401 - any key
    try:
        return load_pem_private_key(data, passphrase)
    except TypeError as error:  # A passphrase where there is none, or none where there is one.
        is_missing = passphrase is None
        raise ConfigError(
            f"the key {path.name} is {'encrypted' if is_missing else 'not encrypted'}",
            hint="name the variable that holds its passphrase with --passphrase-env"
            if is_missing
            else "leave --passphrase-env out",
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(
            f"the key {path.name} cannot be read",
            wanted="an Ed25519 key in PEM and, if it is encrypted, its passphrase",
            hint=_MAKE,
        ) from error


def _unreadable(path: Path, error: OSError) -> ConfigError:
    got = error.strerror or str(error)
    return ConfigError(f"the key {path} cannot be read", got, "an Ed25519 key in PEM", _MAKE)


def _other_kind(name: str, key: object) -> ConfigError:
    kind = type(key).__name__.lstrip("_")
    return ConfigError(f"{name} is a key of another kind", kind, "Ed25519", _MAKE)
