"""A small world on loopback with the whole product in it: both networks, a Slack, a mailbox, and one store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from analysis.sentiment.scorer import Scorer
from collector.base import Source
from collector.sources import sources
from config import Settings, load
from resonance import cycle
from resonance.jobs import Job
from resonance.pipeline.hours import update_hours
from resonance.pipeline.score import key_of, score_posts
from resonance.pipeline.share import share_of
from resonance.spent import spent_in
from sandbox.network import Sandbox
from sandbox.world import Person, Post, Reshare, World, mastodon_id, x_id
from store import Store
from store.topics import sync_topics

BEGIN = datetime(2026, 10, 15, 3, tzinfo=UTC)  # a Thursday noon in Tokyo
HOST = "mastodon.sandbox"
TOPICS = """
[[topics]]
slug = "kopi"
name = "コピ屋 / Kopi"
keywords = ["コピ屋", "kopi"]
hashtags = ["kopi"]
own_accounts = ["x:kopi_jp"]

[[topics]]
slug = "matcha"
keywords = ["抹茶"]
hashtags = ["抹茶"]
"""


class House:
    """The world, its clock, and the stages that a daemon would run."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.world, self.now = folder, World(), BEGIN
        self.timeout = 5  # seconds that the product waits for any of the servers
        self.store: Store
        self.settings: Settings
        self.sandbox: Sandbox
        self.sources: list[Source] = []
        for number in range(60):
            self.person(str(100 + number), "x", f"taro{number}")
        for number in range(8):
            self.person(str(900 + number), "mastodon", f"hana{number}")

    def person(self, key: str, network: Any, handle: str, **more: Any) -> Person:
        found = Person(key, network, handle, handle.title(), followers=more.pop("followers", 50), **more)
        self.world.people[key] = found
        return found

    def post(self, author: str, text: str, minutes: float = 0, **more: Any) -> Post:
        """A post `minutes` after the present."""
        at = self.now + timedelta(minutes=minutes)
        network = self.world.people[author].network
        key = (x_id if network == "x" else mastodon_id)(at, len(self.world.posts))
        found = Post(key, network, author, text, more.pop("lang", "ja"), at, **more)
        self.world.posts[key] = found
        return found

    def reshare(self, by: str, post: Post, minutes: float = 0) -> None:
        at = self.now + timedelta(minutes=minutes)
        key = (x_id if post.network == "x" else mastodon_id)(at, 900_000 + len(self.world.reshares))
        self.world.reshares.append(Reshare(key, by, post.id, at))

    def changed(self) -> None:
        """After a change in place."""
        self.world.revision += 1

    def write_config(self, topics: str = TOPICS, extra: str = "") -> Path:
        assert self.sandbox.slack is not None and self.sandbox.smtp is not None
        path = self.folder / "resonance.toml"
        path.write_text(
            f"""database = "r.sqlite"
contact = "ops@example.com"
{topics}
[x]
bearer_token = "{self.sandbox.x_token}"
base_url = "{self.sandbox.x_url}"
daily_budget_usd = 1000
timeout = {self.timeout}
[[mastodon]]
url = "{self.sandbox.mastodon_url}"
timeout = {self.timeout}
[[channels]]
type = "slack"
name = "team"
webhook_url = "{self.sandbox.slack.webhook_url}"
timeout = {self.timeout}
[[channels]]
type = "email"
name = "mail"
host = "{self.sandbox.smtp.host}"
port = {self.sandbox.smtp.port}
security = "none"
sender = "Resonance <r@example.com>"
recipients = ["team@example.com"]
timeout = {self.timeout}
{extra}
""",
            encoding="utf-8",
        )
        return path

    def configure(self, topics: str = TOPICS, extra: str = "") -> list[str]:
        """Write the configuration, read it back, and bring the store up to it; the slugs that were matched again."""
        self.settings = load(self.write_config(topics, extra))
        for source in self.sources:
            source.close()
        self.sources = sources(self.settings, spent_in(self.store))
        return sync_topics(self.store, self.settings.topics, self.now)

    def step(self, scorer: Scorer | None = None, minutes: float = 30) -> list[Job]:
        """Time passes; then everything that the daemon does, once."""
        self.now += timedelta(minutes=minutes)
        jobs = []
        for source in self.sources:
            jobs.append(cycle.collect_job(self.store, self.settings, source, self.now))
            jobs.append(cycle.refresh_job(self.store, self.settings, source, self.now))
        if scorer:
            self.score(scorer)
        jobs.append(cycle.alert_job(self.store, self.settings, self.now))
        jobs.append(cycle.deliver_job(self.store, self.settings, self.now))
        return jobs

    def score(self, scorer: Scorer) -> None:
        score_posts(self.store, scorer, self.now)
        update_hours(self.store, self.settings, key_of(scorer), share_of(self.settings), self.now)

    def count(self, table: str, where: str = "1") -> int:
        return int(self.store.one(f"SELECT COUNT(*) FROM {table} WHERE {where}"))

    def everything(self) -> bytes:
        """Every byte of the store, the log included."""
        self.store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return b"".join(p.read_bytes() for p in sorted(self.folder.glob("r.sqlite*")))


@contextmanager
def house(folder: Path) -> Iterator[House]:
    """A house with its servers running."""
    home = House(folder)
    with Sandbox(home.world, lambda: home.now, mastodon=[HOST], slack=True, smtp=True) as sandbox:
        home.sandbox = sandbox
        home.store = Store.open(folder / "r.sqlite")
        try:
            home.configure()
            yield home
        finally:
            for source in home.sources:
                source.close()
            home.store.close()


def x_archive(path: Path, posts: int, *, end: datetime, hours: float, text: str = "kopi を飲む", **more: Any) -> Path:
    """Flattened posts of X at an even pace up to `end`."""
    step = timedelta(hours=hours) / posts
    lines = []
    for number in range(posts):
        at = end - step * (posts - number)
        native = x_id(at, 5_000 + number)
        lines.append(
            {
                "id": native,
                "text": text,
                "author_id": str(100 + number % 50),
                "created_at": at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                "lang": "ja",
                "edit_history_tweet_ids": [native],
                "public_metrics": {"retweet_count": 0, "reply_count": 0, "like_count": number % 3, "quote_count": 0},
                **more,
            }
        )
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path
