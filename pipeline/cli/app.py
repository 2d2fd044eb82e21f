"""The command `pipeline`: its subcommands, and the one place where an error becomes a sentence and an exit code."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from typing import Annotated, NoReturn

import typer

from pipeline import __version__
from pipeline.cli.lazy import LazyCommands
from pipeline.cli.signals import InterruptError, StopNowError, ignore_signals, interrupt_on_signals
from pipeline.errors import PipelineError, TryAgainError

EXIT_CODES = """Exit codes: 0 complete; 2 job or schema wrong; 3 engine; 4 output; 5 committed, but a gate failed;
70 a bug; 75 try again: another run holds the output folder, or this one was asked to end (what is whole is committed,
and the next start does the rest)."""
_STOPPED_AT_ONCE = """stopped at once: this run committed nothing (a commit that had begun is finished by the next
start). The output folder's journal/ keeps the documents and answers that were flushed; the next start goes on there."""

app = typer.Typer(
    cls=LazyCommands,
    help="Turn long documents into typed rows, with vLLM, offline.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"pipeline {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Turn long documents into typed rows, with vLLM, offline."""


def main() -> NoReturn:
    """Run the command line and end the process with the exit code that tells the truth."""
    interrupt_on_signals()
    try:
        app()
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader went away: nothing left to say
        sys.exit(0)
    except StopNowError:
        print(_STOPPED_AT_ONCE, file=sys.stderr)
        sys.exit(TryAgainError.exit_code)
    except InterruptError:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except Exception as error:  # noqa: BLE001  the last line of defence: a sentence here, the traceback in a file
        print(f"error: a bug in pipeline {__version__}: {_crash_report(error)}", file=sys.stderr)
        sys.exit(PipelineError.exit_code)
    finally:
        ignore_signals()
    sys.exit(0)


def _crash_report(error: Exception) -> str:
    with tempfile.NamedTemporaryFile("w", prefix="pipeline-crash-", suffix=".log", delete=False) as file:
        traceback.print_exception(error, file=file)
    return f"{type(error).__name__}: {error}. Please report it with the file {file.name}"
