"""The daemon's clock: the present moment, and how fast it passes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """The real time, unless told otherwise.

    With a `rate`, every second of this machine's clock since `started` is that many seconds from `begins` on: processes
    that share the three numbers live in the same present. Weeks of the daemon are tried in minutes with it.
    """

    begins: datetime = EPOCH
    started: datetime = EPOCH
    rate: float = 1.0

    def __call__(self) -> datetime:
        """The present moment, UTC."""
        return self.begins + (datetime.now(UTC) - self.started) * self.rate

    def lasts(self, span: timedelta) -> timedelta:
        """How long `span` takes on this machine."""
        return span / self.rate
