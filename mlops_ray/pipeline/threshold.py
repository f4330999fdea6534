"""From which size on the input is read by Ray Data rather than by the driver."""

from __future__ import annotations

import os
from typing import Final

from mlops_ray.errors import ConfigError

__all__ = ["IN_PROCESS_BELOW_BYTES", "threshold_bytes"]

# Below it Ray Data's fixed cost of some seconds would be most of the time; answers are the same.
IN_PROCESS_BELOW_BYTES: Final = 256 * 2**20
_VARIABLE: Final = "MLOPS_RAY_IN_PROCESS_BELOW_BYTES"


def threshold_bytes(given: int | None) -> int:
    """What was given, else what the environment says, else the default.

    Raises:
        ConfigError: The variable holds no number.
    """
    if given is not None:
        return given
    text = os.environ.get(_VARIABLE, str(IN_PROCESS_BELOW_BYTES))
    if not text.isdecimal():
        raise ConfigError(f"{_VARIABLE} must be a number of bytes", repr(text))
    return int(text)
