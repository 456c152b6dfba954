"""The command `resonance`: its verbs, loaded only when they are called."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from resonance import __version__
from resonance.errors import explain


class LazyGroup(click.Group):
    """A group whose commands are imported when they are needed, so that `--help` answers at once."""

    def __init__(self, *args: object, lazy: dict[str, str], **kwargs: object) -> None:
        """`lazy` maps a verb to `module:function`."""
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Verbs in the order in which they were declared."""
        return [*self.lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command behind a verb, imported now."""
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, _, name = self.lazy[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


VERBS = {
    "demo": "resonance.commands.demo:demo",
    "init": "resonance.commands.init:init",
    "check": "resonance.commands.check:check",
    "run": "resonance.commands.run:run",
    "status": "resonance.commands.status:status",
    "import": "resonance.commands.import_:import_",
    "analyse": "resonance.commands.analyse:analyse",
    "alerts": "resonance.commands.alerts:alerts",
    "picture": "resonance.commands.picture:picture",
}


@click.group(
    cls=LazyGroup,
    lazy=VERBS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog="Start with `resonance demo`, then `resonance init && resonance check && resonance run`.",
)
@click.version_option(__version__, prog_name="resonance")
def cli() -> None:
    """Watch what people say about your topics, and learn early, with evidence, what moves which community."""


def main() -> None:
    """Run the command line; every expected error becomes one sentence and an exit code."""
    try:
        code = cli.main(standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        told = explain(error)
        if told is None:
            raise
        print(f"resonance: {told.text}", file=sys.stderr)
        sys.exit(told.exit_code)
    sys.exit(code if isinstance(code, int) else 0)
