"""Checks that the documents of a run agree with each other and with the list of objects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from mlops_ray.errors import DigestMismatchError, ManifestError, StoreError
from mlops_ray.manifest.document import Document
from mlops_ray.manifest.file_tree import TreeFile, archive_differences, parse_tree
from mlops_ray.manifest.result import Result
from mlops_ray.manifest.spec import Spec
from mlops_ray.manifest.verification import Problem

if TYPE_CHECKING:
    from mlops_ray.manifest.envelope import Envelope, ObjectFacts
    from mlops_ray.manifest.run_source import RunSource

__all__ = ["CODE_ARCHIVE", "bundle_files", "document_problems"]

CODE_ARCHIVE: Final = "code archive"
_UNREADABLE: Final = (DigestMismatchError, ManifestError, StoreError)
D = TypeVar("D", bound=Document)


@dataclass(slots=True)
class _Documents:
    """Reads the documents that are whole, and remembers what does not agree."""

    source: RunSource
    envelope: Envelope
    damaged: frozenset[str]
    problems: list[Problem] = field(default_factory=list)

    def listed(self) -> dict[str, ObjectFacts]:
        return {item.sha256: item for item in self.envelope.objects}

    def wrong(self, name: str, role: str, expected: str, got: str) -> None:
        self.problems.append(Problem(name, role, expected, got))

    def bytes_of(self, role: str, name: str) -> bytes | None:
        """The bytes of a listed, whole object; None where a problem tells why there are none."""
        if name not in self.listed():
            self.wrong(name, role, "listed in the envelope", "not listed")
            return None
        try:
            return None if name in self.damaged else self.source.read(name)
        except _UNREADABLE as error:
            self.wrong(name, role, "readable", str(error))
            return None

    def document(self, role: str, name: str, kind: type[D]) -> D | None:
        data = self.bytes_of(role, name)
        try:
            return None if data is None else kind.from_bytes(data)
        except _UNREADABLE as error:
            self.wrong(name, role, "readable", str(error))
            return None

    def tree(self, role: str, name: str) -> list[TreeFile] | None:
        data = self.bytes_of(role, name)
        try:
            return None if data is None else parse_tree(data)
        except _UNREADABLE as error:
            self.wrong(name, role, "readable", str(error))
            return None


def document_problems(
    source: RunSource, envelope: Envelope, damaged: frozenset[str]
) -> list[Problem]:
    """What is wrong with the documents of a run.

    Args:
        source: Where they lie.
        envelope: Already verified.
        damaged: Objects that are named as damaged or missing already.
    """
    documents = _Documents(source, envelope, damaged)
    spec = documents.document("spec", envelope.spec_id, Spec)
    _check_ids(documents)
    _check_listed(documents, {"log": envelope.log})
    if envelope.lock is not None:
        _check_listed(documents, {"lock": envelope.lock})
    if spec is not None:
        _check_code(documents, spec.code.tree)
    if envelope.result_id is not None:
        result = documents.document("result", envelope.result_id, Result)
        if result is not None:
            _check_result(documents, result)
    return documents.problems


def bundle_files(source: RunSource, bundle: str) -> dict[str, str]:
    """Digests of a model's files by path.

    Raises:
        ManifestError: The object is damaged or is not the tree of a bundle.
    """
    return {file.path: file.sha256 for file in parse_tree(source.read(bundle))}


def _check_ids(documents: _Documents) -> None:
    """The envelope says twice which object is the spec and which the result."""
    envelope = documents.envelope
    for role, wanted in (("spec", envelope.spec_id), ("result", envelope.result_id)):
        for item in envelope.objects:
            if item.role == role and item.sha256 != wanted:
                documents.wrong(item.sha256, role, str(wanted), "another id in the envelope")
    if envelope.state == "sealed" and envelope.result_id is None:
        documents.wrong("result_id", "result", "the id of a result", "none in a sealed run")


def _check_listed(documents: _Documents, named: dict[str, str]) -> None:
    listed = documents.listed()
    for role, name in named.items():
        if name not in listed:
            documents.wrong(name, role, "listed in the envelope", "not listed")


def _check_result(documents: _Documents, result: Result) -> None:
    named = {"trials": result.search.trials, "baseline": result.baseline}
    if result.contract is not None:
        named["contract"] = result.contract.outcome
    named |= {f"evidence of gate {gate.metric}": gate.evidence for gate in result.gates}
    _check_listed(documents, named)
    listed = documents.listed()
    for stage in result.stages:
        for output, name in stage.outputs.items():
            # Most outputs are digests of values; one that has bytes must travel with the run.
            if name not in listed and _has(documents.source, name):
                documents.wrong(name, f"{stage.name} {output}", "listed", "not listed")
    for file in documents.tree("bundle", result.model.bundle) or ():
        item = listed.get(file.sha256)
        if item is None:
            documents.wrong(file.sha256, f"bundle {file.path}", "listed", "not listed")
        elif item.size_bytes != file.size_bytes:
            sizes = f"{file.size_bytes} bytes", f"{item.size_bytes} bytes"
            documents.wrong(file.sha256, f"bundle {file.path}", *sizes)


def _check_code(documents: _Documents, tree: str) -> None:
    files = documents.tree("code tree", tree)
    archives = [item.sha256 for item in documents.envelope.objects if item.role == CODE_ARCHIVE]
    if len(archives) != 1:
        documents.wrong(tree, CODE_ARCHIVE, "one archive in the envelope", str(len(archives)))
        return
    data = documents.bytes_of(CODE_ARCHIVE, archives[0])
    if files is None or data is None:
        return
    for path, expected, got in archive_differences(files, data):
        documents.wrong(archives[0], f"{CODE_ARCHIVE} {path}", expected, got)


def _has(source: RunSource, name: str) -> bool:
    try:
        return source.has(name)
    except ManifestError:  # Not every output is a digest.
        return False
