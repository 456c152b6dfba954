"""Documentation under test: no command without help and an example, none that the readers' pages leave out."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from resonance.cli import VERBS, cli
from tests.commands.cli import call, process

ROOT = Path(__file__).parent.parent.parent
ROOMS = {"config", "store", "collector", "analysis", "alerts", "resonance", "sandbox"}


def commands(group: click.Command = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, group
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            yield from commands(command, (*path, name))


ALL = list(commands())
NAMES = [" ".join(path) or "resonance" for path, _ in ALL]
LEAVES = [path for path, command in ALL if path and not isinstance(command, click.Group)]


@pytest.mark.parametrize(("path", "command"), ALL, ids=NAMES)
def test_every_command_has_help_and_an_example(path: tuple[str, ...], command: click.Command) -> None:
    done = call(*path, "--help")
    assert done.code == 0 and done.err == ""
    assert command.help and len(command.help.split()) > 3
    assert f"resonance {' '.join(path)}".strip() in (command.epilog or ""), "an example of the very command"
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.name != "help":
            assert parameter.help, f"{parameter.name} has no help"


@pytest.mark.parametrize("page", ["README.md", "README.ja.md"])
def test_every_command_is_in_the_readme(page: str) -> None:
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    missing = [" ".join(path) for path in LEAVES if not any(_tells(line, path) for line in lines)]
    assert missing == []


def _tells(line: str, path: tuple[str, ...]) -> bool:
    """The command in full, or the row of its group with its name."""
    return f"resonance {' '.join(path)}" in line or (f"`resonance {path[0]}`" in line and f"`{path[-1]}`" in line)


def test_examples_use_options_that_exist() -> None:
    for path, command in ALL:
        for used in re.findall(r"(?<!\S)--[a-z-]+", command.epilog or ""):
            known = {option for _, other in ALL for p in other.params for option in p.opts}
            assert used in known, f"{path}: {used}"


def test_the_verbs_are_those_of_the_contract() -> None:
    assert set(VERBS) == {"init", "check", "run", "status", "demo", "import", "analyse", "alerts", "picture"}
    group = dict(ALL)
    assert set(group[("analyse",)].list_commands(click.Context(cli))) == {  # type: ignore[attr-defined]
        "sentiment", "spikes", "cascades", "influence", "coordination",
    }  # fmt: skip
    assert {"list", "show", "ack", "resolve", "resend", "feedback", "test"} <= set(
        group[("alerts",)].list_commands(click.Context(cli))  # type: ignore[attr-defined]
    )


def test_wrong_usage_is_2_and_help_loads_little() -> None:
    assert call("import").code == 2 and call("nonsense").code == 2
    assert call("run", "--nonsense").code == 2
    assert call("--version").out.startswith("resonance, version")


def test_main_ends_as_it_should() -> None:
    failed = process("check", "--config", "/no/such/file.toml")
    out, err = failed.communicate(timeout=60)
    assert (failed.returncode, out) == (78, "") and err.startswith("resonance: /no/such/file.toml is not there.")
    assert "Traceback" not in err


def test_nothing_that_is_installed_takes_our_rooms_names() -> None:
    locked = (ROOT / "requirements" / "runtime.txt").read_text()
    wanted = {
        re.sub(r"[-_.]+", "-", name).lower() for name in re.findall(r"^([A-Za-z0-9._-]+)==", locked, re.MULTILINE)
    }
    taken: dict[str, str] = {}
    looked_at = 0
    for distribution in importlib.metadata.distributions():
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
        if name not in wanted:
            continue
        looked_at += 1
        tops = {Path(str(f)).parts[0].removesuffix(".py") for f in distribution.files or () if ".." not in str(f)}
        taken |= dict.fromkeys(tops & ROOMS, name)
    assert taken == {} and looked_at > 30
