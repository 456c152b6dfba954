"""Writing what a network showed: a page with its checkpoint, whole, in one transaction, as often as it comes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from config import Topic
from store.db import Store
from store.matching import Match, Matchers, searchable
from store.records import Account, Checkpoint, Interaction, Metrics, Observed, Page, Post, Removal, Spend, iso
from store.removal import purge_account, purge_posts
from store.text import content_hash, folded_bigrams

ADJACENT = timedelta(seconds=90)


@dataclass(slots=True)
class Saved:
    """What a page changed."""

    new_posts: int = 0
    edited: int = 0
    matched: int = 0
    interactions: int = 0
    removed: int = 0
    skipped: int = 0

    def __iadd__(self, other: Saved) -> Saved:
        """Add up."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self


def save_page(
    store: Store, page: Page, topics: Sequence[Topic] | Matchers, now: datetime, *, imported: bool = False
) -> Saved:
    """Store a page and its checkpoint in one transaction; saving it again changes nothing.

    A post that matches no topic and belongs to no stored thread is not kept, except from an archive (`imported`).
    """
    matchers = topics if isinstance(topics, Matchers) else Matchers(topics)
    with store.write() as connection:
        return _Writer(connection, matchers, now, imported).page(page)


class _Writer:
    """One page's way into the tables."""

    def __init__(self, connection: sqlite3.Connection, matchers: Matchers, now: datetime, imported: bool) -> None:
        self.connection, self.matchers, self.now, self.imported = connection, matchers, iso(now), imported
        self.moment = now
        self.saved = Saved()
        self.changes: list[tuple[str, str]] = []
        self.fresh: set[str] = set()
        self.new_posts: list[tuple[object, ...]] = []
        self.new_bodies: list[tuple[object, ...]] = []
        self.new_matches: list[tuple[object, ...]] = []
        self.next_pk = 1
        self.left_out: set[str] = set()
        """Posts of the page that belong to nothing here: what they refer to and react to is not kept either."""

    def page(self, page: Page) -> Saved:
        self._resolve_versions(page)
        gone = self._removals(page.removals) | self._opt_outs(page.accounts) | self._entombed(page)
        accounts = {a.id: a for a in page.accounts if a.id not in gone}
        self._accounts(accounts.values())
        reshared = {i.target_post_id for i in page.interactions if i.kind == "reshare" and i.target_post_id}
        kept = self._posts([p for p in page.posts if p.id not in gone and p.author_id not in gone], accounts, reshared)
        self._interactions([i for i in page.interactions if not self._concerns(i, gone | self.left_out)])
        self._metrics([m for m in page.metrics if m.post_id not in gone], kept)
        for observed in page.observed:
            if observe(self.connection, observed):
                self.changes.append(("observed", observed.topic))
        self._gaps(page)
        if page.refreshed:
            self.connection.executemany(
                "UPDATE refresh_requests SET refreshed_at = ? WHERE post_id = ?",
                [(self.now, i) for i in page.refreshed],
            )
        if page.spend:
            add_spend(self.connection, page.spend, self.now[:10])
        if page.checkpoint:
            save_checkpoint(self.connection, page.checkpoint, self.now)
        self.connection.executemany("INSERT INTO changes (kind, subject) VALUES (?, ?)", self.changes)
        return self.saved

    def _resolve_versions(self, page: Page) -> None:
        """An edit on X is another id of the same post: whoever names it means the post."""
        named = {i.target_post_id for i in page.interactions}
        named |= {i for p in page.posts for i in (p.reply_to_id, p.quote_of_id)}
        natives = {name.removeprefix("x:"): name for name in named if name and name.startswith("x:")}
        sql = "SELECT native_id, post_id FROM post_sources WHERE source = 'x' AND native_id IN"
        rows = _rows(self.connection, sql, natives)
        first = {natives[r["native_id"]]: r["post_id"] for r in rows if natives[r["native_id"]] != r["post_id"]}
        if not first:
            return
        page.interactions = [
            replace(i, target_post_id=first[i.target_post_id]) if i.target_post_id in first else i
            for i in page.interactions
        ]
        page.posts = [
            replace(
                p,
                reply_to_id=first.get(p.reply_to_id or "", p.reply_to_id),
                quote_of_id=first.get(p.quote_of_id or "", p.quote_of_id),
            )
            for p in page.posts
        ]

    @staticmethod
    def _concerns(interaction: Interaction, gone: set[str]) -> bool:
        concerned = (interaction.source_id, interaction.target_id, interaction.via_post_id, interaction.target_post_id)
        return not gone.isdisjoint(concerned)

    def _removals(self, removals: Iterable[Removal]) -> set[str]:
        gone = set()
        for removal in removals:
            if removal.kind == "post":
                self.saved.removed += purge_posts(self.connection, [removal.subject_id], removal.reason, self.moment)
            else:
                self.saved.removed += purge_account(self.connection, removal.subject_id, removal.reason, self.moment)
            gone.add(removal.subject_id)
        return gone

    def _opt_outs(self, accounts: Sequence[Account]) -> set[str]:
        gone = set()
        for account in accounts:
            if account.opted_out or account.protected:
                reason = account.opted_out or "protected"
                self.saved.removed += purge_account(self.connection, account.id, reason, self.moment)
                gone.add(account.id)
        if not self.imported:  # public again; an archive tells of the past
            public = {account.id for account in accounts} - gone
            sql = "SELECT subject_id FROM tombstones WHERE reason = 'protected' AND subject_id IN"
            again = _among(self.connection, sql, public)
            self.connection.executemany("DELETE FROM tombstones WHERE subject_id = ?", [(i,) for i in again])
        return gone

    def _entombed(self, page: Page) -> set[str]:
        ids = {p.id for p in page.posts} | {a.id for a in page.accounts}
        ids |= {p.author_id for p in page.posts if p.author_id}
        ids |= {i.source_id for i in page.interactions} | {i.target_id for i in page.interactions if i.target_id}
        return set(_among(self.connection, "SELECT subject_id FROM tombstones WHERE subject_id IN", ids))

    def _accounts(self, accounts: Iterable[Account]) -> None:
        self.connection.executemany(
            """INSERT INTO accounts (id, network, handle, name, followers, following, posts, created_at, url, bot,
                 protected, first_seen, observed_at)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
               ON CONFLICT (id) DO UPDATE SET handle = COALESCE(excluded.handle, handle),
                 name = COALESCE(excluded.name, name), followers = COALESCE(excluded.followers, followers),
                 following = COALESCE(excluded.following, following), posts = COALESCE(excluded.posts, posts),
                 created_at = COALESCE(excluded.created_at, created_at), url = COALESCE(excluded.url, url),
                 bot = MAX(bot, excluded.bot), observed_at = excluded.observed_at""",
            [
                (
                    *(a.id, a.network, a.handle, a.name, a.followers, a.following, a.posts, _iso(a.created_at), a.url),
                    *(a.bot, a.protected, self.now, self.now),
                )
                for a in accounts
            ],
        )

    def _posts(self, posts: Sequence[Post], accounts: dict[str, Account], wanted: set[str]) -> set[str]:
        """Insert or update; returns the ids that are in the store. `wanted`: kept even when only referred to."""
        stored = {r["id"]: r for r in _rows(self.connection, "SELECT * FROM posts WHERE id IN", {p.id for p in posts})}
        threads = {i for p in posts for i in (p.reply_to_id, p.quote_of_id, p.conversation_id) if i}
        known = set(_among(self.connection, "SELECT id FROM posts WHERE reference = 0 AND id IN", threads))
        authors = {p.author_id for p in posts if p.author_id and p.author_id not in accounts}
        for known_author in _rows(self.connection, "SELECT id, network, handle FROM accounts WHERE id IN", authors):
            accounts[known_author["id"]] = Account(*known_author)
        self.next_pk += self.connection.execute("SELECT COALESCE(MAX(pk), 0) FROM posts").fetchone()[0]
        kept: set[str] = set()
        sources: list[tuple[object, ...]] = []
        for post in sorted(posts, key=lambda p: p.reference):  # what came along is kept for those that are kept
            folded = searchable(post)
            matches = self.matchers.match(post, accounts.get(post.author_id or ""), folded)
            row = self._row(post.id) if post.id in kept else stored.get(post.id)
            if row is None and not self._wanted(post, matches, known, wanted):
                self.saved.skipped += not post.reference
                self.left_out.add(post.id)
                continue
            if row is None:
                self._insert(post, folded, matches)
            elif row["removed_at"] is None:
                self._update(post, folded, row)
            kept.add(post.id)
            if not post.reference:
                known.add(post.id)
                wanted.update(i for i in (post.reply_to_id, post.quote_of_id, post.conversation_id) if i)
            sources.append((post.source, post.native_id, post.id, self.now))
            at = iso(post.created_at)
            self.new_matches += [(m.topic, post.id, at, m.own, m.topic, self.now) for m in matches]
        self._sources(sources)
        self._flush()
        return kept

    def _wanted(self, post: Post, matches: Sequence[Match], known: set[str], wanted: set[str]) -> bool:
        if self.imported or matches or post.id in wanted:
            return True
        return not post.reference and not known.isdisjoint((post.reply_to_id, post.quote_of_id, post.conversation_id))

    def _sources(self, rows: Sequence[tuple[object, ...]]) -> None:
        self.connection.executemany(
            "INSERT INTO post_sources (source, native_id, post_id, first_seen) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO NOTHING",
            rows,
        )

    def _row(self, post_id: str) -> sqlite3.Row:
        self._flush()
        row: sqlite3.Row = self.connection.execute("SELECT * FROM posts WHERE id = ?", (post_id,)).fetchone()
        return row

    def _flush(self) -> None:
        """Matches before their posts: the trigger that tells the search index of new matches has nothing to do then."""
        self._matches(self.new_matches)
        self.connection.executemany(
            """INSERT INTO posts (pk, id, network, author_id, text, text_hash, lang, created_at, first_seen, url,
                 reply_to_id, quote_of_id, conversation_id, spoiler, sensitive, hashtags, links, edited_at, reference,
                 imported)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            self.new_posts,
        )
        self.connection.executemany(
            "INSERT OR REPLACE INTO post_search (rowid, body, topics) VALUES (?, ?, ?)", self.new_bodies
        )
        self.new_matches, self.new_posts, self.new_bodies = [], [], []

    def _insert(self, post: Post, folded: str, matches: Sequence[Match]) -> None:
        pk, self.next_pk = self.next_pk, self.next_pk + 1
        self.new_posts.append(
            (
                *(pk, post.id, post.network, post.author_id, post.text, content_hash(post.text), post.lang),
                *(iso(post.created_at), self.now, post.url, post.reply_to_id, post.quote_of_id, post.conversation_id),
                *(post.spoiler, post.sensitive, _json(post.hashtags), _json(post.links), _iso(post.edited_at)),
                *(post.reference, self.imported),
            )
        )
        self.new_bodies.append((pk, folded_bigrams(folded), " ".join(m.topic for m in matches)))
        self.fresh.add(post.id)
        self.saved.new_posts += not post.reference
        self.changes.append(("post", post.id))

    def _update(self, post: Post, folded: str, row: sqlite3.Row) -> None:
        """An edit brings a new text; what came along only becomes a post of its own when it is seen by itself."""
        edited = post.text != row["text"] and _newer(_iso(post.edited_at), row["edited_at"], post, row)
        promoted = row["reference"] and not post.reference
        completed = row["author_id"] is None and post.author_id is not None
        if not (edited or promoted or completed):
            return
        text = post.text if edited else row["text"]
        self.connection.execute(
            """UPDATE posts SET text = ?, text_hash = ?, lang = COALESCE(?, lang), author_id = COALESCE(author_id, ?),
                 url = COALESCE(?, url), spoiler = ?, hashtags = ?, links = ?, edited_at = COALESCE(?, edited_at),
                 reply_to_id = COALESCE(reply_to_id, ?), quote_of_id = COALESCE(quote_of_id, ?),
                 conversation_id = COALESCE(conversation_id, ?), reference = MIN(reference, ?) WHERE pk = ?""",
            (
                *(text, content_hash(text), post.lang, post.author_id, post.url, post.spoiler),
                *(_json(post.hashtags), _json(post.links), _iso(post.edited_at), post.reply_to_id, post.quote_of_id),
                *(post.conversation_id, post.reference, row["pk"]),
            ),
        )
        if edited:
            self.connection.execute(
                "UPDATE post_search SET body = ? WHERE rowid = ?", (folded_bigrams(folded), row["pk"])
            )
        self.saved.edited += bool(edited)
        self.saved.new_posts += bool(promoted)
        self.changes.append(("post", post.id))

    def _matches(self, rows: Sequence[tuple[object, ...]]) -> None:
        done = self.connection.executemany(
            "INSERT INTO matches (topic, post_id, created_at, own, version, matched_at) "
            "VALUES (?, ?, ?, ?, COALESCE((SELECT version FROM topics WHERE slug = ?), 1), ?) ON CONFLICT DO NOTHING",
            rows,
        )
        self.saved.matched += max(done.rowcount, 0)

    def _interactions(self, interactions: Sequence[Interaction]) -> None:
        for i in interactions:
            subject = i.target_post_id or i.target_id
            low, high = _iso(i.time_low), _iso(i.time_high) or self.now
            done = self.connection.execute(
                """INSERT INTO interactions (kind, source_id, subject, target_post_id, target_id, via_post_id, time_low,
                     time_high, first_seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                   ON CONFLICT (kind, source_id, subject, via_post_id) DO UPDATE SET
                     target_id = COALESCE(target_id, excluded.target_id),
                     time_low = NULLIF(MAX(COALESCE(time_low, ''), COALESCE(excluded.time_low, '')), ''),
                     time_high = MIN(time_high, excluded.time_high)
                   WHERE (target_id IS NULL AND excluded.target_id IS NOT NULL)
                     OR COALESCE(excluded.time_low, '') > COALESCE(time_low, '') OR excluded.time_high < time_high""",
                (i.kind, i.source_id, subject, i.target_post_id, i.target_id, i.via_post_id, low, high, self.now),
            )
            if done.rowcount:
                self.saved.interactions += 1
                self.changes.append(("interaction", subject or ""))

    def _metrics(self, metrics: Iterable[Metrics], kept: set[str]) -> None:
        for m in metrics:
            if m.post_id not in kept and not self._exists(m.post_id):
                continue
            done = self.connection.execute(
                "INSERT INTO metrics (post_id, observed_at, observer, likes, reshares, replies, quotes, views) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (m.post_id, iso(m.observed_at), m.observer, m.likes, m.reshares, m.replies, m.quotes, m.views),
            )
            if done.rowcount and (m.post_id in self.fresh or self._moved(m)):
                self.changes.append(("metrics", m.post_id))

    def _moved(self, m: Metrics) -> bool:
        """Whether the counts differ from those that the same observer told before."""
        last = self.connection.execute(
            "SELECT likes, reshares, replies, quotes, views FROM metrics "
            "WHERE post_id = ? AND observer = ? AND observed_at < ? ORDER BY observed_at DESC LIMIT 1",
            (m.post_id, m.observer, iso(m.observed_at)),
        ).fetchone()
        return last is None or tuple(last) != (m.likes, m.reshares, m.replies, m.quotes, m.views)

    def _exists(self, post_id: str) -> bool:
        return self.connection.execute("SELECT 1 FROM posts WHERE id = ?", (post_id,)).fetchone() is not None

    def _gaps(self, page: Page) -> None:
        self.connection.executemany(
            "INSERT INTO gaps (source, topic, start_utc, end_utc, reason, found_at) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT DO NOTHING",
            [(g.source, g.topic, iso(g.start), iso(g.end), g.reason, self.now) for g in page.gaps],
        )


def observe(connection: sqlite3.Connection, observed: Observed) -> bool:
    """Record a period as read; it grows into its neighbours, so that the table stays small. False: it was known."""
    start, end = iso(observed.start), iso(observed.end)
    near = connection.execute(
        "SELECT id, start_utc, end_utc FROM observations "
        "WHERE topic = ? AND network = ? AND end_utc >= ? AND start_utc <= ?",
        (observed.topic, observed.network, iso(observed.start - ADJACENT), iso(observed.end + ADJACENT)),
    ).fetchall()
    if any(r[1] <= start and end <= r[2] for r in near):
        return False
    start, end = min([start, *(r[1] for r in near)]), max([end, *(r[2] for r in near)])
    connection.executemany("DELETE FROM observations WHERE id = ?", [(r[0],) for r in near])
    connection.execute(
        "INSERT INTO observations (topic, network, start_utc, end_utc) VALUES (?, ?, ?, ?)",
        (observed.topic, observed.network, start, end),
    )
    return True


def add_spend(connection: sqlite3.Connection, spend: Spend, day_utc: str) -> None:
    """Add to the day's requests and money."""
    connection.execute(
        "INSERT INTO spend (day_utc, network, requests, posts, accounts, usd) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (day_utc, network) DO UPDATE SET requests = requests + excluded.requests, "
        "posts = posts + excluded.posts, accounts = accounts + excluded.accounts, usd = usd + excluded.usd",
        (day_utc, spend.network, spend.requests, spend.posts, spend.accounts, spend.usd),
    )


def save_checkpoint(connection: sqlite3.Connection, checkpoint: Checkpoint, now: str) -> None:
    """Move a stream's cursor, within the transaction of the page it belongs to."""
    connection.execute(
        "INSERT INTO checkpoints (source, stream, cursor, updated_at) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (source, stream) DO UPDATE SET cursor = excluded.cursor, updated_at = excluded.updated_at",
        (checkpoint.source, checkpoint.stream, json.dumps(checkpoint.cursor), now),
    )


def checkpoints(store: Store, source: str) -> dict[str, dict[str, object]]:
    """The cursors of a source by stream."""
    rows = store.query("SELECT stream, cursor FROM checkpoints WHERE source = ?", (source,))
    return {row["stream"]: json.loads(row["cursor"]) for row in rows}


def _newer(edited_at: str | None, stored_at: str | None, post: Post, row: sqlite3.Row) -> bool:
    """Whether a different text is a later version, not an older one seen late or one server's cut of it."""
    if edited_at or stored_at:
        return (edited_at or "") > (stored_at or "")
    return bool(row["reference"]) or len(post.text) > len(row["text"])


def _rows(connection: sqlite3.Connection, sql: str, ids: Iterable[str | None]) -> list[sqlite3.Row]:
    wanted = [i for i in ids if i]
    found: list[sqlite3.Row] = []
    for begin in range(0, len(wanted), 500):
        part = wanted[begin : begin + 500]
        found += connection.execute(f"{sql} ({','.join('?' * len(part))})", part).fetchall()
    return found


def _among(connection: sqlite3.Connection, sql: str, ids: Iterable[str | None]) -> list[str]:
    return [row[0] for row in _rows(connection, sql, ids)]


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)


def _json(values: Sequence[str]) -> str:
    return json.dumps(list(values), ensure_ascii=False) if values else "[]"
