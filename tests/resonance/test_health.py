"""Health: what is wrong is said with 503, figures are those of the store, and systemd hears what it waits for."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from config import Settings
from resonance.health import HealthServer, PortTaken, wrong
from resonance.jobs import recorded
from resonance.systemd import READY, notify, watchdog_seconds
from store import Store
from store.records import iso
from tests.commands.cli import process
from tests.resonance.house import BEGIN, House
from tests.resonance.test_daemon import FAST, ROOT, live, until

UNIT = ROOT / "contrib" / "resonance.service"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store.open(tmp_path / "r.sqlite")
    yield found
    found.close()


def ask(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def run(store: Store, name: str, minutes: float, error: str | None = None, waits: bool = False) -> None:
    now = BEGIN + timedelta(minutes=minutes)
    with recorded(store, name, now) as job:
        job.error = error
        job.waits_until = now + timedelta(hours=1) if waits else None


def test_a_new_daemon_is_well(store: Store) -> None:
    with HealthServer(store, Settings(), lambda: BEGIN, 0) as server:
        assert ask(f"{server.url}/healthz") == (200, json.dumps({"ok": True, "wrong": []}))
        assert ask(f"{server.url}/")[0] == 404


def test_a_job_that_fails_three_times_in_a_row_is_told(store: Store) -> None:
    now = [BEGIN]
    with HealthServer(store, Settings(), lambda: now[0], 0) as server:
        for minutes in (0, 1):
            run(store, "score", minutes, "no model. Do this.")
            assert ask(f"{server.url}/healthz")[0] == 200
        run(store, "score", 2, "no model. Do this.")
        code, body = ask(f"{server.url}/healthz")
        assert code == 503 and json.loads(body)["wrong"] == ["score failed 3 times in a row: no model. Do this."]
        run(store, "score", 3)
        assert ask(f"{server.url}/healthz")[0] == 200


def test_waiting_is_not_wrong(store: Store) -> None:
    for minutes in range(4):
        run(store, "collect:x", minutes, "X asks to wait.", waits=True)
    assert wrong(store, Settings(), BEGIN + timedelta(minutes=50)) == []
    assert len(wrong(store, Settings(), BEGIN + timedelta(minutes=70))) == 2  # it should have gone on by then


def test_nothing_read_for_long_is_told(store: Store) -> None:
    run(store, "collect:x", 0)
    run(store, "collect:social.example", 10, "no answer.")
    assert wrong(store, Settings(), BEGIN + timedelta(minutes=19)) == []
    (told,) = wrong(store, Settings(), BEGIN + timedelta(minutes=21))
    assert "since 2026-10-15 03:00 UTC" in told


def test_the_figures_are_those_of_the_store(home: House) -> None:
    home.post("100", "kopi おいしい", 1)
    home.post("101", "kopi すき", 2)
    home.step()
    with home.store.write() as connection:
        connection.execute(
            "INSERT INTO deliveries (channel, kind, state, created_at, not_before) VALUES ('team','test','sent',?,?)",
            (iso(home.now),) * 2,
        )
        connection.execute(
            "INSERT INTO gaps (source, start_utc, end_utc, reason, found_at) VALUES ('x', ?, ?, 'away', ?)",
            (iso(BEGIN),) * 3,
        )
    home.now += timedelta(seconds=90)
    with HealthServer(home.store, home.settings, lambda: home.now, 0) as server:
        code, text = ask(f"{server.url}/metrics")
    assert code == 200 and "おいしい" not in text and home.sandbox.x_token not in text
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["resonance_posts",] == found["resonance_posts_unscored",] == 2
    assert found["resonance_job_age_seconds", "collect:x"] == 90
    assert found["resonance_job_failures", "collect:x"] == 0
    assert found["resonance_gaps", "x"] == 1 and found["resonance_incidents_open",] == 0
    assert found["resonance_deliveries", "sent"] == 1 and found["resonance_deliveries", "queued"] == 0
    assert found["resonance_spend_usd_today", "x"] == pytest.approx(home.store.one("SELECT SUM(usd) FROM spend"))
    told = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in told for name, *_ in found)


def test_a_store_that_cannot_be_read_is_not_well(store: Store) -> None:
    with HealthServer(store, Settings(), lambda: BEGIN, 0) as server:
        with store.path.open("r+b") as file:
            file.seek(0)
            file.write(b"\xff" * 200_000)
        store.path.with_name("r.sqlite-wal").write_bytes(b"")
        code, body = ask(f"{server.url}/healthz")
        assert code == 503 and "restore the newest backup" in body


def test_a_port_that_is_taken_is_named(store: Store) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"127.0.0.1:{port}"):
            HealthServer(store, Settings(), lambda: BEGIN, port)


def test_systemd_is_told_only_where_it_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setenv("WATCHDOG_USEC", "")
    assert not notify(READY) and watchdog_seconds() is None
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    assert not notify(READY)
    monkeypatch.setenv("WATCHDOG_USEC", "120000000")
    assert watchdog_seconds() == 60
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert watchdog_seconds() is None


def test_a_daemon_says_ready_alive_and_stopping_and_serves_its_health(home: House) -> None:
    live(home)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, socket.create_server(("127.0.0.1", 0)) as free:
        manager.bind(str(home.folder / "notify"))
        manager.settimeout(60)
        port = free.getsockname()[1]
        free.close()
        path = home.write_config(extra=f"{FAST}\n[health]\nport = {port}\n")
        told = {"NOTIFY_SOCKET": str(home.folder / "notify"), "WATCHDOG_USEC": "400000"}
        daemon = process("run", "--config", path, env={**os.environ, **told, "PYTHONPATH": str(ROOT)})
        try:
            heard = [manager.recv(100), manager.recv(100)]
            assert heard == [b"READY=1", b"WATCHDOG=1"]
            until(lambda: home.count("jobs", "name = 'collect:x' AND succeeded_at IS NOT NULL") == 1)
            assert ask(f"http://127.0.0.1:{port}/healthz")[0] == 200
            daemon.send_signal(signal.SIGTERM)
            while heard[-1] == b"WATCHDOG=1":
                heard.append(manager.recv(100))
            assert heard[-1] == b"STOPPING=1" and daemon.wait(30) == 0
        finally:
            daemon.kill()
            daemon.communicate()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_the_unit_passes_verification(tmp_path: Path) -> None:
    unit = tmp_path / "resonance.service"
    text = UNIT.read_text(encoding="utf-8").replace("/opt/resonance/.venv/bin/resonance", shutil.which("true") or "")
    unit.write_text(text.replace("User=resonance", "User=root"), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if unit.name in line]) == (0, [])


def test_the_unit_says_what_the_daemon_does() -> None:
    settings = dict(line.split("=", 1) for line in UNIT.read_text(encoding="utf-8").splitlines() if "=" in line)
    assert settings["Type"] == "notify" and settings["RestartPreventExitStatus"] == "77 78"
    assert settings["ExecStart"].endswith("resonance run --config /etc/resonance/resonance.toml")
