"""Asks of a run that comes from elsewhere what is asked of one that starts here: no secret."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mlops_ray.config.declared_secrets import first_secret
from mlops_ray.config.secret_scan import secrets_in
from mlops_ray.errors import ConfigError, Where
from mlops_ray.manifest.spec import Spec
from mlops_ray.runtime.code import ENGINE, CodeBundle

if TYPE_CHECKING:
    from mlops_ray.manifest.envelope import Envelope
    from mlops_ray.manifest.exported_run import ExportedRun

__all__ = ["check_import"]


def check_import(source: ExportedRun, envelope: Envelope) -> None:
    """Look for secrets in what was declared for a run, its circumstances and its code.

    Args:
        source: The export, verified.
        envelope: Its envelope.

    Raises:
        ConfigError: Something looks like one; its place and kind are named, never the secret.
    """
    spec = source.read(envelope.spec_id)
    for name, data in (("spec", spec), ("envelope", envelope.to_bytes())):
        found = first_secret(json.loads(data))
        if found is not None:
            raise _refusal(found[1], Where(name, key=".".join(map(str, found[0]))))
    for path, line, kind in secrets_in(_project_code(source, envelope, Spec.from_bytes(spec))):
        raise _refusal(kind, Where(path, line))


def _project_code(source: ExportedRun, envelope: Envelope, spec: Spec) -> dict[str, bytes]:
    """The captured files but this package's own; runs of the first versions captured none."""
    archive = next((item for item in envelope.objects if item.role == "code archive"), None)
    piece = source.piece(archive.sha256) if archive else None
    if piece is None:
        return {}
    bundle = CodeBundle.from_archive(b"".join(piece.chunks()), spec.code.tree)
    return {path: data for path, data in bundle.files.items() if not path.startswith(f"{ENGINE}/")}


def _refusal(kind: str, where: Where) -> ConfigError:
    return ConfigError(
        "the run seems to hold a secret",
        kind,
        "a run that may be stored here",
        "let whoever made it remove the secret, replace it, and run the pipeline again",
        where,
    )
