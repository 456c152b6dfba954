"""`resonance init`, and what it writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from config import load
from tests.commands.cli import call


def test_it_writes_a_configuration_that_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = call("init")
    assert done.code == 0 and "resonance check" in done.out
    settings = load(Path("resonance.toml"))
    assert [t.slug for t in settings.topics] == ["coffee"] and settings.networks == {"mastodon"}
    assert settings.channels == () and settings.x.bearer_token is None


def test_it_overwrites_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("mine")
    done = call("init", path)
    assert done.code == 1 and "was left as it is" in done.err
    assert path.read_text() == "mine"


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    done = call("init", tmp_path / "no" / "r.toml")
    assert done.code == 1 and "Check the path" in done.err
