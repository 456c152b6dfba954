"""Rate limits in fixed windows, by the clock that is given."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left after a request; `remaining` is -1 when the request was one too many."""

    limit: int
    remaining: int
    reset: datetime


class RateLimiter:
    """Counts requests by key in windows of `seconds`, from the first request or aligned to the epoch."""

    def __init__(self, seconds: int, aligned: bool = False) -> None:
        self.seconds, self.aligned = seconds, aligned
        self._windows: dict[str, tuple[datetime, int]] = {}
        self._lock = threading.Lock()

    def take(self, key: str, limit: int, now: datetime) -> Allowance:
        """Count one request of `key` at `now`."""
        with self._lock:
            reset, used = self._windows.get(key, (now, 0))
            if now >= reset:
                reset, used = self._next_reset(now), 0
            used = min(used + 1, limit + 1)
            self._windows[key] = (reset, used)
        return Allowance(limit, max(limit - used, -1), reset)

    def _next_reset(self, now: datetime) -> datetime:
        if not self.aligned:
            return now + timedelta(seconds=self.seconds)
        epoch = int(now.timestamp())
        return datetime.fromtimestamp(epoch - epoch % self.seconds + self.seconds, UTC)
