"""Opening the file: connections, transactions, migrations.

One connection per thread; one writer at a time, with BEGIN IMMEDIATE, so that a transaction that reads first can never
find the file locked halfway.
"""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from store.errors import SchemaTooNew, StoreBusy, StoreError, StoreForeign, StoreReadOnly, translated
from store.migrations import APPLICATION_ID, SCHEMA_VERSION, migrations

BUSY_SECONDS = 30.0
CHECKPOINT_PAGES = 4_000  # 16 MB of log: the pages of an index that many transactions touch are written back once
CHECKPOINT_MILLISECONDS = 100
LOG_BYTES = 64 << 20  # what a long reader made the log grow beyond is given back after it


class Store:
    """The SQLite file. Safe to share between threads; each gets its own connection."""

    def __init__(self, path: Path, *, read_only: bool = False, busy_seconds: float = BUSY_SECONDS) -> None:
        """Use `open`; this does not migrate."""
        self.path = path
        self.read_only = read_only
        self.busy_seconds = busy_seconds
        self._local = threading.local()
        self._writer = threading.RLock()
        self._all: list[sqlite3.Connection] = []
        self._all_lock = threading.Lock()

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        create: bool = True,
        read_only: bool = False,
        busy_seconds: float = BUSY_SECONDS,
    ) -> Store:
        """The store in `path`, migrated to this version (an older file is backed up first).

        `busy_seconds`: how long to wait for another program that writes, before StoreBusy.
        Raises SchemaTooNew for a file of a newer version, and other StoreErrors when the file cannot be used.
        """
        path = Path(path)
        if not path.exists() and (read_only or not create):
            raise StoreReadOnly(f"{path} is not there. `resonance import FILE` or `resonance run` makes it.")
        store = cls(path, read_only=read_only, busy_seconds=busy_seconds)
        try:
            store._prepare()
        except BaseException:
            store.close()
            raise
        return store

    def _prepare(self) -> None:
        with self.translating():
            self._must_be_ours()
            version = self._version()
            if version > SCHEMA_VERSION:
                raise SchemaTooNew(
                    f"{self.path} was written by a newer resonance (schema {version}, this one knows "
                    f"{SCHEMA_VERSION}). Install the newer version again; the file is untouched."
                )
            if version < SCHEMA_VERSION and not self.read_only:
                self._migrate()

    def _version(self) -> int:
        return int(self.connection.execute("PRAGMA user_version").fetchone()[0])

    def _must_be_ours(self) -> None:
        """Another program's database, or an empty file that cannot be written, is left alone."""
        known = self.connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        tables = {row[0] for row in self.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if known or "_sqlite_migrations" in tables or not (tables or self.read_only):
            return
        if tables:
            raise StoreForeign(f"{self.path} is a database of another program. Name another file under `database`.")
        raise StoreReadOnly(f"{self.path} is empty. `resonance import FILE` or `resonance run` fills it.")

    def _migrate(self) -> None:
        """To the newest schema in one transaction: killed midway, the file is as it was, its backup beside it."""
        connection = self.connection
        self._keep_a_log()
        with self.write():
            version = self._version()
            if version == SCHEMA_VERSION:
                return  # another process was faster
            if version > 0:
                self.backup(self.path.with_name(f"{self.path.name}.backup-{version}"))
            migrations.apply(Database(connection))
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _keep_a_log(self) -> None:
        """Write-ahead logging, on for good; waits for others who switch it on too.

        SQLite itself does not wait there: two readers who both want the file alone would wait for each other.
        """
        until = time.monotonic() + self.busy_seconds
        while True:
            try:
                with self.translating():
                    self.connection.execute("PRAGMA journal_mode = WAL")
                return
            except StoreBusy:
                if time.monotonic() >= until:
                    raise
                time.sleep(random.uniform(0.005, 0.05))

    @property
    def connection(self) -> sqlite3.Connection:
        """This thread's connection; rows answer by name."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            self._local.connection = connection
        return connection

    def _connect(self) -> sqlite3.Connection:
        with self.translating():
            if self.read_only:
                connection = sqlite3.connect(
                    f"{self.path.absolute().as_uri()}?mode=ro",
                    uri=True,
                    timeout=self.busy_seconds,
                    check_same_thread=False,
                )
            else:
                connection = sqlite3.connect(self.path, timeout=self.busy_seconds, check_same_thread=False)
            with self._all_lock:
                self._all.append(connection)
            connection.isolation_level = None
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA cache_size = -32000")
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
        return connection

    @property
    def db(self) -> Database:
        """This thread's connection as sqlite-utils knows it."""
        return Database(self.connection)

    def query(self, sql: str, parameters: Any = ()) -> list[sqlite3.Row]:
        """All rows of a question."""
        with self.translating():
            return self.connection.execute(sql, parameters).fetchall()

    def one(self, sql: str, parameters: Any = ()) -> Any:
        """The first column of the first row, or None."""
        with self.translating():
            row = self.connection.execute(sql, parameters).fetchone()
        return None if row is None else row[0]

    def shrink(self) -> None:
        """Forget the pages of the file that this thread keeps in memory."""
        with self.translating():
            self.connection.execute("PRAGMA shrink_memory")

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One write transaction, committed whole or not at all; a transaction within one joins it."""
        connection = self.connection
        with self._writer, self.translating():
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.commit()
            except BaseException:
                connection.rollback()  # a commit that failed leaves its transaction open
                raise

    @contextmanager
    def translating(self) -> Iterator[None]:
        """Errors of SQLite that people can mend become StoreErrors."""
        try:
            yield
        except StoreError:
            raise
        except sqlite3.Error as error:
            told = translated(error, self.path)
            if told is None:
                raise
            raise told from error

    def checkpoint(self) -> int:
        """Write the log back into the file as far as readers allow; returns how many bytes of it are left.

        A reader that goes on is not waited for: meanwhile nobody could write.
        """
        with self.translating():
            _, pages, written = self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self.connection.execute(f"PRAGMA busy_timeout = {CHECKPOINT_MILLISECONDS}")
            try:
                if pages == written:  # or it would wait for the reader, with the file locked
                    self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                self.connection.execute(f"PRAGMA busy_timeout = {round(self.busy_seconds * 1000)}")
        log = self.path.with_name(f"{self.path.name}-wal")
        return log.stat().st_size if log.exists() else 0

    def backup(self, target: Path) -> None:
        """A whole copy of the file, made while others may write; `target` appears only when it is complete."""
        part = target.with_name(f"{target.name}.part")
        try:
            with self.translating(), closing(sqlite3.connect(part)) as copy, closing(sqlite3.connect(self.path)) as own:
                own.backup(copy)  # a connection of its own: this thread's may be writing
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def close(self) -> None:
        """Close every thread's connection."""
        with self._all_lock:
            for connection in self._all:
                connection.close()
            self._all.clear()
        self._local = threading.local()
