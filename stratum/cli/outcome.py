"""How a command ends: its exit code, and what an operator reads on stderr.

0 done, 1 failed, 2 usage or config (DESIGN §5). Whoever is at fault outside this program gets
one line and no traceback; a traceback means a bug of ours.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer

from stratum.errors import BaseloadError, ConfigError, Problem

DONE = 0
FAILED = 1
MISUSED = 2


@contextmanager
def reported() -> Iterator[None]:
    """Turn the errors that are not ours into a message and an exit code.

    Ctrl-C is how a server is stopped by hand: done, not failed.
    """
    try:
        yield
    except ConfigError as exc:
        show_problems(exc.problems)
        raise typer.Exit(MISUSED) from exc
    except KeyboardInterrupt as exc:
        raise typer.Exit(DONE) from exc
    except BrokenPipeError as exc:
        _forget_stdout()
        raise typer.Exit(FAILED) from exc
    except (BaseloadError, OSError) as exc:
        typer.echo(f"baseload: {_sentence(exc)}", err=True)
        raise typer.Exit(FAILED) from exc


def show_problems(problems: Sequence[Problem]) -> None:
    """One line `key: fault (remedy)` each, then how many there are."""
    for problem in problems:
        typer.echo(str(problem), err=True)
    typer.echo(count(problems), err=True)


def count(problems: Sequence[Problem]) -> str:
    """`1 problem`, `5 problems`."""
    return f"{len(problems)} problem{'' if len(problems) == 1 else 's'}"


def _sentence(exc: Exception) -> str:
    """An OSError without its number and brackets; asyncio's own text names the address."""
    if not isinstance(exc, OSError) or not exc.strerror:
        return str(exc) or type(exc).__name__
    return f"{exc.filename}: {exc.strerror}" if exc.filename else exc.strerror


def _forget_stdout() -> None:
    """The reader of our output has left; the interpreter must not fail on its last flush."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
