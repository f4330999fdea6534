"""A bundle: the files of one model, and the tree of their digests that names it.

Files and tree are objects of the store. Loading checks the tree's digest, then each file's, and
only then hands out bytes, so that nothing is parsed before its digest was checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mlops_ray.errors import DigestMismatchError, ManifestError
from mlops_ray.manifest.canonical import canonical_bytes, digest_json, from_canonical
from mlops_ray.storage import digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlops_ray.storage import ObjectStore

__all__ = [
    "BUNDLE_SCHEMA",
    "FEATURES_FILE",
    "GOLDEN_FILE",
    "SIGNATURE_FILE",
    "Bundle",
    "load_bundle",
    "tree_of",
]

BUNDLE_SCHEMA: Final = "mlops-ray/bundle/v1"
FEATURES_FILE: Final = "features.json"
SIGNATURE_FILE: Final = "signature.json"
GOLDEN_FILE: Final = "golden.json"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model as named files: feature state, signature, golden examples and the estimator.

    Attributes:
        files: Content by file name.

    Example:
        >>> Bundle({"signature.json": b"{}"}).tree()["files"][0]["size"]
        2
    """

    files: Mapping[str, bytes]

    def tree(self) -> dict[str, Any]:
        """Sorted paths, sizes and digests: the document whose digest names the bundle."""
        return tree_of(self.files)

    @property
    def digest(self) -> str:
        """Digest of the tree, also its name in the object store."""
        return digest_json(self.tree())

    @property
    def model_files(self) -> dict[str, bytes]:
        """The estimator's own files."""
        shared = {FEATURES_FILE, SIGNATURE_FILE, GOLDEN_FILE}
        return {path: data for path, data in self.files.items() if path not in shared}

    def file(self, path: str) -> bytes:
        """Content of one file.

        Raises:
            ManifestError: The bundle has no such file.
        """
        try:
            return self.files[path]
        except KeyError:
            raise ManifestError(
                f"the bundle has no file {path!r}", wanted=f"one of {sorted(self.files)}"
            ) from None

    def save(self, store: ObjectStore) -> str:
        """Put the files, then the tree; returns the bundle's digest."""
        for data in self.files.values():
            store.put(data)
        return store.put(canonical_bytes(self.tree()))


def tree_of(files: Mapping[str, bytes]) -> dict[str, Any]:
    """Sorted paths, sizes and digests of some files."""
    entries = [
        {"path": path, "size": len(data), "sha256": digest(data)}
        for path, data in sorted(files.items())
    ]
    return {"schema": BUNDLE_SCHEMA, "files": entries}


def load_bundle(store: ObjectStore, bundle: str) -> Bundle:
    """Read a bundle whose tree has the digest `bundle`.

    Raises:
        DigestMismatchError: The tree or a file is missing or damaged; the message names it.
        ManifestError: The object is not a bundle's tree, or of an unknown version.
    """
    entries = _entries(store.get(bundle))
    return Bundle({path: _verified(store, path, entry) for path, entry in entries.items()})


def _entries(data: bytes) -> dict[str, dict[str, Any]]:
    tree = from_canonical(data)
    if not isinstance(tree, dict) or tree.get("schema") != BUNDLE_SCHEMA:
        got = tree.get("schema") if isinstance(tree, dict) else type(tree).__name__
        raise ManifestError("not a bundle this version can read", repr(got), BUNDLE_SCHEMA)
    try:
        entries = {str(entry["path"]): dict(entry) for entry in tree["files"]}
    except (KeyError, TypeError, ValueError) as error:
        raise ManifestError("the bundle's tree is malformed", repr(error)) from error
    if len(entries) != len(tree["files"]):
        raise ManifestError("the bundle's tree names a file twice")
    return entries


def _verified(store: ObjectStore, path: str, entry: Mapping[str, Any]) -> bytes:
    try:
        return store.get(entry["sha256"])
    except KeyError:
        raise ManifestError(f"the bundle's tree has no digest for {path!r}") from None
    except DigestMismatchError as error:
        raise DigestMismatchError(
            f"bundle file {path!r}: {error.what}", error.got, error.wanted, error.hint
        ) from error
