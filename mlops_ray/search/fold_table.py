"""How many rows each fold is fitted and scored on, as a run keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mlops_ray.errors import ManifestError
from mlops_ray.manifest.canonical import canonical_bytes, from_canonical

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_ray.search.folds import Fold

__all__ = ["FOLDS_SCHEMA", "fold_table", "n_scored_rows"]

FOLDS_SCHEMA: Final = "mlops-ray/folds/v1"


def fold_table(folds: Sequence[Fold], n_folds: int) -> bytes:
    """The sizes of all folds, those of the first repeat first.

    Args:
        folds: What was dealt.
        n_folds: Folds of one repeat.
    """
    sizes = [
        {
            "repeat": at // n_folds,
            "fold": at % n_folds,
            "n_train": int(fold.train.size),
            "n_valid": int(fold.valid.size),
        }
        for at, fold in enumerate(folds)
    ]
    return canonical_bytes({"schema": FOLDS_SCHEMA, "folds": sizes})


def n_scored_rows(data: bytes) -> int:
    """Rows that any fold is scored on; each of them once a repeat.

    Raises:
        ManifestError: The bytes are no table of folds.
    """
    content = from_canonical(data)
    if not isinstance(content, dict) or content.get("schema") != FOLDS_SCHEMA:
        raise ManifestError("not folds this version can read", wanted=FOLDS_SCHEMA)
    return sum(int(fold["n_valid"]) for fold in content["folds"] if fold["repeat"] == 0)
