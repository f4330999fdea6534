"""A run that has lost the head of its cluster waits for it and goes on by itself.

Ray cannot join a second cluster once the first is gone: its threads wait for what does not come,
and end the process at last. So the command takes its own place, as it does when it starts from
captured code, and finds in the store what was finished.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Final

from mlops_ray.cli.output import say
from mlops_ray.cli.stdout import release_stdout
from mlops_ray.runtime.address import head_timeout_s
from mlops_ray.runtime.head_watch import handle_lost_head

if TYPE_CHECKING:
    from pathlib import Path
    from typing import NoReturn

    from mlops_ray.errors import ClusterError

__all__ = ["go_on_with_next_head", "start_again"]

# A command whose own work ends every head must not do so for ever.
_MOST: Final = 10
_LOST: Final = "MLOPS_RAY_HEADS_LOST"


def go_on_with_next_head() -> None:
    """Start this command again where its head is lost, if it is to wait for one; ten times at most.

    Raises:
        ConfigError: What is to be waited is no time.
    """
    from mlops_ray.runtime.relaunch import running_bundle  # noqa: PLC0415 - for `--help`

    n_lost, folder = int(os.environ.pop(_LOST, "0")), running_bundle()
    if head_timeout_s() > 0 and n_lost < _MOST and folder is not None:
        handle_lost_head(lambda error: _go_on(error, n_lost + 1, folder))


def _go_on(error: ClusterError, n_lost: int, folder: Path) -> NoReturn:
    say(f"{error.what}: {error.got}")
    say(f"waiting for it, {head_timeout_s():g} s at most; then the run goes on where it was")
    os.environ[_LOST] = str(n_lost)
    start_again(folder)


def start_again(folder: Path) -> NoReturn:
    """Replace this process by the same command with code from an extracted bundle."""
    from mlops_ray.runtime.relaunch import execute  # noqa: PLC0415 - for `--help`

    release_stdout()
    # Python would print a traceback while it starts; `mlops_ray.__main__` lets it through.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    execute(folder, ["-m", "mlops_ray", *sys.argv[1:]])
