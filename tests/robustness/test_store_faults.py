"""A full disk, a held, read-only or broken file, a killed writer: told with its remedy, and nothing is damaged."""

from __future__ import annotations

import gzip
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config import Topic
from store import Store, StoreBusy, StoreCorrupt, StoreError, StoreFull, StoreReadOnly, db
from store.ingest import save_page
from store.migrations import SCHEMA_VERSION
from store.records import Page, Post

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
TOPIC = Topic(slug="matcha", keywords=("抹茶",))
FILES = {2: 12, 3: 17, 4: 21, 5: 25, 6: 29}  # schemas of which a file was kept, with its posts; 1 was never released
KEPT = {version: posts for version, posts in FILES.items() if version < SCHEMA_VERSION}


def page(number: int, size: int = 50) -> Page:
    ids = range(number * size, (number + 1) * size)
    return Page(posts=[Post(f"x:{i}", "x", None, f"抹茶 {i} " + "x" * 300, NOW, "x", str(i)) for i in ids])


def fill(store: Store, pages: int = 20) -> int:
    """Save pages until all are in or the disk is full; returns how many are."""
    for number in range(pages):
        try:
            save_page(store, page(number), [TOPIC], NOW)
        except StoreFull:
            return number
    return pages


def sound(path: Path, posts: int) -> None:
    """The file opens, holds exactly these posts with all that belongs to them, and can be written."""
    store = Store.open(path)
    assert store.one("PRAGMA integrity_check") == "ok"
    for table in ("posts", "matches", "post_sources", "post_search", "changes"):
        assert store.one(f"SELECT COUNT(*) FROM {table}") == posts, table
    save_page(store, page(99_999, 1), [TOPIC], NOW)
    assert store.one("SELECT COUNT(*) FROM posts") == posts + 1
    store.close()


@contextmanager
def disk(folder: Path, size: str) -> Iterator[Callable[[str], None]]:
    """A small disk of its own in `folder`; yields what mounts it again with other options."""
    folder.mkdir()
    mount = shutil.which("mount")
    if (
        mount is None
        or subprocess.run([mount, "-t", "tmpfs", "-o", f"size={size}", "t", folder], check=False).returncode
    ):
        pytest.skip("this user may not mount a small disk")
    try:
        yield lambda options: subprocess.run([mount, "-o", f"remount,{options}", folder], check=True) and None
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_takes_back_the_page_that_did_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "small" / "r.sqlite"
    with disk(path.parent, "1500k") as remount:
        store = Store.open(path)
        kept = fill(store, 200)
        assert 0 < kept < 200
        with pytest.raises(StoreFull, match=r"make room|its space"):
            save_page(store, page(kept), [TOPIC], NOW)
        assert store.one("SELECT COUNT(*) FROM posts") == kept * 50
        remount("size=20M")
        save_page(store, page(kept), [TOPIC], NOW)  # the same process goes on as soon as there is room
        store.close()
        sound(path, (kept + 1) * 50)


CHILD = """
import resource, sys
from pathlib import Path
from store import Store, StoreFull
from tests.robustness.test_store_faults import NOW, TOPIC, fill, page, save_page
store = Store.open(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
kept = fill(store, 100)
try:
    save_page(store, page(kept), [TOPIC], NOW)
except StoreFull as error:
    print(kept, error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
store.close()
"""


