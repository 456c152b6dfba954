"""Reading a newest-first list to its end, so that a death midway leaves no hole.

The cursor of a stream, as JSON:

    since_id    newest id of the FIRST page of the last window that was read to its end
    read_until  everything up to here has been read (our clock, less the index's delay)
    gap_from, gap_until   the last known gap
    swept       the UTC day of the last sweep
    pending     a window begun and not ended: its bounds, where it goes on (token, oldest_id), its newest_id

since_id moves only when a window's last page arrives, and it stays the same while paging.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event

from collector.base import Cursor, stopped
from collector.errors import Refused
from collector.fields import Fields, digits, items, mapping, moment
from collector.x.client import Answer, Window
from collector.x.ids import id_at, moment_of
from collector.x.parse import parse
from store.records import Checkpoint, Gap, Page, from_iso, iso

LAG = timedelta(seconds=30)  # X shows posts about this late, and the default end of a window is now minus this
OVERLAP = timedelta(minutes=3)  # read again each time: ids are only generally ascending
QUIET_OVERLAP = timedelta(hours=1)  # where only our own clock says how far we read
FIRST = timedelta(hours=24)  # how far the first visit goes back
OLDEST = timedelta(days=7)
MARGIN = timedelta(minutes=10)  # the oldest moment that X allows moves on while we ask and page
SWEEP_HOUR = 23  # UTC; reading a post again within its UTC day costs nothing
SWEEP = timedelta(hours=6)
MAX_PAGES = 50  # of one stream in one round, so that the others get their turn
_LONG_NUMBER = re.compile(r"\d{10,20}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z")

Ask = Callable[[Window], Answer]


@dataclass(slots=True)
class Walk:
    """One stream's way; iterate it, then look at `complete` and `cursor`."""

    stream: str
    ask: Ask
    cursor: Cursor
    topic: str | None
    now: datetime
    stop: Event | None = None
    sweeps: bool = False
    known: datetime | None = None
    """Until when other searches have read the topic: a new one goes back to there, if that is more than a day."""
    complete: bool = False
    pages: int = field(default=0)
    _gap: Gap | None = None

    def __iter__(self) -> Iterator[Page]:
        """The pages, each with its checkpoint: first what is left of an interrupted window, then the new one."""
        if "pending" in self.cursor:
            yield from self._window(dict(self.cursor["pending"]))
            if "pending" in self.cursor:
                return
        yield from self._window(self._new())
        self.complete = "pending" not in self.cursor and not stopped(self.stop)

    def _new(self) -> Cursor:
        window: Cursor = {"since_id": None, "start": None, "until": iso(self.now - LAG)}
        newest = digits(self.cursor.get("since_id"))
        read_until = moment(self.cursor.get("read_until"))
        if newest and not (read_until and moment_of(newest) < read_until - OLDEST / 2):
            since = moment_of(newest) - OVERLAP
        elif read_until:  # long silence: nothing newer was there when we last looked
            since = read_until - QUIET_OVERLAP
        else:
            window["start"] = iso(self._first())
            return window
        if self.sweeps and self.now.hour == SWEEP_HOUR and self.cursor.get("swept") != self.now.date().isoformat():
            window["swept"] = self.now.date().isoformat()
            since = min(since, max(self.now - SWEEP, self.now.replace(hour=0, minute=0, second=0, microsecond=0)))
        window["since_id"] = id_at(since)
        return window

    def _first(self) -> datetime:
        """Where a first visit begins."""
        first = min(self.now - FIRST, self.known or self.now)
        oldest = self.now - OLDEST + MARGIN
        if first < oldest:
            self._gap = self._missing(first, oldest)
        return max(first, oldest)

    def _missing(self, start: datetime, end: datetime) -> Gap:
        self.cursor["gap_from"], self.cursor["gap_until"] = iso(start), iso(end)
        return Gap("x", self.topic, start, end, "not asked in time: X answers for the last seven days only")

    def _window(self, window: Cursor) -> Iterator[Page]:
        while self.pages < MAX_PAGES and not stopped(self.stop):
            self.pages += 1
            answer, gap = self._answer(window)
            page = parse(answer.body, self.now).page
            page.spend = answer.spend
            page.gaps += [found for found in (gap, self._gap) if found]
            self._gap = None
            self._advance(window, answer)
            page.checkpoint = Checkpoint("x", self.stream, dict(self.cursor))
            done = "pending" not in self.cursor
            yield page
            if done:
                return

    def _answer(self, window: Cursor) -> tuple[Answer, Gap | None]:
        try:
            return self._ask(window), None
        except Refused as refusal:
            if (
                window.get("token") and refusal.status == 400
            ):  # tokens may not last for ever: go on below the oldest post that was read
                window["token"] = None
                return self._answer(window)
            gap = self._reset(window, refusal)
            return self._ask(window), gap

    def _ask(self, window: Cursor) -> Answer:
        token = window.get("token")
        start = from_iso(window["start"]) if window.get("start") else None
        until = None if token else window.get("oldest_id")
        return self.ask(Window(window.get("since_id"), start, until, token))

    def _reset(self, window: Cursor, refusal: Refused) -> Gap | None:
        """A window that begins too early: begin where the network's message allows, and record what is missing."""
        lowest = lowest_allowed(refusal.told)
        if refusal.status != 400 or lowest is None:
            raise refusal
        begins = moment_of(str(lowest)) + MARGIN
        window["since_id"], window["start"] = id_at(begins), None
        read_until = moment(self.cursor.get("read_until"))
        if read_until is None or read_until >= begins:
            return None
        return self._missing(read_until, begins)

    def _advance(self, window: Cursor, answer: Answer) -> None:
        meta = mapping(answer.body.get("meta"))
        ids = [int(key) for item in items(answer.body.get("data")) if (key := digits(item.get("id")))]
        newest, oldest = (
            _bound(meta, "newest_id", max(ids, default=None)),
            _bound(meta, "oldest_id", min(ids, default=None)),
        )
        window.setdefault("newest_id", newest)
        window["oldest_id"] = oldest or window.get("oldest_id")
        window["token"] = answer.next_token
        if answer.next_token:
            self.cursor["pending"] = dict(window)
            return
        self.cursor.pop("pending", None)
        known = [int(key) for value in (window["newest_id"], self.cursor.get("since_id")) if (key := digits(value))]
        if known:
            self.cursor["since_id"] = str(max(known))
        self.cursor["read_until"] = max(window["until"], self.cursor.get("read_until") or "")
        if "swept" in window:
            self.cursor["swept"] = window["swept"]


def _bound(meta: Fields, name: str, otherwise: int | None) -> str | None:
    return digits(meta.get(name)) or (str(otherwise) if otherwise is not None else None)


def lowest_allowed(message: str) -> int | None:
    """The lowest id that X's message about a too old since_id or start_time allows."""
    if "since_id" in message:
        numbers = _LONG_NUMBER.findall(message)
        return int(numbers[-1]) if numbers else None
    if "start_time" in message:
        times = [when for text in _TIME.findall(message) if (when := moment(text))]
        return int(id_at(times[-1] + timedelta(minutes=1))) if times else None
    return None
