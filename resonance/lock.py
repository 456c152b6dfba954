"""One daemon per file: a lock that the kernel gives back however the process ends."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

from resonance.errors import UserError

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]


class AlreadyRunning(UserError):
    """Another daemon holds the file."""


class InstanceLock:
    """Held while a daemon works on a database; refuses a second one and names the first one's process."""

    def __init__(self, database: Path) -> None:
        """The lock lies beside the database."""
        self.path = database.with_name(f"{database.name}.lock")
        self.database = database
        self._file: int | None = None

    def __enter__(self) -> InstanceLock:
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        if fcntl is not None:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                pid = os.read(self._file, 20).decode("ascii", "replace").strip() or "unknown"
                os.close(self._file)
                self._file = None
                raise AlreadyRunning(
                    f"{self.database} is already in the hands of the resonance daemon with pid {pid}. "
                    f"Stop that one first (kill {pid}), or use another database."
                ) from None
        os.truncate(self._file, 0)
        os.write(self._file, str(os.getpid()).encode())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
