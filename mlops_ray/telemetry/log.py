"""The log of a run: one JSON object a line, appended and flushed at once.

A line is written by one system call to a file opened for appending, so lines are never mixed and a
killed process loses none but the one it was writing. Newlines inside a message are escaped by JSON,
so a line of the file is always one event.
"""

from __future__ import annotations

import json
import logging
import math
import os
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Self

from mlops_ray.config.secret_formats import redacted

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["RunLog", "RunLogHandler", "quiet_ray_loggers"]

_WORD_LENGTH: Final = 16
# Looking for secrets takes 0.1 ms, and a search says the same few words once a trial.
_redacted_word = lru_cache(maxsize=64)(redacted)
_RAY_LOGGERS: Final = ("ray", "ray.data", "ray.serve", "ray.train", "ray.tune")


class RunLog:
    """An append-only log of JSON lines: `time`, `level`, `stage`, `event`, then its fields.

    Args:
        path: The file; its folder is made.

    Attributes:
        stage: Stage that is running, for the lines to come; empty between stages.

    Example:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "log.jsonl"
        >>> with RunLog(path) as log:
        ...     log.write("started", trials=20)
        >>> json.loads(path.read_text())["trials"]
        20
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.stage = ""
        self._descriptor: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, event: str, *, level: str = "info", **fields: Any) -> None:  # noqa: ANN401
        """Append one event; after `close` nothing happens.

        Args:
            event: What happened, as one stable word.
            level: As `logging` names it, lower case.
            fields: JSON values; anything else is written as its text. What looks like a secret is
                replaced by its kind.
        """
        if self._descriptor is None:
            return
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        values = {name: _json_value(value) for name, value in fields.items()}
        line = {"time": at, "level": level, "stage": self.stage, "event": event, **values}
        # ASCII alone: readers that split at U+2028 or fail at lone surrogates find neither.
        os.write(self._descriptor, (json.dumps(line, default=_text) + "\n").encode("ascii"))

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


class RunLogHandler(logging.Handler):
    """Hands the records of Python's `logging` to a run's log, with their tracebacks.

    Args:
        log: Where they go.
        level: Least level that is written.
    """

    def __init__(self, log: RunLog, level: int = logging.INFO) -> None:
        super().__init__(level)
        self._log = log
        self._tracebacks = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record as the event ``log``."""
        try:
            fields = {"logger": record.name, "text": record.getMessage()}
            if record.exc_info:
                fields["traceback"] = self._tracebacks.formatException(record.exc_info)
            self._log.write("log", level=record.levelname.lower(), **fields)
        except Exception:  # noqa: BLE001 - a log line must never end a run; logging reports it
            self.handleError(record)


def quiet_ray_loggers(level: int = logging.ERROR) -> None:
    """Let Ray's libraries log only from `level` on; call it after they were imported."""
    for name in _RAY_LOGGERS:
        logging.getLogger(name).setLevel(level)


def _text(value: object) -> str:
    return redacted(str(value))


def _json_value(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Without secrets; JSON has no NaN and no infinity, and a strict reader stops at one."""
    if isinstance(value, str):
        return _redacted_word(value) if len(value) <= _WORD_LENGTH else redacted(value)
    if isinstance(value, dict):
        return {name: _json_value(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
