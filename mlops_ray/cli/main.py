"""The command `mlops-ray`: every command is one call of the SDK.

Only typer is imported here; what a command needs comes through `mlops_ray`'s lazy names when the
command runs, so that ``--help`` stays fast.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn

import typer
from typer.core import TyperGroup

from mlops_ray.cli import (
    data,
    endpoint,
    features,
    models,
    monitor,
    plan,
    project,
    reproduce,
    run,
    runs,
    store,
)
from mlops_ray.cli.arguments import check_arguments
from mlops_ray.cli.exit_codes import BUG, INTERRUPTED, IO_ERROR, OK, USAGE, exit_code
from mlops_ray.cli.output import (
    emit_json,
    error_content,
    is_json_wanted,
    say,
)
from mlops_ray.cli.stdout import OutputError, discard_stdout, open_streams, reserve_stdout
from mlops_ray.errors import MlopsRayError
from mlops_ray.runtime.head_watch import handle_lost_head

if TYPE_CHECKING:
    from types import FrameType

    from mlops_ray.errors import ClusterError

__all__ = ["app", "main"]

# What is imported is half a million objects, looked through each time that cycles are looked for.
_OBJECTS_TO_COLLECT: Final = 50_000
_INTERRUPTED = MlopsRayError("interrupted", hint="the same command starts again")


class _InOrder(TyperGroup):
    """Lists commands in the order of a user's first day, not of the alphabet."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002 - click's signature
        return list(self.commands)


app = typer.Typer(
    name="mlops-ray",
    cls=_InOrder,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="From raw data to a tuned, registered, served and monitored model on Ray, "
    "with a manifest that anyone can check.",
)

app.command("init")(project.init)
app.command("check")(project.check)
app.command("doctor")(project.doctor)
app.command("run")(run.run)
app.command("plan")(plan.plan)
app.add_typer(runs.app, name="runs")
app.command("verify")(runs.verify)
app.command("reproduce")(reproduce.reproduce)
app.add_typer(data.app, name="data")
app.add_typer(features.app, name="features")
app.add_typer(models.app, name="models")
app.command("serve")(endpoint.serve)
app.command("deploy")(endpoint.deploy)
app.command("undeploy")(endpoint.undeploy)
app.command("status")(endpoint.status)
app.command("predict")(models.predict)
app.add_typer(monitor.app, name="monitor")
app.add_typer(store.app, name="store")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - only for this flag

        typer.echo(f"mlops-ray {version('mlops-ray')}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True),
) -> None:
    """Hold the options that stand before a command."""


def main() -> NoReturn:
    """Entry point: run the command, report errors, end with the documented exit code."""
    gc.set_threshold(_OBJECTS_TO_COLLECT)
    signal.signal(signal.SIGTERM, _interrupt)
    handle_lost_head(_lost)
    open_streams()
    status = OK
    try:
        if is_json_wanted():
            reserve_stdout()
        status = _outcome()
        sys.stdout.flush()
    except OutputError as error:
        discard_stdout()
        if not error.is_reader_gone:
            say(f"error: {error}")
        status = status or IO_ERROR
    sys.exit(status)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    # SIGTERM ends like Ctrl-C: `with` blocks close, and our own cluster is shut down.
    raise KeyboardInterrupt


def _lost(error: ClusterError) -> NoReturn:
    # In a thread, while the main one waits for an answer that cannot come.
    _report(error)
    sys.stdout.flush()
    os._exit(exit_code(error))


def _outcome() -> int:
    try:
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        check_arguments(sys.argv[1:])
        status = app(standalone_mode=False)
    except MlopsRayError as error:
        _report(error)
        return exit_code(error)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except typer.Exit as ended:
        return ended.exit_code
    except OutputError:
        raise
    except Exception as error:  # noqa: BLE001 - the last line of defence
        return _unforeseen(error)
    if status == INTERRUPTED:  # What typer makes of Ctrl-C.
        return _interrupted()
    return status if isinstance(status, int) else OK


def _interrupted() -> int:
    say("interrupted")
    _emit_error("interrupted", _INTERRUPTED)
    return INTERRUPTED


def _unforeseen(error: Exception) -> int:
    show = getattr(error, "format_message", None)
    if show is not None:  # A usage error of click.
        return _wrong_usage(show(), getattr(error, "ctx", None))
    # Not above: what draws progress comes along.
    from mlops_ray.telemetry.foreign_words import (  # noqa: PLC0415
        foreign_traceback,
        foreign_words,
    )

    say(foreign_traceback(error))
    say("this is a bug in mlops-ray; please report it with the lines above")
    _emit_error("bug", MlopsRayError(foreign_words(error), hint="please report it"))
    return BUG


def _wrong_usage(message: str, context: Any) -> int:  # noqa: ANN401 - click's context
    command = context.command_path if context else "mlops-ray"
    if message.startswith("Usage:"):  # What click says where a group gets no command.
        say(message)
        message = f"{command} needs a command"
    error = MlopsRayError(message.rstrip("."), hint=f"see `{command} --help`")
    say(f"error: {error}")
    _emit_error("usage", error)
    return USAGE


def _report(error: MlopsRayError) -> None:
    for line in str(error).splitlines():
        say(f"error: {line}")
    _emit_error(error.code, error)


def _emit_error(code: str, error: MlopsRayError) -> None:
    if is_json_wanted():
        emit_json("error", error_content(error, code))


if __name__ == "__main__":
    main()
