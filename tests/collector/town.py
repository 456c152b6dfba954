"""A small world for the collector's tests: people, posts every minute, a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from collector.base import Source
from collector.mastodon.source import MastodonSource
from collector.x.source import XSource
from config import MastodonInstance, Topic, XSettings
from sandbox.network import Sandbox
from sandbox.world import Person, Post, Reshare, World, mastodon_id, x_id
from store.db import Store
from store.ingest import checkpoints, save_page
from store.records import Page

BEGIN = datetime(2026, 10, 5, tzinfo=UTC)
TOPIC = Topic(slug="kopi", keywords=("kopi",), hashtags=("抹茶",))


class Town:
    """A world with one network, its clock, and short ways to fill it."""

    def __init__(self, network: str) -> None:
        self.network, self.world, self.now = network, World(), BEGIN
        for number in range(5):
            self.person(str(100 + number), f"u{number}")

    def person(self, key: str, handle: str, **more: Any) -> None:
        self.world.people[key] = Person(key, self.network, handle, handle.title(), followers=10, **more)

    def post(self, minute: float, text: str = "kopi #抹茶", author: str = "100", **more: Any) -> str:
        at = BEGIN + timedelta(minutes=minute)
        make = x_id if self.network == "x" else mastodon_id
        key = make(at, len(self.world.posts))
        self.world.posts[key] = Post(key, self.network, author, text, more.pop("lang", "ja"), at, **more)
        return key

    def posts(self, minutes: Iterable[float], **more: Any) -> list[str]:
        return [self.post(minute, f"kopi {minute} #抹茶", **more) for minute in minutes]

    def reshare(self, minute: float, of: str, by: str) -> None:
        at = BEGIN + timedelta(minutes=minute)
        make = x_id if self.network == "x" else mastodon_id
        self.world.reshares.append(Reshare(make(at, 900_000 + len(self.world.reshares)), by, of, at))

    def at(self, minute: float) -> datetime:
        self.now = BEGIN + timedelta(minutes=minute)
        return self.now

    def changed(self) -> None:
        self.world.revision += 1

    @contextmanager
    def x(self, *, budget: float = 1000.0, spent: Any = None, **settings: Any) -> Iterator[tuple[Sandbox, XSource]]:
        """The sandbox's X and a source for it."""
        with Sandbox(self.world, lambda: self.now, mastodon=[]) as sandbox:
            known = {"bearer_token": sandbox.x_token, "base_url": sandbox.x_url, "daily_budget_usd": budget, **settings}
            with XSource(XSettings(**known), *([spent] if spent else [])) as source:
                yield sandbox, source

    @contextmanager
    def mastodon(
        self, hosts: tuple[str, ...] = ("mastodon.sandbox",), **options: Any
    ) -> Iterator[tuple[Sandbox, list[Any]]]:
        """Instances and a source for each."""
        token = options.pop("access_token", None)
        public = options.pop("public_timeline", False)
        with Sandbox(self.world, lambda: self.now, x=False, mastodon=hosts, mastodon_options=options) as sandbox:
            tables = [
                MastodonInstance(url=url, access_token=token, public_timeline=public)
                for url in sandbox.mastodon_urls.values()
            ]
            sources = [MastodonSource(table, [t.host for t in tables], "ops@example.com") for table in tables]
            try:
                yield sandbox, sources
            finally:
                for source in sources:
                    source.close()


class Reader:
    """Collects as the pipeline does, but keeps the checkpoints in memory."""

    def __init__(self, source: Source, topic: Topic = TOPIC) -> None:
        self.source, self.topic, self.cursors = source, topic, {}

    def pages(self, now: datetime) -> Iterator[Page]:
        for page in self.source.collect(self.topic, dict(self.cursors), now):
            if page.checkpoint:
                self.cursors[page.checkpoint.stream] = page.checkpoint.cursor
            yield page

    def read(self, now: datetime) -> Page:
        """Everything of one round as one page."""
        whole = Page()
        for page in self.pages(now):
            for name in ("posts", "accounts", "interactions", "metrics", "removals", "gaps", "observed"):
                getattr(whole, name).extend(getattr(page, name))
        return whole

    def ids(self, now: datetime) -> set[str]:
        """posts.id of what a round brings, references left out."""
        return {post.id for post in self.read(now).posts if not post.reference}


def stored(tmp_path: Path, source: Source, now: datetime, topic: Topic = TOPIC, store: Store | None = None) -> Store:
    """One round into a store."""
    store = store or Store.open(tmp_path / "town.sqlite")
    for page in source.collect(topic, checkpoints(store, source.name), now):
        save_page(store, page, [topic], now)
    return store
