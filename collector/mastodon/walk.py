"""Reading a timeline forward, completely, and again a little way back for what came late.

The cursor of a stream, as JSON (ids are opaque, they are only handed back):

    head        the newest status of the last walk that came to its end
    trail       [[time, head at that time], ...], where re-scans may begin
    rescan      when the last few hours were read again; sweep: when the last day was
    read_until  when the last walk to the end began
    walk        a walk begun and not ended: where it is (`at`), its `kind`, when it `begun`
    back        a first visit begun and not ended: how far back it is (`max_id`), until when it goes (`until`)

`since_id` would return the newest page and leave a gap; `min_id` walks forward page by page until an empty one.
Statuses that the server fetches later get ids by their time, below the head: hence the re-scans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event

from collector.base import Cursor, stopped
from collector.fields import Fields, moment, word
from store.records import Checkpoint, Page, from_iso, iso

FIRST = timedelta(hours=24)
RESCAN, RESCAN_EVERY = timedelta(hours=3), timedelta(hours=1)
SWEEP, SWEEP_EVERY = timedelta(hours=25), timedelta(hours=24)
MARK_EVERY = timedelta(minutes=30)
MAX_PAGES = 50

Ask = Callable[[dict[str, str]], Sequence[Fields]]
Read = Callable[[Sequence[Fields]], Page]


@dataclass(slots=True)
class Walk:
    """One stream's way; iterate it, then look at `complete` and `cursor`."""

    source: str
    stream: str
    ask: Ask
    read: Read
    cursor: Cursor
    now: datetime
    stop: Event | None = None
    known: datetime | None = None
    """Until when the topic has been read by other streams: a new one goes back to there, if that is more than a day."""
    complete: bool = False

    def __iter__(self) -> Iterator[Page]:
        """The pages, each with its checkpoint."""
        yield from self._forward() if self.cursor.get("head") else self._back()

    def _page(self, statuses: Sequence[Fields]) -> Page:
        page = self.read(statuses)
        page.checkpoint = Checkpoint(self.source, self.stream, dict(self.cursor))
        return page

    def _back(self) -> Iterator[Page]:
        """The first visit: newest first, a day back or more; only its end sets the head."""
        until = min(self.now - FIRST, self.known or self.now)
        begun = {"begun": iso(self.now), "until": iso(until), "head": None, "max_id": None}
        back: Cursor = dict(self.cursor.get("back") or begun)
        for _ in range(MAX_PAGES):
            if stopped(self.stop):
                return
            statuses = self.ask({"max_id": back["max_id"]} if back["max_id"] else {})
            ids = [key for status in statuses if (key := word(status.get("id")))]
            back["head"] = back["head"] or _newest(statuses)
            done = not ids or ids[-1] == back["max_id"] or _oldest(statuses, self.now) < from_iso(back["until"])
            if done:
                self._arrived(back["head"], back["begun"])
            else:
                back["max_id"] = ids[-1]
                self.cursor["back"] = dict(back)
            yield self._page(statuses)
            if done:
                return

    def _forward(self) -> Iterator[Page]:
        walk: Cursor = dict(self.cursor.get("walk") or self._begin())
        for _ in range(MAX_PAGES):
            if stopped(self.stop):
                return
            statuses = self.ask({"min_id": walk["at"]})
            newest = _newest(statuses)
            done = newest is None or newest == walk["at"]
            if done:
                if walk["kind"] != "forward":
                    self.cursor[walk["kind"]] = walk["begun"]
                self._arrived(walk["at"], walk["begun"])
            else:
                walk["at"] = newest
                self.cursor["walk"] = dict(walk)
            yield self._page(statuses)
            if done:
                return

    def _begin(self) -> Cursor:
        """From the head; every hour from three hours before, every day from a day before."""
        for kind, every, back in (("sweep", SWEEP_EVERY, SWEEP), ("rescan", RESCAN_EVERY, RESCAN)):
            last = moment(self.cursor.get(kind))
            if last is None or self.now - last >= every:
                return {"at": self._mark(self.now - back), "kind": kind, "begun": iso(self.now)}
        return {"at": self.cursor["head"], "kind": "forward", "begun": iso(self.now)}

    def _mark(self, when: datetime) -> str:
        trail = self.cursor.get("trail") or [[iso(when), self.cursor["head"]]]
        before = [key for at, key in trail if from_iso(at) <= when]
        return str(before[-1] if before else trail[0][1])

    def _arrived(self, head: str | None, begun: str) -> None:
        for name in ("walk", "back"):
            self.cursor.pop(name, None)
        self.complete = True
        self.cursor["read_until"] = begun
        if head is None:
            return
        self.cursor["head"] = head
        trail = [mark for mark in self.cursor.get("trail", []) if self.now - from_iso(mark[0]) <= SWEEP + RESCAN]
        if not trail or from_iso(begun) - from_iso(trail[-1][0]) >= MARK_EVERY:
            trail.append([begun, head])
        self.cursor["trail"] = trail
        for kind in ("rescan", "sweep"):
            self.cursor.setdefault(kind, begun)


def _newest(statuses: Sequence[Fields]) -> str | None:
    """The first of the page is the newest, unless it is pinned above its time."""
    return next(
        (key for status in statuses if status.get("pinned") is not True and (key := word(status.get("id")))), None
    )


def _oldest(statuses: Sequence[Fields], otherwise: datetime) -> datetime:
    times = [when for status in statuses if (when := moment(status.get("created_at")))]
    return times[-1] if times else otherwise
