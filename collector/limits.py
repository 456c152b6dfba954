"""Rate-limit windows as the networks' headers tell them, looked at before a request is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from collector.errors import RateLimited
from collector.fields import moment

LONGEST = timedelta(hours=1)
SHORTEST = timedelta(seconds=1)


@dataclass(slots=True)
class _Window:
    left: int
    until: datetime


class Windows:
    """The windows of one source, by endpoint. Times are the caller's: the server's clock only counts the difference."""

    def __init__(self, source: str, prefix: str, usual: timedelta) -> None:
        """`prefix` begins the headers' names; `usual` is the wait when a refusal does not say how long."""
        self.source, self.prefix, self.usual = source, prefix, usual
        self._windows: dict[str, _Window] = {}
        self._refusals: dict[str, int] = {}

    def before(self, endpoint: str, now: datetime) -> None:
        """Raise RateLimited when the window is known to be used up, instead of asking for a refusal."""
        window = self._windows.get(endpoint)
        if window and window.left <= 0 and now < window.until:
            raise self._limited(endpoint, window.until)

    def after(self, endpoint: str, headers: Mapping[str, str], now: datetime) -> None:
        """Take in the headers of an answer."""
        self._refusals.pop(endpoint, None)
        left, wait = _number(headers.get(f"{self.prefix}-remaining")), self._wait(headers)
        if left is None or wait is None:
            self._windows.pop(endpoint, None)
        else:
            self._windows[endpoint] = _Window(int(left), now + wait)

    def refused(self, endpoint: str, headers: Mapping[str, str], now: datetime) -> RateLimited:
        """The error for a 429; without a reset time the wait doubles with each refusal in a row."""
        tries = self._refusals.get(endpoint, 0)
        self._refusals[endpoint] = tries + 1
        wait = self._wait(headers) or min(self.usual * 2 ** min(tries, 6), LONGEST)
        self._windows[endpoint] = _Window(0, now + wait)
        return self._limited(endpoint, now + wait)

    def _limited(self, endpoint: str, until: datetime) -> RateLimited:
        told = f"the requests that the network allows in its window are used up ({endpoint})."
        return RateLimited(self.source, told, until, "If that happens often, watch fewer topics or collect less often.")

    def _wait(self, headers: Mapping[str, str]) -> timedelta | None:
        after = _number(headers.get("retry-after"))
        if after is not None:
            return _bounded(timedelta(seconds=min(after, 86_400)))
        reset, date = _time(headers.get(f"{self.prefix}-reset")), _date(headers.get("date"))
        if reset is None or date is None:
            return None
        return _bounded(reset - date)


def _bounded(wait: timedelta) -> timedelta:
    return min(max(wait, SHORTEST), LONGEST)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 <= number < 1e12 else None


def _time(text: str | None) -> datetime | None:
    """A reset as X (seconds of the epoch) or Mastodon (ISO 8601) writes it."""
    number = _number(text)
    return moment(text) if number is None else datetime.fromtimestamp(min(number, 1e11), UTC)


def _date(text: str | None) -> datetime | None:
    try:
        return moment(parsedate_to_datetime(text or ""))
    except (ValueError, TypeError):
        return None
