"""`resonance run --once`: one cycle, its exit code, and not a word of a secret anywhere."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sandbox.faults import Fault
from store import Store
from tests.commands.cli import Called, call
from tests.resonance.house import House, house

SECRETS = ("tok-en-Zz91", "hook-Zz92", "mail-Zz93", "masto-Zz94")


@pytest.fixture
def home(tmp_path: Path):
    with house(tmp_path) as found:
        found.now = datetime.now(UTC)
        yield found


def once(home: House, **options: str) -> Called:
    return call("run", "--once", "--config", home.write_config(**options))


def test_one_cycle_and_what_each_job_did(home: House) -> None:
    home.post("100", "kopi おいしい", -5)
    home.post("900", "#kopi おいしい", -4)
    done = once(home)
    assert done.code == 0, done
    jobs = dict(line.split(None, 1) for line in done.out.splitlines())
    assert jobs["collect:x"].startswith("1 new posts") and jobs["score"] == "2 posts scored"
    assert {"analyse", "alert", "deliver"} <= set(jobs)
    assert "おいしい" not in done.err + done.out
    assert home.count("sentiments") == 2 and home.store.one("SELECT SUM(posts) FROM topic_hours") == 2
    again = once(home)
    assert again.code == 0 and home.count("posts") == 2


def test_77_when_only_authorisation_failed_else_1(home: House) -> None:
    home.sandbox.faults.add(Fault("status", server="x", status=401))
    assert once(home).code == 77
    home.sandbox.faults.add(Fault("status", server="mastodon*", status=503))
    both = once(home)
    assert both.code == 1 and "collect:x" in both.out
    home.sandbox.faults.clear()
    home.sandbox.faults.add(Fault("disconnect", server="mastodon*"))
    home.post("100", "kopi", -5)
    down = once(home)
    assert down.code == 1 and home.count("matches") == 1  # the other network was read all the same


def test_78_when_the_configuration_or_the_file_is_wrong(home: House, tmp_path: Path) -> None:
    assert once(home, topics='[[topics]]\nslug = "Bad Slug"\n').code == 78
    assert call("run", "--once", "--config", tmp_path / "none.toml").code == 78
    with home.store.write() as connection:
        connection.execute("PRAGMA user_version = 99")
    newer = once(home)
    assert newer.code == 78 and "newer" in newer.err


def queue(home: House) -> None:
    now = datetime.now(UTC)
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    with home.store.write() as connection:
        connection.execute(
            "INSERT INTO incidents (topic, rule, subject, state, historic, severity, began_at, opened_at, updated_at, "
            "last_active_at, facts) VALUES ('kopi', 'volume_spike', 'kopi', 'open', 0, 'warning', ?, ?, ?, ?, ?)",
            (*(stamp,) * 4, json.dumps({"observed": 40, "expected": 4, "direction": "up", "posts": 40})),
        )
        connection.executemany(
            "INSERT INTO deliveries (incident_id, channel, kind, state, created_at, not_before) "
            "VALUES (1, ?, 'opened', 'queued', ?, ?)",
            [(name, stamp, stamp) for name in ("team", "mail")],
        )


def test_a_channel_that_cannot_be_reached_is_1_and_keeps_the_other(home: House) -> None:
    queue(home)
    assert home.sandbox.smtp is not None and home.sandbox.slack is not None
    home.sandbox.smtp.stop()
    home.sandbox.smtp._controller = type("Gone", (), {"port": home.sandbox.smtp.port, "stop": lambda self: None})()
    done = once(home)
    assert done.code == 1 and "deliveries wait for mail" in done.out
    assert len(home.sandbox.slack.messages) == 1
    states = {r["channel"]: r["state"] for r in home.store.query("SELECT channel, state FROM deliveries")}
    assert states == {"team": "sent", "mail": "queued"}


def test_no_secret_is_ever_told(home: House, tmp_path: Path) -> None:
    """Every source and every channel fails, each in its own way; the secrets are nowhere but in the configuration."""
    queue(home)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = probe.getsockname()[1]
    folder = tmp_path / "config"
    folder.mkdir()
    path = folder / "c.toml"
    faults = ({}, {"kind": "status", "status": 500}, {"kind": "malformed"}, {"kind": "disconnect"})
    said = b""
    for fault in faults:
        home.sandbox.faults.clear()
        if fault:
            home.sandbox.faults.add(Fault(**fault))  # type: ignore[arg-type]
        path.write_text(f"""
database = "{home.store.path}"
[[topics]]
slug = "kopi"
keywords = ["kopi"]
[x]
bearer_token = "{SECRETS[0]}"
base_url = "{home.sandbox.x_url}"
[[mastodon]]
url = "{home.sandbox.mastodon_url}"
access_token = "{SECRETS[3]}"
[[channels]]
type = "slack"
name = "team"
webhook_url = "http://127.0.0.1:{closed}/services/T0/B0/{SECRETS[1]}"
timeout = 2
[[channels]]
type = "email"
name = "mail"
host = "127.0.0.1"
port = {closed}
username = "r"
password = "{SECRETS[2]}"
sender = "r@example.com"
recipients = ["t@example.com"]
timeout = 2
""")
        for command in (("run", "--once"), ("check",), ("status",), ("status", "--json")):
            done = call(*command, "--config", path)
            assert done.code != 0 or command[0] == "status"
            said += (done.out + done.err).encode()
        with home.store.write() as connection:
            connection.execute("UPDATE jobs SET waits_until = NULL")
            connection.execute("UPDATE deliveries SET state = 'queued', not_before = created_at")
    said += home.everything() + b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and p != path)
    for secret in SECRETS:
        assert secret.encode() not in said, secret
    broken = (
        path.read_text().replace(f'"{SECRETS[0]}"', f'["{SECRETS[0]}"]').replace('type = "slack"', 'type = "slakc"')
    )
    path.write_text(broken)
    wrong = call("check", "--config", path)
    assert wrong.code == 78 and not any(secret in wrong.err for secret in SECRETS)


def test_without_a_source_it_says_so(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('database = "r.sqlite"\n[[topics]]\nslug = "kopi"\nkeywords = ["kopi"]\n')
    done = call("run", "--once", "--config", path)
    assert done.code == 0 and "No source is configured" in done.err
    store = Store.open(tmp_path / "r.sqlite", read_only=True)
    jobs = {r["name"]: r for r in store.query("SELECT * FROM jobs")}
    assert jobs["score"]["result"] == "nothing new to score" and jobs["score"]["error"] is None
    assert datetime.now(UTC) - datetime.fromisoformat(jobs["alert"]["finished_at"]) < timedelta(minutes=5)
    store.close()