def test_a_disk_that_refuses_writes(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    done = subprocess.run([sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True, check=True)
    kept, told = done.stdout.split(maxsplit=1)
    assert 0 < int(kept) < 100 and told.startswith(str(path))
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 600_000
    sound(path, int(kept) * 50)


@pytest.mark.parametrize("mode", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_file_that_another_process_holds(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    store = Store.open(path, busy_seconds=0.05)
    fill(store, 1)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute(f"BEGIN {mode}")
    holder.execute("DELETE FROM posts")
    with pytest.raises(StoreBusy, match="fuser"):
        save_page(store, page(1), [TOPIC], NOW)
    assert store.one("SELECT COUNT(*) FROM posts") == 50  # readers go on
    holder.execute("ROLLBACK")
    holder.close()
    save_page(store, page(1), [TOPIC], NOW)
    store.close()
    sound(path, 100)


def test_a_file_held_for_good_cannot_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    Store.open(path).close()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreBusy, match="another program"):
        Store.open(path, busy_seconds=0.05)
    holder.close()
    sound(path, 0)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "fixed" / "r.sqlite"
    with disk(path.parent, "5M") as remount:
        store = Store.open(path)
        fill(store, 1)
        store.close()
        remount("ro")
        with pytest.raises(StoreReadOnly, match=r"rights|folder"):
            save_page(Store.open(path), page(1), [TOPIC], NOW)
        with pytest.raises(StoreReadOnly):
            Store.open(path.with_name("new.sqlite"))
        remount("rw")
        sound(path, 50)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_file_without_the_right_to_write(tmp_path: Path) -> None:  # pragma: no cover - not as root
    path = tmp_path / "r.sqlite"
    Store.open(path).close()
    path.chmod(0o400)
    with pytest.raises(StoreReadOnly, match="rights"):
        save_page(Store.open(path), page(1), [TOPIC], NOW)
    path.chmod(0o600)
    sound(path, 0)


def test_a_read_only_connection_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    Store.open(path).close()
    reader = Store.open(path, read_only=True)
    with pytest.raises(StoreReadOnly, match="cannot be written"):
        save_page(reader, page(1), [TOPIC], NOW)
    reader.close()
    sound(path, 0)


@pytest.mark.parametrize("begins", [0, 100, 4096 * 20])
def test_a_broken_file_is_named_and_left_as_it_is(begins: int, tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    store = Store.open(path)
    fill(store)
    store.backup(tmp_path / "good.sqlite")
    store.close()
    with path.open("r+b") as file:
        file.seek(begins)
        file.write(b"\xff" * 400_000)
    before = path.read_bytes()
    with pytest.raises(StoreCorrupt, match="restore the newest backup"):
        broken = Store.open(path)
        try:
            broken.query("SELECT text FROM posts")
        finally:
            broken.close()
    assert path.read_bytes() == before
    shutil.copy(tmp_path / "good.sqlite", path)  # the remedy
    sound(path, 1000)


WRITER = """
import os, signal, sys
from pathlib import Path
from store import Store
from tests.robustness.test_store_faults import NOW, TOPIC, page, save_page
store = Store.open(Path(sys.argv[1]))
for number in range(3):
    save_page(store, page(number), [TOPIC], NOW)
with store.write() as connection:
    connection.execute("PRAGMA cache_size = 5")  # so that the unfinished page reaches the log
    save_page(store, page(3), [TOPIC], NOW)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("torn", "posts"), [(0, 150), (1, 150), (30_000, None)])
def test_the_log_of_a_killed_writer_is_read_up_to_its_last_whole_page(
    torn: int, posts: int | None, tmp_path: Path
) -> None:
    path = tmp_path / "r.sqlite"
    done = subprocess.run([sys.executable, "-c", WRITER, str(path)], check=False)
    log = path.with_name("r.sqlite-wal")
    assert done.returncode == -signal.SIGKILL and log.stat().st_size > 100_000
    if torn:
        with log.open("r+b") as file:
            file.truncate(log.stat().st_size - torn)
    if posts is None:
        store = Store.open(path)
        posts = store.one("SELECT COUNT(*) FROM posts")
        store.close()
        assert posts % 50 == 0 and 0 < posts <= 150
    sound(path, posts)


def test_the_log_shrinks_again_after_a_long_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "CHECKPOINT_PAGES", 100)
    monkeypatch.setattr(db, "LOG_BYTES", 1 << 20)
    path = tmp_path / "r.sqlite"
    log = path.with_name("r.sqlite-wal")
    store = Store.open(path)
    fill(store, 20)
    assert log.stat().st_size < 2 << 20  # each checkpoint begins it anew
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT COUNT(*) FROM posts").fetchone() == (1000,)
    for number in range(20, 60):
        save_page(store, page(number), [TOPIC], NOW)
    assert log.stat().st_size > 2 << 20  # what the reader looks at may not be overwritten
    assert reader.execute("SELECT COUNT(*) FROM posts").fetchone() == (1000,)
    reader.close()
    for number in range(60, 64):
        save_page(store, page(number), [TOPIC], NOW)
    assert log.stat().st_size <= 2 << 20
    store.close()
    sound(path, 64 * 50)


def restored(path: Path, version: int) -> dict[str, list[tuple[object, ...]]]:
    """The kept file of an earlier schema, with its rows by table."""
    kept = Path(__file__).parent.parent / "fixtures" / f"schema-{version:04}.sql.gz"
    old = sqlite3.connect(path)
    old.executescript(gzip.decompress(kept.read_bytes()).decode())
    rows = contents(old)
    old.close()
    return rows


def contents(connection: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    tables = [r[0] for r in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    wanted = [t for t in tables if not t.startswith(("sqlite_", "_sqlite", "post_search_"))]
    return {table: [tuple(r) for r in connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2")] for table in wanted
            if table != "post_search"} | {
        "post_search": [tuple(r) for r in connection.execute("SELECT rowid, body FROM post_search ORDER BY 1")]
    }  # fmt: skip


def columns(path: Path, table: str) -> str:
    with sqlite3.connect(path) as old:
        names = ", ".join(row[1] for row in old.execute(f"PRAGMA table_info({table})"))
    old.close()
    return names


def test_a_file_of_every_earlier_schema_is_kept() -> None:
    assert list(KEPT) == list(range(2, SCHEMA_VERSION))


@pytest.mark.parametrize("version", KEPT)
def test_an_old_file_is_upgraded_with_every_row_and_a_backup(version: int, tmp_path: Path) -> None:
    path, kept = tmp_path / "r.sqlite", tmp_path / f"r.sqlite.backup-{version}"
    before = restored(path, version)
    assert len(before["posts"]) == KEPT[version] and before["deliveries"] and before["corrections"]
    store = Store.open(path)
    assert store.one("PRAGMA user_version") == SCHEMA_VERSION > version
    for table, rows in before.items():
        names = "rowid, body" if table == "post_search" else columns(kept, table)
        after = [tuple(r) for r in store.query(f"SELECT {names} FROM {table} ORDER BY 1, 2")]
        assert [r for r in after if table != "_sqlite_migrations"] == rows, table
    assert_labels_hold(store)
    assert store.one("SELECT label FROM v_posts WHERE id = 'x:2'") == "negative"
    assert store.one("PRAGMA integrity_check") == "ok"
    save_page(store, page(9), [TOPIC], NOW + timedelta(days=1))
    store.close()
    backup = sqlite3.connect(kept)
    assert backup.execute("PRAGMA user_version").fetchone() == (version,)
    assert contents(backup) == before
    backup.close()
    assert {p for p in tmp_path.iterdir() if not p.name.endswith(("-wal", "-shm"))} == {path, kept}


def assert_labels_hold(store: Store) -> None:
    """What stands beside the matches and in the search index is what the views and the matches say."""
    wrong = "SELECT COUNT(*) FROM matches m LEFT JOIN v_posts v ON v.id = m.post_id WHERE m.label IS NOT v.label"
    assert store.one(wrong) == 0 and store.one("SELECT COUNT(*) FROM matches WHERE label IS NOT NULL") > 0
    for row in store.query("SELECT p.id, s.topics FROM post_search s JOIN posts p ON p.pk = s.rowid"):
        topics = store.query("SELECT topic FROM matches WHERE post_id = ?", (row["id"],))
        assert sorted(row["topics"].split()) == sorted(t[0] for t in topics), row["id"]


OPEN = """
import sys
from store import Store
sys.stdin.readline()
store = Store.open(sys.argv[1])
print(store.one("PRAGMA user_version"))
store.close()
"""


@pytest.mark.parametrize("version", [None, *KEPT])
def test_processes_that_open_a_file_at_once_all_succeed(version: int | None, tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    before = restored(path, version) if version else None
    command = [sys.executable, "-c", OPEN, str(path)]
    racing = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for process in racing:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [process.communicate(timeout=120)[0].strip() for process in racing]
    assert told == [str(SCHEMA_VERSION)] * 3
    if before is not None:
        backup = sqlite3.connect(tmp_path / f"r.sqlite.backup-{version}")
        assert contents(backup) == before
        backup.close()
    store = Store.open(path)
    assert store.one("PRAGMA integrity_check") == "ok"
    assert store.one("SELECT COUNT(*) FROM _sqlite_migrations") == SCHEMA_VERSION
    store.close()


def test_an_older_file_that_another_program_writes_to_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    restored(path, min(KEPT))
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")  # SQLite does not wait for it when the kind of log is changed
    with pytest.raises(StoreBusy, match="another program is writing"):
        Store.open(path, busy_seconds=0.1)
    letting_go = threading.Timer(0.3, other.rollback)
    letting_go.start()
    store = Store.open(path)
    assert store.one("PRAGMA user_version") == SCHEMA_VERSION
    store.close()
    letting_go.join()
    other.close()


UPGRADE = """
import os, signal, sys
from pathlib import Path
from store import Store
count = 0
def die(sql):
    global count
    count += 1
    if count == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
connect = Store._connect
def watched(self):
    connection = connect(self)
    connection.set_trace_callback(die)
    return connection
Store._connect = watched
Store.open(Path(sys.argv[1])).close()
print(count)
"""


def test_an_upgrade_that_is_killed_anywhere_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    before = restored(path, 3)
    for statement in (12, 30, 60, 90):
        done = subprocess.run([sys.executable, "-c", UPGRADE, str(path), str(statement)], check=False)
        assert done.returncode == -signal.SIGKILL
        untouched = sqlite3.connect(path)
        assert untouched.execute("PRAGMA user_version").fetchone() == (3,) and contents(untouched) == before
        untouched.close()
    store = Store.open(path)
    assert contents(store.connection)["posts"] == before["posts"]
    store.close()
    backup = sqlite3.connect(path.with_name("r.sqlite.backup-3"))
    assert contents(backup) == before
    backup.close()


def test_an_upgrade_on_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "small" / "r.sqlite"
    with disk(path.parent, "400k") as remount:
        before = restored(path, 3)
        with pytest.raises(StoreError, match=r"room|space"):
            Store.open(path)
        assert [p.name for p in path.parent.iterdir() if "backup" in p.name] == []
        old = sqlite3.connect(path)
        assert contents(old) == before
        old.close()
        remount("size=5M")
        Store.open(path).close()
