"""The daemon as a process: it stops when asked, refuses a second one, and survives being killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from resonance.daemon import ABORTED
from resonance.lock import AlreadyRunning, InstanceLock
from sandbox.faults import Fault
from tests.commands.cli import call, process
from tests.resonance.house import House

ROOT = Path(__file__).parent.parent.parent
FAST = """
[schedule]
collect = 0.02
refresh = 0.05
score = 0.05
alert = 0.05
deliver = 0.02
"""


def until(said: Callable[[], bool], seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not said():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


@contextmanager
def daemon(home: House) -> Iterator[subprocess.Popen[str]]:
    path = home.write_config(extra=FAST)
    found = process("run", "--config", path, env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"})
    try:
        yield found
    finally:
        if found.poll() is None:
            found.kill()
        found.communicate()


def live(home: House) -> None:
    """The sandbox tells the real time, for the daemon asks the real clock."""
    from datetime import UTC, datetime

    home.now = datetime.now(UTC)


def test_it_collects_refuses_a_second_and_ends_at_sigterm(home: House) -> None:
    live(home)
    home.post("100", "kopi ひとつめ", -5)
    with daemon(home) as first:
        until(lambda: home.count("matches") == 1)
        for more in ([], ["--once"]):
            second = call("run", "--config", home.folder / "resonance.toml", *more)
            assert second.code == 1 and f"pid {first.pid}" in second.err
        first.send_signal(signal.SIGTERM)
        assert first.wait(12) == 0
        _, log = first.communicate()
    assert '"drained": true' in log and "Traceback" not in log and "ひとつめ" not in log
    with InstanceLock(home.store.path):  # and the file is free again
        pass


def test_a_hanging_network_delays_neither_the_other_nor_the_end(home: House) -> None:
    live(home)
    home.sandbox.faults.add(Fault("hang", server="x", seconds=60))
    home.post("900", "#kopi こちらは元気", -3)
    with daemon(home) as running:
        until(lambda: bool(home.sandbox.faults.log) and home.count("matches") == 1)
        assert home.count("jobs", "name = 'collect:x' AND succeeded_at IS NOT NULL") == 0
        running.send_signal(signal.SIGTERM)
        assert running.wait(14) == 0


def test_a_second_signal_aborts(home: House) -> None:
    live(home)
    home.sandbox.faults.add(Fault("hang", server="x", seconds=60))
    with daemon(home) as running:
        until(lambda: bool(home.sandbox.faults.log))
        running.send_signal(signal.SIGTERM)
        for _ in range(300):  # a drain would end with 0
            if running.poll() is not None:
                break
            time.sleep(0.02)
            running.send_signal(signal.SIGINT)
        assert running.wait(14) == ABORTED
        assert "aborted by a second signal" in running.communicate()[1]


def test_killed_in_the_middle_nothing_is_lost_or_twice(home: House) -> None:
    live(home)
    for number in range(60):
        home.post(str(100 + number), f"kopi {number} 番目", -60 + number / 2)
    with daemon(home) as running:
        until(lambda: home.count("posts") > 0)
        running.send_signal(signal.SIGKILL)
        running.wait(10)
    assert home.store.one("PRAGMA integrity_check") == "ok"
    again = call("run", "--once", "--config", home.write_config())
    assert again.code == 0, again
    assert home.count("posts") == home.count("post_search") == home.count("matches") == home.count("sentiments") == 60
    assert home.store.one("SELECT SUM(posts) FROM topic_hours") == 60


def test_the_lock_names_its_holder_and_falls_with_it(tmp_path: Path) -> None:
    database = tmp_path / "r.sqlite"
    with InstanceLock(database), pytest.raises(AlreadyRunning, match=f"pid {os.getpid()}"), InstanceLock(database):
        pass
    code = "import os, sys; from pathlib import Path; from resonance.lock import InstanceLock as L; "
    code += f"L(Path({str(database)!r})).__enter__(); os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 9
    with InstanceLock(database):
        assert database.with_name("r.sqlite.lock").read_text() == str(os.getpid())
