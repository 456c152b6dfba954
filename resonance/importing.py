"""Archives into the store: line by line, in short transactions; importing again changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from collector.archive import merged, parse_line
from collector.errors import BadAnswer
from config import Settings
from resonance.tables import Skipped, open_text, whole_lines
from store import Store
from store.ingest import Saved, save_page
from store.matching import Matchers
from store.records import Metrics, Observed, Page, iso

PIECE = 500  # posts in one transaction
Progress = Callable[[int], None]


@dataclass(slots=True)
class Imported:
    """What a file brought."""

    saved: Saved = field(default_factory=Saved)
    posts: set[str] = field(default_factory=set)
    spans: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    """First and last time of posting by network."""

    def take(self, page: Page) -> None:
        """Note whose posts these are and from when."""
        self.posts.update(post.id for post in page.posts)
        for post in page.posts:
            if post.reference:
                continue
            first, last = self.spans.get(post.network, (post.created_at, post.created_at))
            self.spans[post.network] = (min(first, post.created_at), max(last, post.created_at))


def import_file(
    store: Store,
    settings: Settings,
    path: str,
    now: datetime,
    skipped: Skipped,
    *,
    complete: bool = True,
    progress: Progress | None = None,
) -> Imported:
    """Store every post of an archive. Bad lines are counted in `skipped`; `progress` is told the lines done.

    `complete`: the archive holds everything that was said about its topics between its first and its last post, so
    that its quiet hours count as quiet. Counts without a time of their own are as of the file's last change.
    """
    done = Imported()
    matchers = Matchers(settings.topics)
    seen_at = now if path == "-" else min(now, datetime.fromtimestamp(Path(path).stat().st_mtime, UTC))
    for page in _pieces(path, seen_at, skipped, progress):
        done.take(page)
        if path == "-":
            page.metrics = [m for m in page.metrics if m.observed_at != now or not _told_before(store, m)]
        done.saved += save_page(store, page, matchers, now, imported=True)
    if complete:
        save_page(store, Page(observed=_observed(store, settings, done)), matchers, now)
    return done


def _told_before(store: Store, m: Metrics) -> bool:
    """Whether these counts, which standard input gave no time to, are those that are known already."""
    last = store.query(
        "SELECT likes, reshares, replies, quotes, views FROM metrics WHERE post_id = ? AND observer = ? "
        "ORDER BY observed_at DESC LIMIT 1",
        (m.post_id, m.observer),
    )
    return bool(last) and tuple(last[0]) == (m.likes, m.reshares, m.replies, m.quotes, m.views)


def _pieces(path: str, now: datetime, skipped: Skipped, progress: Progress | None) -> Iterator[Page]:
    waiting: list[Page] = []
    with open_text(path) as stream:
        for number, line in enumerate(whole_lines(stream, skipped), 1):
            if line.strip():
                skipped.lines += 1
                try:
                    parsed = parse_line(line, now)
                except BadAnswer as error:
                    skipped.add(number, error.told.rstrip("."))
                else:
                    skipped.note(number, parsed.skipped)
                    waiting.append(parsed.page)
            if progress:
                progress(1)
            if sum(len(page.posts) for page in waiting) >= PIECE:
                yield merged(waiting)
                waiting = []
    if waiting:
        yield merged(waiting)


def _observed(store: Store, settings: Settings, done: Imported) -> list[Observed]:
    """The span of each network, for the topics to which at least one post in it belongs."""
    found = []
    for network, (first, last) in done.spans.items():
        for topic in settings.topics:
            belongs = store.one(
                "SELECT 1 FROM matches m JOIN posts p ON p.id = m.post_id WHERE m.topic = ? AND p.network = ? "
                "AND p.imported = 1 AND m.created_at BETWEEN ? AND ? LIMIT 1",
                (topic.slug, network, iso(first), iso(last)),
            )
            if belongs and network in topic.sources:
                found.append(Observed(topic.slug, network, first, last))
    return found
