"""Opening the file: what goes wrong is told with its remedy, and nothing is damaged."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import pytest

from store import SchemaTooNew, Store, StoreCorrupt, StoreError, StoreReadOnly
from store.errors import StoreBusy, StoreForeign, StoreFull, translated
from store.migrations import SCHEMA_VERSION, statements


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE customers (name TEXT)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreForeign, match="another program") as error:
        Store.open(path)
    assert error.value.exit_code == 78 and path.read_bytes() == before


def test_an_empty_file_is_filled_or_named(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    path.touch()
    with pytest.raises(StoreReadOnly, match="is empty"):
        Store.open(path, read_only=True)
    store = Store.open(path)
    assert store.one("PRAGMA user_version") == SCHEMA_VERSION
    store.close()


@pytest.mark.parametrize(("content", "kind"), [(b"not a database at all" * 50, StoreCorrupt), (None, StoreReadOnly)])
def test_rubbish_and_folders(tmp_path: Path, content: bytes | None, kind: type[StoreError]) -> None:
    path = tmp_path / "r.sqlite"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(kind) as error:
        Store.open(path)
    assert str(path) in str(error.value) and error.value.exit_code == 1


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreReadOnly, match="folder exists"):
        Store.open(tmp_path / "no" / "r.sqlite")
    with pytest.raises(StoreReadOnly, match="is not there"):
        Store.open(tmp_path / "r.sqlite", read_only=True)


def test_a_newer_file_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    Store.open(path).close()
    with sqlite3.connect(path) as newer:
        newer.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    newer.close()
    with pytest.raises(SchemaTooNew) as error:
        Store.open(path)
    assert error.value.exit_code == 78


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SQLITE_FULL", StoreFull),
        ("SQLITE_IOERR_WRITE", StoreFull),
        ("SQLITE_BUSY_SNAPSHOT", StoreBusy),
        ("SQLITE_READONLY_DIRECTORY", StoreReadOnly),
        ("SQLITE_NOTADB", StoreCorrupt),
    ],
)
def test_each_fault_has_its_remedy(name: str, kind: type[StoreError]) -> None:
    error = sqlite3.OperationalError("fault")
    error.sqlite_errorname = name
    told = translated(error, "r.sqlite")
    assert type(told) is kind and str(told).startswith("r.sqlite: ")
    error.sqlite_errorname = "SQLITE_ERROR"  # a bug of ours keeps its traceback
    assert translated(error, "r.sqlite") is None


def test_a_write_is_whole_or_nothing_and_a_nested_one_joins(store: Store) -> None:
    insert = "INSERT INTO changes (kind, subject) VALUES ('post', ?)"
    with pytest.raises(RuntimeError), store.write() as connection:
        connection.execute(insert, ("a",))
        with store.write() as inner:
            inner.execute(insert, ("b",))
        raise RuntimeError
    assert store.one("SELECT COUNT(*) FROM changes") == 0


def test_four_threads_write_beside_a_long_reader_and_a_busy_one_and_nobody_sees_a_lock(store: Store) -> None:
    faults: list[BaseException] = []

    def work(name: int) -> None:
        try:
            for n in range(40):
                with store.write() as connection:
                    connection.execute("SELECT COUNT(*) FROM changes").fetchone()
                    connection.execute("INSERT INTO changes (kind, subject) VALUES ('post', ?)", (f"{name}-{n}",))
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    long = sqlite3.connect(store.path, isolation_level=None)
    long.execute("BEGIN")
    assert long.execute("SELECT COUNT(*) FROM changes").fetchone() == (0,)
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        store.query("SELECT COUNT(*), MAX(seq) FROM changes")
    assert faults == [] and store.one("SELECT COUNT(*) FROM changes") == 160
    assert long.execute("SELECT COUNT(*) FROM changes").fetchone() == (0,)
    long.close()


def test_a_log_that_a_long_reader_holds_is_not_waited_for_and_keeps_no_writer_out(store: Store) -> None:
    insert = "INSERT INTO changes (kind, subject) VALUES ('post', 'a')"
    with store.write() as connection:
        connection.execute(insert)
    reader = sqlite3.connect(store.path, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT COUNT(*) FROM changes").fetchone() == (1,)
    impatient, faults = Store.open(store.path, busy_seconds=2), []

    def work() -> None:
        try:
            for _ in range(20):
                with impatient.write() as connection:
                    connection.execute(insert)
        except BaseException as error:
            faults.append(error)

    writer = threading.Thread(target=work)
    writer.start()
    while writer.is_alive():
        assert store.checkpoint() > 0
        time.sleep(0.3)  # housekeeping is not at it all the time; a writer that asks now and then must get its turn
    writer.join()
    assert faults == [] and reader.execute("SELECT COUNT(*) FROM changes").fetchone() == (1,)
    reader.close()
    assert store.checkpoint() == 0 and store.one("SELECT COUNT(*) FROM changes") == 21
    assert store.one("PRAGMA busy_timeout") == round(store.busy_seconds * 1000)
    impatient.close()


def test_a_transaction_that_has_only_read_holds_the_file_already(store: Store) -> None:
    insert = "INSERT INTO changes (kind, subject) VALUES ('post', 'a')"
    other = Store.open(store.path, busy_seconds=0.05)
    with store.write() as connection:
        connection.execute("SELECT COUNT(*) FROM changes").fetchone()
        with pytest.raises(StoreBusy), other.write() as theirs:
            theirs.execute(insert)
        connection.execute(insert)  # or this one would find the file locked, or changed behind its back
    with other.write() as theirs:
        theirs.execute(insert)
    assert other.one("SELECT COUNT(*) FROM changes") == 2
    other.close()


def test_a_reader_cannot_write(store: Store) -> None:
    reader = Store.open(store.path, read_only=True)
    with pytest.raises(StoreReadOnly), reader.write() as connection:
        connection.execute("INSERT INTO changes (kind, subject) VALUES ('post', 'a')")
    reader.close()


def test_a_backup_is_whole(store: Store, tmp_path: Path) -> None:
    with store.write() as connection:
        connection.execute("INSERT INTO changes (kind, subject) VALUES ('post', 'a')")
    store.backup(tmp_path / "copy.sqlite")
    copy = Store.open(tmp_path / "copy.sqlite", read_only=True)
    assert copy.one("SELECT subject FROM changes") == "a"
    copy.close()


def test_statements_are_cut_where_sql_ends() -> None:
    script = "-- a title; with a semicolon\nCREATE TABLE a ( -- why;\n b TEXT DEFAULT ';' -- x\n);\n\nSELECT 1;\n"
    found = list(statements(script))
    assert len(found) == 2 and found[0].startswith("CREATE TABLE") and found[1] == "SELECT 1;"
