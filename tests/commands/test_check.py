"""`resonance check`: every failure is named with what to do, and the gravest decides the exit code."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from sandbox.faults import Fault
from tests.commands.cli import Called, call
from tests.resonance.house import House, house

TOPIC = '[[topics]]\nslug = "kopi"\nkeywords = ["kopi"]\n'


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory):
    with house(tmp_path_factory.mktemp("check")) as home:
        yield home


@pytest.fixture
def home(shared: House) -> House:
    shared.sandbox.faults.clear()
    return shared


def checked(home: House, tmp_path: Path, *, replace: dict[str, str] | None = None, **options: str) -> Called:
    text = home.write_config(**options).read_text(encoding="utf-8")
    for old, new in (replace or {}).items():
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "c.toml"
    path.write_text(text, encoding="utf-8")
    return call("check", "--config", path, "--json")


def lines(done: Called) -> dict[str, dict[str, object]]:
    return {row["name"]: row for row in map(json.loads, done.out.splitlines())}


def test_all_is_well(home: House, tmp_path: Path) -> None:
    done = checked(home, tmp_path)
    assert done.code == 0, done.out
    assert {"configuration", "database", "sentiment model", "mastodon.sandbox" if False else "x: cost"} <= set(
        lines(done)
    )
    assert all(row["ok"] for row in lines(done).values())
    shown = call("check", "--config", tmp_path / "c.toml")
    assert shown.code == 0 and "ok    configuration" in shown.out and "FAIL" not in shown.out


def test_what_it_asks_is_counted_as_spent(home: House, tmp_path: Path) -> None:
    spent = lambda: {r[0]: tuple(r)[1:] for r in home.store.query("SELECT network, requests, usd FROM spend")}  # noqa: E731
    before = spent()
    assert checked(home, tmp_path, replace={'database = "r.sqlite"': f'database = "{home.store.path}"'}).code == 0
    after = spent()
    assert after["x"][0] - before.get("x", (0, 0))[0] == 2  # a count for each topic
    assert after["x"][1] - before.get("x", (0, 0))[1] == pytest.approx(2 * 0.005)
    assert after["mastodon"][0] > before.get("mastodon", (0, 0))[0]


def test_without_a_token_x_is_left_out_and_that_is_no_failure(home: House, tmp_path: Path) -> None:
    token = f'bearer_token = "{home.sandbox.x_token}"'
    done = checked(home, tmp_path, replace={token: 'bearer_token = "env:NOT_SET_ANYWHERE"'})
    assert done.code == 0 and lines(done)["x"]["told"] == "left out: no bearer token"
    assert "X_BEARER_TOKEN" in str(lines(done)["x"]["remedy"])


def test_a_wrong_token_is_77_and_never_shown(home: House, tmp_path: Path) -> None:
    done = checked(home, tmp_path, replace={home.sandbox.x_token: "wrong-token-s3cret"})
    assert done.code == 77 and lines(done)["x"]["exit_code"] == 77 and lines(done)["x"]["remedy"]
    assert "s3cret" not in done.out + done.err


def test_a_server_that_is_down_is_1(home: House, tmp_path: Path) -> None:
    home.sandbox.faults.add(Fault("status", server="x", status=503))
    done = checked(home, tmp_path)
    assert done.code == 1 and not lines(done)["x"]["ok"]
    with socket.socket() as probe:  # a port where nobody listens
        probe.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{probe.getsockname()[1]}"
    home.sandbox.faults.clear()
    done = checked(home, tmp_path, replace={home.sandbox.mastodon_url: gone})
    failed = [row for row in lines(done).values() if not row["ok"]]
    assert done.code == 1 and len(failed) == 1 and failed[0]["remedy"]


def test_a_mail_server_that_refuses_is_1_and_a_revoked_webhook_is_told(home: House, tmp_path: Path) -> None:
    assert home.sandbox.smtp is not None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    done = checked(home, tmp_path, replace={f"port = {home.sandbox.smtp.port}": f"port = {port}"})
    row = lines(done)["channel mail"]
    assert done.code == 1 and not row["ok"] and "firewall" in str(row["remedy"])


def test_wrong_configuration_is_78(home: House, tmp_path: Path) -> None:
    done = checked(home, tmp_path, topics="topics = []")
    assert done.code == 78 and "[[topics]]" in str(lines(done)["topics"]["remedy"])
    assert call("check", "--config", tmp_path / "nowhere.toml").code == 78
    wrong = checked(home, tmp_path, topics=TOPIC + "keyword = ['typo']\n")
    assert wrong.code == 78 and "topics[0].keyword: there is no such key" in wrong.err
    secret = f'bearer_token = "{home.sandbox.x_token}"'
    unreadable = checked(home, tmp_path, replace={secret: f'bearer_token = "file:{tmp_path}/none"'})
    assert unreadable.code == 78 and "x.bearer_token: the file of this secret cannot be read" in unreadable.err


def test_nothing_to_read_is_78(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(TOPIC)
    done = call("check", "--config", path, "--json")
    assert done.code == 78 and "[[mastodon]]" in str(lines(done)["sources"]["remedy"])


def test_the_gravest_decides_and_a_broken_database_hides_nothing(home: House, tmp_path: Path) -> None:
    (tmp_path / "broken.sqlite").write_bytes(b"rubbish" * 999)
    database = 'database = "r.sqlite"'
    done = checked(home, tmp_path, replace={database: 'database = "broken.sqlite"', home.sandbox.x_token: "wrong"})
    told = lines(done)
    assert done.code == 77 and not told["database"]["ok"] and not told["x"]["ok"] and told["channel team"]["ok"]


def test_a_model_that_is_not_there_is_told(home: House, tmp_path: Path) -> None:
    done = checked(home, tmp_path, extra='[model]\nname = "/no/such/folder"')
    assert done.code == 1 and not lines(done)["sentiment model"]["ok"]
