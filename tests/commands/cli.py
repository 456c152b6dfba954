"""The command line as a person calls it: in this process where that is enough, in one of its own where it is not."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import structlog
from click.testing import CliRunner

from resonance.cli import cli
from resonance.errors import explain

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Called:
    """How a call went; `err` ends with the sentence that `main` prints for an expected error."""

    code: int
    out: str
    err: str


def call(*arguments: object, env: dict[str, str] | None = None) -> Called:
    """Run `resonance ARGUMENTS` here. A bug raises, as it would end in a traceback."""
    result = CliRunner(env=env).invoke(cli, [str(a) for a in arguments])
    structlog.reset_defaults()  # its log went into the runner's streams, which are closed now
    code, err = result.exit_code, result.stderr
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        told = explain(result.exception)
        if told is None:
            raise result.exception
        code, err = told.exit_code, f"{err}resonance: {told.text}\n"
    return Called(code, result.stdout, err)


def process(*arguments: object, cwd: Path | None = None, **options: object) -> subprocess.Popen[str]:
    """`resonance ARGUMENTS` as a process of its own; it hears Ctrl-C though a shell started us in the background."""
    hears = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    return subprocess.Popen(
        [sys.executable, "-c", f"{hears}; from resonance.cli import main; main()", *map(str, arguments)],
        cwd=cwd or ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    )
