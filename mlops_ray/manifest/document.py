"""What the documents of a manifest share: strict authors, tolerant readers, one identity.

The identity of a document is the digest of the bytes that were written. A document that was read
keeps those bytes, so a reader that knows fewer fields, or other optional ones, gives the same id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError

from mlops_ray.errors import ManifestError
from mlops_ray.manifest.canonical import canonical_bytes, from_canonical
from mlops_ray.storage import digest

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MAJOR_VERSION", "Document", "Part", "json_name"]

MAJOR_VERSION: Final = "1"  # A reader refuses any other; docs/decisions/0007 says when it changes.


def json_name(field: str) -> str:
    """Name of a field in JSON: an underscore at the end only keeps clear of a name in Python.

    Example:
        >>> json_name("schema_")
        'schema'
    """
    return field.removesuffix("_")


class Part(BaseModel):
    """A part of a document. Unknown fields, written by a later minor version, are kept."""

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        populate_by_name=True,
        alias_generator=json_name,
        ser_json_inf_nan="constants",
    )


class Document(Part):
    """A document: canonical JSON whose SHA-256 is its id and its name in a store.

    Two documents are equal when their bytes are.

    Attributes:
        schema_: Kind of the document, such as ``mlops-ray/spec/v1``.
        schema_version: ``major.minor`` of its layout; each kind counts its own.
    """

    schema_: str
    schema_version: str = "1.0"
    _original: bytes | None = PrivateAttr(default=None)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON value; absent optional fields are left out, so that absent has one form.

        Of a document that was read, it is what was written, unknown fields included.
        """
        if self._original is not None:
            return dict(from_canonical(self._original))
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def to_bytes(self) -> bytes:
        """The bytes that were read; canonical ones of a document that was made here."""
        return canonical_bytes(self.to_json()) if self._original is None else self._original

    @property
    def digest(self) -> str:
        """Identity of the document."""
        return digest(self.to_bytes())

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.to_bytes() == self.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy; with another field it is another document, with its own bytes."""
        copy = super().model_copy(update=update, deep=deep)
        if update:
            copy._original = None  # noqa: SLF001 - of this class
        return copy

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a document of this or another minor version.

        Raises:
            ManifestError: Not JSON, of another kind or of another major version, or incomplete.
        """
        content = from_canonical(data)
        wanted = cls.model_fields["schema_"].default
        if not isinstance(content, dict) or content.get("schema") != wanted:
            got = content.get("schema") if isinstance(content, dict) else type(content).__name__
            raise ManifestError("document of another kind", repr(got), wanted)
        major = str(content.get("schema_version", "")).partition(".")[0]
        if major != MAJOR_VERSION:
            raise ManifestError(
                f"{wanted} of an unknown major version",
                repr(content.get("schema_version")),
                cls.model_fields["schema_version"].default,
                "read it with the version of mlops-ray that wrote it, or a later one",
            )
        try:
            document = cls.model_validate(content, extra="allow")
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise ManifestError(f"{wanted}: {place}", first["msg"]) from None
        document._original = bytes(data)  # noqa: SLF001 - of this class
        return document
