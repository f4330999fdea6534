"""What the three documents of a manifest share: strict authors, tolerant readers, one identity."""

from __future__ import annotations

from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from mlops_ray.errors import ManifestError
from mlops_ray.manifest.canonical import canonical_bytes, from_canonical
from mlops_ray.storage import digest

__all__ = ["SCHEMA_VERSION", "Document", "Part"]

SCHEMA_VERSION: Final = "1.0"  # major: meaning changed; minor: a field was added.


class Part(BaseModel):
    """A part of a document. Unknown fields, written by a later minor version, are kept."""

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)


class Document(Part):
    """One of the three documents: canonical JSON whose SHA-256 is its id and its name in a store.

    Attributes:
        schema_: Kind of the document, such as ``mlops-ray/spec/v1``.
        schema_version: ``major.minor`` of its layout.
    """

    schema_: str
    schema_version: str = SCHEMA_VERSION

    def to_json(self) -> dict[str, Any]:
        """Plain JSON value; absent optional fields are left out, so that absent has one form."""
        content = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        content["schema"] = content.pop("schema_")
        return content

    def to_bytes(self) -> bytes:
        """Canonical bytes."""
        return canonical_bytes(self.to_json())

    @property
    def digest(self) -> str:
        """Identity of the document."""
        return digest(self.to_bytes())

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a document of this or a later minor version.

        Raises:
            ManifestError: Not JSON, of another kind or of another major version, or incomplete.
        """
        content = from_canonical(data)
        wanted = cls.model_fields["schema_"].default
        if not isinstance(content, dict) or content.get("schema") != wanted:
            got = content.get("schema") if isinstance(content, dict) else type(content).__name__
            raise ManifestError("document of another kind", repr(got), wanted)
        content["schema_"] = content.pop("schema")
        major = str(content.get("schema_version", "")).partition(".")[0]
        if major != SCHEMA_VERSION.partition(".")[0]:
            raise ManifestError(
                f"{wanted} of an unknown major version",
                repr(content.get("schema_version")),
                SCHEMA_VERSION,
                "read it with the version of mlops-ray that wrote it, or a later one",
            )
        try:
            return cls.model_validate(content, extra="allow")
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise ManifestError(f"{wanted}: {place}", first["msg"]) from None
