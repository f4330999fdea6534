"""Seeds for every random draw, derived from one root by a path of names.

A draw is identified by what it is for (``derive(seed, "search", "trial", 7)``), never by when or
where it happens, so that no order of completion and no number of workers can change it.
"""

from __future__ import annotations

import hashlib
import json
from typing import Final

__all__ = ["SEED_RULE", "derive"]

SEED_RULE: Final = "mlops-ray/seed/v1"  # Names this rule in a spec; another rule, another name.


def derive(root: int, *path: str | int) -> int:
    """A seed in ``[0, 2**63)`` that depends on `root` and `path` and on nothing else.

    Args:
        root: The pipeline's root seed.
        path: Names and indices from the general to the particular; ``"1"`` and ``1`` differ, and
            so do ``("a", "b")`` and ``("ab",)``.

    Example:
        >>> derive(7, "search", 0) == derive(7, "search", 0)
        True
        >>> derive(7, "search", 0) == derive(7, "search", 1)
        False
    """
    text = json.dumps([SEED_RULE, root, *path])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
