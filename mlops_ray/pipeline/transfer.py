"""Runs on their way: checked, signed, taken out of a store and brought into another.

The library for signatures is loaded only where a key is named or a signature is found.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlops_ray.manifest import Trust, verify_export, verify_run
from mlops_ray.manifest.archive import Exported, export_run
from mlops_ray.manifest.archive_import import Imported, import_run
from mlops_ray.pipeline.unfinished_run import find_ended_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.manifest import RunRecord, Verification
    from mlops_ray.manifest.signing_key import PublicKey
    from mlops_ray.storage import Workspace

__all__ = ["Exported", "Imported", "export_run", "import_run", "sign_run", "verify"]


def verify(
    workspace: Workspace,
    target: str | Path,
    keys: Sequence[str | Path] = (),
    *,
    require_signature: bool = False,
) -> Verification:
    """Check a run of a store, an exported folder or a tar.

    Args:
        workspace: Whose store to look in.
        target: A path that exists, else the id of a run, its beginning, or ``latest``.
        keys: Public keys of signers to trust (PEM).
        require_signature: Name it as a problem where none of them signed this run.

    Raises:
        NotFoundError: No path and no run, or more than one run, fits.
        ManifestError: The run has not ended, or the path is not an export.
        ConfigError: A key cannot be used.
    """
    trust = Trust(_loaded(keys), is_required=require_signature)
    if Path(target).exists():
        return verify_export(Path(target), trust)
    return verify_run(find_ended_run(workspace, str(target)), trust)


def sign_run(record: RunRecord, key: Path, passphrase_env: str | None = None) -> str:
    """Sign a run; see `manifest.signing`."""
    from mlops_ray.manifest import signing  # noqa: PLC0415 - see above

    return signing.sign_run(record, key, passphrase_env)


def _loaded(keys: Sequence[str | Path]) -> list[PublicKey]:
    if not keys:
        return []
    from mlops_ray.manifest.signing_key import load_public_key  # noqa: PLC0415 - see above

    return [load_public_key(Path(key)) for key in keys]
