"""What a job took is given back when it ends, so that the daemon does not grow by the days it runs."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config import Settings
from resonance import memory
from resonance.daemon import Daemon, Planned
from store import Store

ROOT = Path(__file__).parent.parent.parent
NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
MEASURED = """
import sys, threading
from pathlib import Path
from resonance import memory
from store import Store

def size():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20

store, told = Store.open(sys.argv[1]), []
memory.settle()

def job():
    before = size()
    store.one("SELECT SUM(length(text)) FROM posts")
    numbers = [str(n) * 10 for n in range(300_000)]
    del numbers
    told.extend([size() - before])
    memory.give_back(store)
    told.extend([size() - before])

thread = threading.Thread(target=job)
thread.start()
thread.join()
print(*told)
"""


def test_the_pages_and_objects_of_a_job_go_back_to_the_system(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("the system's own figures are read, and they are Linux's")
    path = tmp_path / "r.sqlite"
    store = Store.open(path)
    with store.write() as connection:
        connection.executemany(
            "INSERT INTO posts (id, network, text, text_hash, created_at, first_seen) VALUES (?, 'x', ?, '', '', '')",
            [(str(n), "x" * 2_000) for n in range(12_000)],
        )
    store.close()
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    grown, left = map(int, done.stdout.split())
    assert grown >= 20 and left <= 8, (grown, left)


@pytest.mark.parametrize("fails", [False, True])
def test_every_job_gives_back_even_when_it_fails(fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Store] = []
    store = Store.open(tmp_path / "r.sqlite")
    monkeypatch.setattr(memory, "give_back", given.append)

    def work(_: datetime) -> None:
        if fails:
            raise RuntimeError

    daemon = Daemon(Settings(), store, [], None)
    job = Planned("some", 1, "work", work, 0)
    if fails:
        with pytest.raises(RuntimeError):
            daemon.work_off(job, NOW)
    else:
        daemon.work_off(job, NOW)
    store.close()
    assert given == [store]
