"""What the store holds against what the sandbox holds, post by post; every difference is a sentence."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from sandbox.index import appears, text_at
from sandbox.mastodon_objects import uri_of
from sandbox.world import Post
from store import Store
from store.records import from_iso, iso
from tests.robustness.week.play import Played
from tests.robustness.week.story import MARKER

SHOWN = 100
EDGE = timedelta(minutes=2)  # observed periods that are closer than this are one


@dataclass
class Found:
    """`wrong` should be empty; `counts` are what the table tells."""

    wrong: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    gaps: list[str] = field(default_factory=list)

    def add(self, told: str) -> None:
        self.counts["wrong"] += 1
        if len(self.wrong) < SHOWN:
            self.wrong.append(told)


@dataclass(frozen=True)
class Row:
    """A stored post."""

    text: str
    removed: str | None
    imported: bool
    seen: datetime
    """When a network showed it last."""
    due: datetime | None


def audit(played: Played) -> Found:
    found, story, store = Found(), played.story, played.store
    rows = _rows(store)
    names = {post_id(played, post): post for post in story.world.posts.values()}
    matches = defaultdict(set)
    for row in store.query("SELECT post_id, topic FROM matches"):
        matches[row[0]].add(row[1])
    for name in rows.keys() - names.keys():
        found.add(f"{name} is stored, and nobody wrote it under that name: one post twice, or a ghost")
    if store.one("SELECT COUNT(*) FROM posts") != len(rows):
        found.add("a post is stored twice")
    gaps = _gaps(store)
    for name, post in names.items():
        _post(found, played, name, post, rows.get(name), matches[name], gaps)
    _gaps_told(found, played, gaps)
    _interactions(found, played, names)
    _sums(found, store)
    _secrets(found, played)
    _deliveries(found, played)
    for text in ("integrity_check", "foreign_key_check"):
        said = [tuple(row) for row in store.query(f"PRAGMA {text}")]
        if said not in ([], [("ok",)]):
            found.add(f"{text}: {said[:3]}")
    found.counts["posts stored"] = len(rows)
    return found


def post_id(played: Played, post: Post) -> str:
    return f"x:{post.id}" if post.network == "x" else uri_of(post, played.story.world.people[post.author])


def _rows(store: Store) -> dict[str, Row]:
    sql = """SELECT p.id, p.text, p.removed_reason, p.imported, p.first_seen,
      (SELECT MAX(observed_at) FROM metrics m WHERE m.post_id = p.id) AS seen,
      (SELECT due_at FROM refresh_requests r WHERE r.post_id = p.id) AS due FROM posts p"""
    return {
        r["id"]: Row(
            r["text"], r["removed_reason"], bool(r["imported"]), from_iso(r["seen"] or r["first_seen"]),
            from_iso(r["due"]) if r["due"] else None,
        )
        for r in store.query(sql)
    }  # fmt: skip


Gaps = dict[tuple[str, str], list[tuple[datetime, datetime]]]


def _gaps(store: Store) -> Gaps:
    found: Gaps = defaultdict(list)
    for row in store.query("SELECT source, topic, start_utc, end_utc FROM gaps"):
        found[row[0], row[1]].append((from_iso(row[2]), from_iso(row[3])))
    return found


def _post(found: Found, played: Played, name: str, post: Post, row: Row | None, matched: set[str], gaps: Gaps) -> None:
    story, about = played.story, played.story.about[post.id]
    gone = min(filter(None, [post.deleted_at, story.left.get(post.author)]), default=None)
    if row is not None:
        _stored(found, post, row, gone, name)
        if not row.removed and matched != about:
            found.add(f"{name} is about {set(about)}, and matched {matched or 'nothing'}")
    elif not about or post.visibility != "public" or appears(post) > story.ends:
        found.counts["not ours, left out"] += 1
    elif gone is not None:
        found.counts["gone before it was read"] += 1
        story_end = min(gone, story.ends)
        if story_end - appears(post) > timedelta(hours=12) and not _missing(post, about, gaps):
            found.counts["gone before it was read, after more than 12 h"] += 1
    elif _missing(post, about, gaps):
        found.counts["missing, within a recorded gap"] += 1
    else:
        found.add(f"{name} of {iso(post.created_at)} about {set(about)} is lost, and no gap says so")


def _missing(post: Post, about: frozenset[str], gaps: Gaps) -> bool:
    """Whether a recorded gap of every topic that it is about covers it."""
    return all(
        any(start - EDGE <= post.created_at <= end + EDGE for start, end in gaps.get((post.network, topic), []))
        for topic in about
    )


def _stored(found: Found, post: Post, row: Row, gone: datetime | None, name: str) -> None:
    if post.visibility != "public":
        found.add(f"{name} is private, and stored")
    if row.removed:
        found.counts["gone, and purged"] += 1
        if row.text:
            found.add(f"{name} was removed, and its text is still there")
        if gone is None:
            found.add(f"{name} was removed ({row.removed}), and nobody took it back")
        return
    if gone is not None:
        if row.seen > gone:
            found.add(f"{name} is gone since {iso(gone)}, was looked at {iso(row.seen)}, and is still there")
        found.counts["gone, not asked again yet"] += 1
        return
    later = [text_at(post, row.seen), *(edit.text for edit in post.edits if edit.at > row.seen)]
    if row.text not in later:
        found.add(f"{name}: another text than {iso(row.seen)} showed: {row.text!r}, not {later[0]!r}")
    elif post.edits and row.text != post.text:
        found.counts["edited, and stored as edited"] += 1
        if row.text != max(post.edits, key=lambda edit: edit.at).text:
            found.counts["a later edit, not asked again yet"] += 1
    elif post.edits:
        found.counts["edited, not asked again yet"] += 1
    else:
        found.counts["whole"] += 1


def _gaps_told(found: Found, played: Played, gaps: Gaps) -> None:
    """Every period that was not observed is a gap, and what is a gap was not observed."""
    for topic in played.settings.topics:
        for network in ("x", "mastodon"):
            periods = [
                (from_iso(r[0]), from_iso(r[1]))
                for r in played.store.query(
                    "SELECT start_utc, end_utc FROM observations WHERE topic = ? AND network = ? ORDER BY start_utc",
                    (topic.slug, network),
                )
            ]
            holes = [(a[1], b[0]) for a, b in pairwise(periods)]
            told = gaps.get((network, topic.slug), []) if network == "x" else []
            for start, end in holes:
                shown = f"{network}, {topic.slug}: {iso(start)} to {iso(end)}"
                if any(s - EDGE <= start and end <= e + EDGE for s, e in told):
                    found.gaps.append(shown)
                else:
                    found.add(f"not observed, and no gap says so: {shown}")
            if not periods or periods[-1][1] < played.story.ends:
                found.add(f"{network}, {topic.slug}: not read to the end")


def _interactions(found: Found, played: Played, names: dict[str, Post]) -> None:
    """No reshare that nobody made, none twice."""
    people = played.story.world.people
    made = Counter(
        (_account(people[r.by]), post_id(played, played.story.world.posts[r.of])) for r in played.story.world.reshares
    )
    held = [
        (row[0], row[1])
        for row in played.store.query("SELECT source_id, target_post_id FROM interactions WHERE kind = 'reshare'")
    ]
    for pair, count in Counter(held).items():
        if not made[pair]:
            found.add(f"{pair[0]} never reshared {pair[1]}")
        if count > made[pair]:
            found.add(f"{pair[0]} reshared {pair[1]} {made[pair]} times, stored {count} times")
    found.counts["reshares made"], found.counts["reshares stored"] = len(made), len(held)


def _account(person: object) -> str:
    network, key = person.network, person.key  # type: ignore[attr-defined]
    return f"x:{key}" if network == "x" else f"acct:{person.handle}@{person.instance}".lower()  # type: ignore[attr-defined]


def _sums(found: Found, store: Store) -> None:
    """The maintained sums are those of the rows."""
    for slug, posts in store.query("SELECT topic, SUM(posts) FROM topic_hours GROUP BY topic"):
        matched = store.one("SELECT COUNT(*) FROM matches WHERE topic = ? AND own = 0", (slug,))
        if posts != matched:
            found.add(f"topic_hours of {slug} sum to {posts}, {matched} posts matched")
    searched = store.one("SELECT COUNT(*) FROM post_search")
    there = store.one("SELECT COUNT(*) FROM posts WHERE removed_at IS NULL")
    if searched != there:
        found.add(f"{searched} posts in the search index, {there} in the store")


def _secrets(found: Found, played: Played) -> None:
    played.store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    files = {path.name: path.read_bytes() for path in sorted(played.folder.glob("week.sqlite*"))}
    files["daemon.log"] = played.log.encode()
    for secret in played.secrets:
        for name, content in files.items():
            if secret.encode() in content:
                found.add(f"a secret ({secret[:6]}...) stands in {name}")
    escaped = json.dumps(MARKER)[1:-1].encode()
    if MARKER.encode() in files["daemon.log"] or escaped in files["daemon.log"]:
        found.add("the log holds texts of posts")
    if "Traceback" in played.log:
        found.add("the log holds a traceback")


def _deliveries(found: Found, played: Played) -> None:
    sandbox, store = played.sandbox, played.store
    assert sandbox.slack is not None and sandbox.smtp is not None
    received = {
        "team": [json.dumps(m.payload, sort_keys=True) for m in sandbox.slack.messages],
        "mail": [str(m.parsed()["Message-ID"]) for m in sandbox.smtp.messages],
    }
    for channel, messages in received.items():
        sql = "SELECT state, COUNT(*) FROM deliveries WHERE channel = ? GROUP BY state"
        count = Counter({row[0]: row[1] for row in store.query(sql, (channel,))})
        for state, number in count.items():
            found.counts[f"{channel}: {state}"] = number
        if len(messages) != len(set(messages)):
            found.add(f"{channel}: a message came twice")
        if not count["sent"] <= len(messages) <= count["sent"] + count["maybe_sent"]:
            found.add(f"{channel}: {len(messages)} messages came, {dict(count)}")
        if left := set(count) - {"sent", "maybe_sent", "failed", "queued", "rolled_up"}:
            found.add(f"{channel}: deliveries are left as {left}")
