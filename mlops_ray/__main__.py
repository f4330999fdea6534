"""The command ``mlops-ray``, which ``python -m mlops_ray`` is as well.

What the command consists of takes half a second to import. Ctrl-C is answered meanwhile as it is
afterwards; nothing has begun yet, so the process ends at once.
"""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False  # Not from `typing`: until `main` has begun, Python itself answers Ctrl-C.
if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn

_STATUS = 130
_LINE = (
    b'{"schema": "mlops-ray/error/v1", "code": "interrupted", "message": "interrupted; the same '
    b'command starts again", "where": {"file": null, "line": null, "column": null, "key": null}, '
    b'"got": "", "wanted": "", "hint": "the same command starts again"}\n'
)


def main() -> NoReturn:
    """Entry point: import the command, and run it."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # As it is behind `nohup`.
        signal.signal(signal.SIGINT, _end)
    # A run that starts anew from captured code has held the signal back meanwhile.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    from mlops_ray.cli.main import main as command  # noqa: PLC0415 - this is what takes its time

    command()


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    os.write(2, b"interrupted\n")
    if "--json" in sys.argv:
        os.write(1, _LINE)
    os._exit(_STATUS)


if __name__ == "__main__":
    main()
