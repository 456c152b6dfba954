"""What was known when: a topic's posts by 15 minutes as of any moment, and how far each network had been read.

A post is known from its `first_seen`, an imported one from its `created_at`; its label with it, a correction from its
own time. The store keeps what was observed, not since when that was known: how far a network had been read at a moment
follows from the posts that had arrived. It is the last arrival, or one usual delay ago while nothing was posted. Posts
that arrived late (the daemon was off) show that meanwhile nothing was read.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from resonance.pipeline.detectors.trend import HISTORY, RECENT
from resonance.pipeline.score import current_model
from store import Store
from store.emotion_bins import SHOWN
from store.records import iso
from store.topic_hours import BIN, Bins

FELT = 7  # the first column of the emotions in a topic's events
STEP = int(BIN.total_seconds())
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_POSTS = """
SELECT p.network, unixepoch(m.created_at) AS created, unixepoch(p.first_seen) AS seen, p.imported, p.id, s.label,
  {emotions} AS emotions
FROM matches m JOIN posts p ON p.id = m.post_id
LEFT JOIN sentiments s ON s.post_id = p.id AND s.text_hash = p.text_hash AND s.model = :model AND s.version = :version
WHERE m.topic = :topic AND m.own = 0 AND m.created_at >= :start AND m.created_at < :end
"""


def seconds(moment: datetime) -> int:
    """Unix seconds."""
    return int(moment.timestamp())


@dataclass(frozen=True, slots=True)
class Reading:
    """How far one network had been read for a topic (unix seconds)."""

    observed: Sequence[tuple[int, int]]  # periods, ascending
    arrivals: Ints  # of live posts, ascending
    created: Ints  # of live posts, ascending ...
    seen: Ints  # ... and when each of these was seen
    imported_until: int  # -1: nothing was imported
    delay: int  # how long a post usually takes to be seen, at most

    @classmethod
    def of(cls, observed: Sequence[tuple[int, int]], created: Ints, seen: Ints, imported: NDArray[np.bool_]) -> Reading:
        """From the posts of a network; `imported` ones were known at once."""
        live = ~imported
        order = np.argsort(created[live], kind="stable")
        waits = (seen - created)[live]
        delay = int(np.clip(2 * np.median(waits), 60, 3600)) if len(waits) else 60
        until = int(created[imported].max()) if imported.any() else -1
        arrivals = np.unique(seen[live])
        return cls(sorted(observed), arrivals, created[live][order], seen[live][order], until, delay)

    def upto(self, now: int) -> int:
        """The moment up to which everything observed had been read by `now`."""
        if now <= self.imported_until:
            return now
        at = int(np.searchsorted(self.arrivals, now, side="right")) - 1
        last = max(self.imported_until, int(self.arrivals[at]) if at >= 0 else -1)
        quiet = max(last, now - self.delay)
        following = int(np.searchsorted(self.created, last, side="right"))
        if following < len(self.created):
            prompt = self.seen[following] - self.created[following] <= 2 * self.delay
            return min(now, quiet) if prompt else last
        return min(now, max(last, min(quiet, self.observed[-1][1] if self.observed else -1)))

    def covered_until(self, now: int) -> int:
        """The end of the last period that was known by `now` to be observed; -1: none."""
        upto = self.upto(now)
        return max((min(end, upto) for start, end in self.observed if start <= upto), default=-1)


class Ledger:
    """Posts, scored, negative and positive ones by network and 15 minutes as known at a moment that only moves on."""

    def __init__(self, events: Ints, networks: int, bins: int) -> None:
        """`events` (n, 7 + 2 emotions): known at, network, bin, and what they add to each sum; ascending.

        The sums are posts, scored, negative, positive, and for each emotion those that show it and those of which the
        model said.
        """
        self.events, self.done = events, 0
        self.sums = np.zeros((events.shape[1] - 3, networks, bins), np.int64)

    def advance(self, now: int) -> None:
        """Count what had become known by `now`."""
        end = int(np.searchsorted(self.events[:, 0], now, side="right"))
        part = self.events[self.done : end]
        for row in range(len(self.sums)):
            np.add.at(self.sums[row], (part[:, 1], part[:, 2]), part[:, 3 + row])
        self.done = max(self.done, end)


@dataclass(frozen=True, slots=True)
class TopicHistory:
    """A topic's posts on a whole grid of 15 minutes from `origin` (unix seconds) on."""

    networks: list[str]
    readings: list[Reading]
    coverage: Floats  # (networks, bins): observed share, by what is known today
    events: Ints
    origin: int
    imported: int  # posts for which created_at stands in
    posts: int
    emotions: tuple[str, ...] = ()

    def ledger(self) -> Ledger:
        """Nothing is known yet."""
        return Ledger(self.events, len(self.networks), self.coverage.shape[1])

    def networks_at(self, now: int) -> tuple[int, ...]:
        """The networks that had been read lately, as detection would have taken them."""
        oldest = now - int(RECENT.total_seconds())
        return tuple(i for i, reading in enumerate(self.readings) if reading.covered_until(now) >= oldest)

    def bins(self, ledger: Ledger, networks: Sequence[int], start: int, now: int) -> Bins:
        """The grid from `start` to the last whole 15 minutes before `now`, by what the ledger knows at `now`."""
        first, last = max(0, (start - self.origin) // STEP), (now - self.origin) // STEP
        rows = np.arange(first, last)
        begins = self.origin + rows * STEP
        chosen = list(networks)
        covered = np.ones(len(rows))
        for i in chosen:
            read = np.clip((self.readings[i].upto(now) - begins) / STEP, 0, 1)
            covered = np.minimum(covered, np.minimum(self.coverage[i, first:last], read))
        posts, scored, negative, positive, *more = ledger.sums[:, chosen, first:last].sum(axis=1).tolist()
        felt = {name: (more[2 * i], more[2 * i + 1]) for i, name in enumerate(self.emotions)}
        times = [datetime.fromtimestamp(t, UTC) for t in begins.tolist()]
        return Bins(times, posts, scored, negative, positive, covered.tolist(), emotions=felt)

    @property
    def delay(self) -> int:
        """Seconds that a live post usually took to be seen; 0 without live posts."""
        return max((r.delay for r in self.readings if len(r.arrivals)), default=0)


def read_history(
    store: Store, topic: str, since: datetime, until: datetime, emotions: Sequence[str] = ()
) -> TopicHistory:
    """Everything that the trend detectors need between `since` and `until`, the weeks before included."""
    origin = seconds(since - HISTORY) // STEP * STEP
    count = (seconds(until) - origin) // STEP + 1
    model = current_model(store)
    rows = store.query(
        _POSTS.format(emotions="s.emotions" if emotions else "NULL"),
        {
            **{"topic": topic, "start": iso(datetime.fromtimestamp(origin, UTC)), "end": iso(until)},
            **{"model": model.name if model else "", "version": model.version if model else ""},
        },
    )
    observed = store.query(
        "SELECT network, unixepoch(start_utc), unixepoch(end_utc) FROM observations WHERE topic = ?", (topic,)
    )
    networks = sorted({row[0] for row in observed})
    readings, coverage = [], np.zeros((len(networks), count))
    for i, network in enumerate(networks):
        mine = [row for row in rows if row["network"] == network]
        created, seen, imported = (
            np.array([row[name] for row in mine], np.int64) for name in ("created", "seen", "imported")
        )
        periods = [(int(row[1]), int(row[2])) for row in observed if row[0] == network]
        readings.append(Reading.of(periods, created, seen, imported.astype(bool)))
        coverage[i] = _covered(periods, origin, count)
    events = _events(rows, _corrections(store), networks, origin, count, emotions)
    return TopicHistory(
        *(networks, readings, coverage, events, origin),
        *(sum(bool(row["imported"]) for row in rows), len(rows), tuple(emotions)),
    )


def _covered(periods: Sequence[tuple[int, int]], origin: int, count: int) -> Floats:
    """Observed share of each bin: the difference of the observed time up to its two edges."""
    edges = origin + np.arange(count + 1) * STEP
    total = np.zeros(count + 1)
    for start, end in periods:
        total += np.clip(edges - start, 0, max(0, end - start))
    return np.minimum(np.diff(total) / STEP, 1.0)


def _corrections(store: Store) -> dict[str, list[tuple[int, str]]]:
    found: dict[str, list[tuple[int, str]]] = {}
    for row in store.query("SELECT post_id, unixepoch(at), label FROM corrections ORDER BY id"):
        found.setdefault(row[0], []).append((int(row[1]), row[2]))
    return found


def _events(
    rows: Sequence[sqlite3.Row],
    corrections: dict[str, list[tuple[int, str]]],
    networks: list[str],
    origin: int,
    count: int,
    emotions: Sequence[str],
) -> Ints:
    index = {network: i for i, network in enumerate(networks)}
    events: list[tuple[int, ...]] = []
    unfelt = (0,) * (2 * len(emotions))
    for network, created, seen, imported, post_id, label, felt in map(tuple, rows):
        place = (created - origin) // STEP
        if network not in index or not 0 <= place < count:
            continue
        known = created if imported else seen
        shown = _felt(felt, emotions) if felt else unfelt
        events.append((known, index[network], place, 1, int(label is not None), *_sides(label), *shown))
        for at, corrected in corrections.get(post_id, ()):
            change = (new - old for new, old in zip(_sides(corrected), _sides(label), strict=True))
            events.append((max(at, known), index[network], place, 0, int(label is None), *change, *unfelt))
            label = corrected
    return np.array(sorted(events), np.int64).reshape(-1, FELT + len(unfelt))


def _sides(label: str | None) -> tuple[int, int]:
    """What a post adds to the negative and to the positive ones."""
    return int(label == "negative"), int(label == "positive")


def _felt(said: str, emotions: Sequence[str]) -> tuple[int, ...]:
    """For each emotion whether a post shows it, and whether the model said."""
    values = json.loads(said)
    return tuple(n for e in emotions for n in (int(values.get(e, 0) >= SHOWN), int(e in values)))
