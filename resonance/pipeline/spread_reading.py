"""Reading cascades from the store, many posts at a time and as columns: most are passed on a few times only."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

import numpy as np

from analysis.cascades import Cascade, from_counts
from analysis.cascades.series import Floats, Ints
from analysis.cascades.stars import stars
from analysis.cascades.tree import Shape, Share, shape, shape_of_counts
from analysis.graph import BoolArray
from config import Topic
from resonance.pipeline.reading import columns, pieces
from store import Store
from store.records import from_iso, iso
from store.suspects import suspected_now

TOLD = 0.8  # share of the counted reshares that must be known by time, for the times to be used
PIECE = 2_000  # posts read at a time


@dataclass(frozen=True, slots=True)
class Spread:
    """One followed post."""

    post_id: str
    started: datetime
    known_until: datetime
    cascade: Cascade
    shape: Shape
    per_hour: float
    left_out: int


def read_spreads(
    store: Store, topic: Topic, roots: Sequence[sqlite3.Row], members: Mapping[str, str], now: datetime
) -> list[Spread]:
    """The cascades of some posts, from timed reactions where they are known, else from their counts.

    Those of whom nothing is known are left out. `members`: account -> community.
    """
    suspects = suspected_now(store.connection, topic.slug)
    found: list[Spread] = []
    for begin in range(0, len(roots), PIECE):
        found += _piece(store, roots[begin : begin + PIECE], suspects, members, now)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Edges:
    """m reshares and quotes of some posts, by post, then time.

    `post`: (m,) position of what was passed on; `via`: the quote, empty for a reshare; `time`: (m,) unix seconds, the
    latest possible; `exact`: (m,) whether it is known; `honest`: (m,) neither by a suspect nor by a declared bot.
    """

    post: Ints
    source: list[str]
    via: list[str]
    time: Floats
    exact: BoolArray
    followers: Floats
    honest: BoolArray

    @classmethod
    def of(cls, store: Store, posts: Sequence[str], suspects: frozenset[str], now: datetime) -> _Edges:
        """Those of some posts up to now."""
        rows = pieces(
            store,
            """SELECT j.key, i.source_id, i.via_post_id, unixepoch(i.time_high), i.time_low IS i.time_high,
                 a.followers, a.bot
               FROM json_each(?) j JOIN interactions i ON i.target_post_id = j.value
               LEFT JOIN accounts a ON a.id = i.source_id
               WHERE i.kind IN ('reshare', 'quote') AND i.time_high <= ?""",
            (json.dumps(posts), iso(now)),
        )
        told = columns(list(chain.from_iterable(rows)), 7)
        post, time = np.array(told[0], np.int64), np.array(told[3], float)
        order = np.lexsort((time, post))
        source = [told[1][i] for i in order.tolist()]
        bot = np.array(told[6], float)[order] == 1  # None, where the account is not known, becomes NaN
        suspect = np.fromiter((name in suspects for name in source), bool, len(source))
        return cls(
            post[order],
            source,
            [told[2][i] for i in order.tolist()],
            time[order],
            np.array(told[4], bool)[order],
            np.array(told[5], float)[order],
            ~(bot | suspect),
        )

    def select(self, keep: BoolArray) -> _Edges:
        """Some of them."""
        chosen = np.flatnonzero(keep)
        return _Edges(
            self.post[chosen],
            [self.source[i] for i in chosen.tolist()],
            [self.via[i] for i in chosen.tolist()],
            self.time[chosen],
            self.exact[chosen],
            self.followers[chosen],
            self.honest[chosen],
        )

    def count(self, posts: int) -> Ints:
        """How many each post has, shape (posts,)."""
        return np.bincount(self.post, minlength=posts)


def _piece(
    store: Store,
    roots: Sequence[sqlite3.Row],
    suspects: frozenset[str],
    members: Mapping[str, str],
    now: datetime,
) -> Iterator[Spread]:
    posts, began = [row["id"] for row in roots], [from_iso(row["created_at"]) for row in roots]
    started = np.array([moment.timestamp() for moment in began])
    edges = _Edges.of(store, posts, suspects, now)
    edges = edges.select(edges.exact & (edges.time >= started[edges.post]))
    timed = edges.count(len(posts)) >= TOLD * np.array([row["counted"] or 0 for row in roots])
    edges = edges.select(timed[edges.post])
    kept = edges.select(edges.honest)
    size, gone = kept.count(len(posts)), edges.count(len(posts)) - kept.count(len(posts))
    ages = kept.time - started[kept.post]
    recent = np.bincount(kept.post, _lately(ages, (now.timestamp() - started)[kept.post]), minlength=len(posts))
    forms = stars([row["author_id"] or "" for row in roots], size, kept.source, ages, members)
    onwards, counted = _onwards(store, edges, suspects, now), _counts(store, posts)
    end = np.cumsum(size)
    for i, row in enumerate(roots):
        followers = float(row["followers"]) if row["followers"] is not None else float("nan")
        if timed[i]:
            mine = slice(int(end[i] - size[i]), int(end[i]))
            form, left_out = forms[i], int(gone[i])
            if i in onwards or not _distinct(kept.source[mine], kept.via[mine]):
                further = onwards.get(i, [])
                honest = [share for share, ok in further if ok]
                left_out += len(further) - len(honest)
                form = _tree(row, started[i], kept, mine, honest, members)
            cascade = Cascade(ages[mine], kept.followers[mine], followers)
            until = max([began[i], *(from_iso(t) for t in (row["deep_at"], row["counted_at"]) if t)])
            yield Spread(row["id"], began[i], min(until, now), cascade, form, float(recent[i]), left_out)
        elif row["id"] in counted:
            yield _from_counts(row, began[i], counted[row["id"]], followers, now)


def _lately(ages: Floats, now: Floats) -> BoolArray:
    """Which came within the last hour."""
    found: BoolArray = (ages <= now) & (ages > now - 3600)
    return found


def _distinct(source: Sequence[str], via: Sequence[str]) -> bool:
    """Whether no reshare is told twice."""
    return len({v or s for s, v in zip(source, via, strict=True)}) == len(source)


def _share(source: str, via: str, time: float, parent: str) -> Share:
    return Share(via or f"{source}>{parent}", source, max(0.0, time), parent)


def _tree(
    row: sqlite3.Row, started: float, kept: _Edges, mine: slice, onwards: Sequence[Share], members: Mapping[str, str]
) -> Shape:
    """The shape of a cascade that may be more than a star; the times of `onwards` are unix seconds."""
    times = (kept.time[mine] - started).tolist()
    shares = [_share(*told, row["id"]) for told in zip(kept.source[mine], kept.via[mine], times, strict=True)]
    shares += [Share(s.id, s.account, max(0.0, s.time - started), s.parent) for s in onwards]
    return shape(Share(row["id"], row["author_id"] or "", 0.0), shares, members)


def _onwards(
    store: Store, edges: _Edges, suspects: frozenset[str], now: datetime
) -> dict[int, list[tuple[Share, bool]]]:
    """What was passed on from the quotes of each post, in unix seconds, and whether it counts."""
    quotes = [(post, via) for post, via in zip(edges.post.tolist(), edges.via, strict=True) if via]
    if not quotes:
        return {}
    names = sorted({via for _, via in quotes})
    further, found = _Edges.of(store, names, suspects, now), defaultdict[str, list[tuple[Share, bool]]](list)
    for post, source, via, time, honest in zip(
        further.post.tolist(), further.source, further.via, further.time.tolist(), further.honest.tolist(), strict=True
    ):
        found[names[post]].append((_share(source, via, time, names[post]), honest))
    told: dict[int, list[tuple[Share, bool]]] = {}
    for post, via in quotes:
        if via in found:
            told.setdefault(post, []).extend(found[via])
    return told


def _counts(store: Store, posts: Sequence[str]) -> dict[str, list[tuple[str, int]]]:
    """When how many reshares and quotes were seen of each post, the maximum over observers."""
    sql = (
        "SELECT post_id, observed_at, MAX(COALESCE(reshares, 0) + COALESCE(quotes, 0)) FROM metrics "
        "WHERE post_id IN (SELECT value FROM json_each(?)) GROUP BY post_id, observed_at ORDER BY 1, 2"
    )
    found: dict[str, list[tuple[str, int]]] = {}
    for post, at, count in chain.from_iterable(pieces(store, sql, (json.dumps(posts),))):
        found.setdefault(post, []).append((at, count))
    return found


def _from_counts(
    row: sqlite3.Row, began: datetime, counts: Sequence[tuple[str, int]], followers: float, now: datetime
) -> Spread:
    started = began.timestamp()
    ages = [max(0.0, from_iso(at).timestamp() - started) for at, _ in counts]
    cascade = from_counts(ages, [size + 1.0 for _, size in counts], followers)
    recent = _lately(cascade.times, np.full(len(cascade.times), now.timestamp() - started)).sum()
    until = min(from_iso(counts[-1][0]), now)
    return Spread(row["id"], began, until, cascade, shape_of_counts(cascade), float(recent), 0)
