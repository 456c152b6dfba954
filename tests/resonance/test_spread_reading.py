"""Cascades read as columns are those that a look at each post by itself gives."""

from __future__ import annotations

import random
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from analysis.cascades import from_counts, from_events
from analysis.cascades.tree import Share, shape, shape_of_counts
from config import Topic
from resonance.pipeline import spread_reading
from resonance.pipeline.spread_reading import read_spreads
from store import Store
from store.records import from_iso, iso

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TOPIC = Topic(slug="matcha", keywords=("抹茶",))
MEMBERS = {f"x:{i}": f"f{i % 4}" for i in range(25)}
SUSPECTS = ("x:3", "x:17")
POSTS = [f"x:p{i}" for i in range(30)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """30 posts with reshares, quotes, reshares of quotes, counts, bots, suspects, and times not exactly known."""
    rng, store = random.Random(4), Store.open(tmp_path / "s.sqlite")
    moments = [iso(NOW + timedelta(minutes=m)) for m in range(-600, 60, 20)]
    with store.write() as db:
        for i in range(30):  # x:30 and more react, but are not known
            db.execute(
                "INSERT INTO accounts (id, network, followers, bot, first_seen, observed_at) "
                "VALUES (?, 'x', ?, ?, '', '')",
                (f"x:{i}", rng.choice([None, 10, 200]), i % 9 == 0),
            )
        db.execute(
            "INSERT INTO runs (id, kind, topic, state, started_at, window_from, window_to, parameters, seed, versions) "
            "VALUES (1, 'graph', 'matcha', 'done', '', '', '', '{}', 1, '{}')"
        )
        db.executemany("INSERT INTO suspects (run_id, account_id) VALUES (1, ?)", [(name,) for name in SUSPECTS])
        quotes: list[str] = []
        for n in range(500):
            goal, source, at = rng.choice([*POSTS, *quotes]), f"x:{rng.randrange(35)}", rng.choice(moments)
            kind = rng.choice(["reshare", "reshare", "quote", "reply"])
            via = f"x:v{n}" if kind != "reshare" else ""
            quotes += [via] if kind == "quote" else []
            low = rng.choice([at, at, at, None])
            db.execute(
                "INSERT OR IGNORE INTO interactions (kind, source_id, subject, target_post_id, via_post_id, time_low, "
                "time_high, first_seen) VALUES (?, ?, ?, ?, ?, ?, ?, '')",
                (kind, source, goal, goal, via, low, at),
            )
        # A quote without its post counts as the reshare by the same account.
        db.execute(
            "INSERT OR IGNORE INTO interactions (kind, source_id, subject, target_post_id, time_low, time_high, "
            "first_seen) SELECT 'quote', source_id, subject, target_post_id, time_low, time_high, '' "
            "FROM interactions WHERE kind = 'reshare' LIMIT 5"
        )
        for post in POSTS[::3]:
            for at in sorted(rng.sample(moments[:30], 3)):
                db.execute(
                    "INSERT INTO metrics (post_id, observed_at, observer, reshares) VALUES (?, ?, 'x', ?)",
                    (post, at, rng.randrange(3, 40)),
                )
    return store


def rows(store: Store) -> list[sqlite3.Row]:
    """As the pipeline asks for them."""
    return store.query(
        """SELECT p.value AS id, 'x:' || (p.key % 27) AS author_id, :began AS created_at, p.key * 10 AS followers,
             (SELECT MAX(reshares) FROM metrics WHERE post_id = p.value) AS counted,
             (SELECT MAX(observed_at) FROM metrics WHERE post_id = p.value) AS counted_at, NULL AS deep_at
           FROM json_each(:posts) p""",
        {"posts": str(POSTS).replace("'", '"'), "began": iso(NOW - timedelta(minutes=500))},
    )


def alone(store: Store, row: sqlite3.Row, left_out: set[str]):  # type: ignore[no-untyped-def]
    """Cascade, shape, reactions of the last hour and how many were left out, by plain questions."""
    began = from_iso(row["created_at"]).timestamp()

    def edges(post: str) -> list[sqlite3.Row]:
        return store.query(
            "SELECT source_id AS source, via_post_id AS via, unixepoch(time_high) AS at, "
            "time_low IS time_high AS exact, (SELECT followers FROM accounts WHERE id = source_id) AS followers "
            "FROM interactions WHERE target_post_id = ? AND kind IN ('reshare', 'quote') AND time_high <= ? "
            "ORDER BY kind, time_high",
            (post, iso(NOW)),
        )

    def share(edge: sqlite3.Row, parent: str) -> Share:
        return Share(edge["via"] or f"{edge['source']}>{parent}", edge["source"], max(0.0, edge["at"] - began), parent)

    exact = [e for e in edges(row["id"]) if e["exact"] and e["at"] >= began]
    counts = store.query("SELECT observed_at, reshares FROM metrics WHERE post_id = ? ORDER BY 1", (row["id"],))
    if len(exact) >= 0.8 * (row["counted"] or 0):
        onwards = [(e["via"], o) for e in exact if e["via"] for o in edges(e["via"])]
        kept = [e for e in exact if e["source"] not in left_out]
        honest = [(via, o) for via, o in onwards if o["source"] not in left_out]
        followers = [np.nan if e["followers"] is None else e["followers"] for e in kept]
        cascade = from_events([e["at"] - began for e in kept], followers, row["followers"])
        shares = [share(e, row["id"]) for e in kept] + [share(o, via) for via, o in honest]
        form = shape(Share(row["id"], row["author_id"], 0.0), shares, MEMBERS)
        gone = len(exact) - len(kept) + len(onwards) - len(honest)
    else:
        ages = [from_iso(at).timestamp() - began for at, _ in counts]
        cascade = from_counts([max(0.0, a) for a in ages], [n + 1 for _, n in counts], row["followers"])
        form, gone = shape_of_counts(cascade), 0
    age = NOW.timestamp() - began
    return cascade, form, sum(age - 3600 < t <= age for t in cascade.times), gone


@pytest.mark.parametrize("piece", [2_000, 7])
def test_columns_say_what_each_post_by_itself_says(store: Store, piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread_reading, "PIECE", piece)
    asked = rows(store)
    left_out = {*SUSPECTS, *(f"x:{i}" for i in range(0, 30, 9))}
    found = {s.post_id: s for s in read_spreads(store, TOPIC, asked, MEMBERS, NOW)}
    assert list(found) == POSTS
    kinds = set()
    for row in asked:
        spread = found[row["id"]]
        cascade, form, recent, gone = alone(store, row, left_out)
        kinds.add(form.kind)
        assert spread.cascade.times.tolist() == cascade.times.tolist()
        assert sorted(map(repr, spread.cascade.followers)) == sorted(map(repr, cascade.followers))
        assert spread.cascade.root_followers == cascade.root_followers
        assert (spread.per_hour, spread.left_out) == (recent, gone)
        assert (spread.shape.size, spread.shape.depth, spread.shape.breadth) == (form.size, form.depth, form.breadth)
        assert (spread.shape.virality, spread.shape.speed) == (form.virality, form.speed)
        assert {e.community: e.shares for e in spread.shape.entries} == {e.community: e.shares for e in form.entries}
    assert kinds == {"tree", "star", "counts"}
